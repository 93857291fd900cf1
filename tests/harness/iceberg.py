"""Spark with Iceberg's runtime, which is also available as a Python package."""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from harness.databases import Row
from harness.local_spark import LocalSpark
from harness.spark import SparkDatabase, backticked, cells_of, spark_type

_JACKSON = "com/fasterxml/jackson/"
_SHADED = f"org/apache/iceberg/shaded/{_JACKSON}"
_UTF8, _LONG, _DOUBLE = 1, 5, 6
_SIZES = {
    3: 4,
    4: 4,
    _LONG: 8,
    _DOUBLE: 8,
    7: 2,
    8: 2,
    9: 4,
    10: 4,
    11: 4,
    12: 4,
    15: 3,
    16: 2,
    17: 4,
    18: 4,
    19: 2,
    20: 2,
}
"""Bytes per entry of a class file's constant pool, by tag. Source: Java Virtual Machine Specification, 4.4.
"""


class IcebergSpark(LocalSpark):
    """Spark with Iceberg tables in `directory`."""

    def own_settings(self) -> Mapping[str, str]:
        jackson = self.directory / "jackson.jar"
        _relocate(
            _jars("pyspark", "jackson-core-2*", "jackson-databind-2*", "jackson-annotations-2*"), jackson
        )
        runtime = _jars("snowpark_connect_deps_iceberg", "iceberg-spark-runtime-3.5_2.12-*")
        return {
            "spark.jars": ",".join(map(str, [*runtime, jackson])),
            "spark.sql.catalog.spark_catalog": "org.apache.iceberg.spark.SparkSessionCatalog",
            "spark.sql.catalog.spark_catalog.type": "hadoop",
            "spark.sql.catalog.spark_catalog.warehouse": str(self.directory / "iceberg"),
            # Other processes write to the same tables.
            "spark.sql.catalog.spark_catalog.cache-enabled": "false",
        }


class IcebergDatabase(SparkDatabase):
    """The schemas `shop` and `raw`, with Iceberg tables."""

    model_config: Mapping[str, object] = {"+file_format": "iceberg"}
    server: IcebergSpark

    @property
    def credentials(self) -> dict[str, object]:
        return {**super().credentials, "server_side_parameters": self.server.settings}

    def clear(self) -> None:
        for name in (self.schema, "raw"):
            self.execute(f"drop schema if exists {name} cascade", {})
            shutil.rmtree(self.server.directory / "iceberg" / name, ignore_errors=True)
            self.execute(f"create schema {name}", {})

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        cells = {f"c{n}": cells_of([row.get(name) for row in rows]) for n, name in enumerate(columns)}
        chosen = [
            f"cast(c{n} as {spark_type(kind)}) as {backticked(name)}"
            for n, (name, kind) in enumerate(columns.items())
        ]
        given = self.server.directory / "given.parquet"
        pq.write_table(pa.table(cells), given)
        # Read dates before 1582 as they are. By default Spark suspects another calendar.
        reader = self.server.session().read.option("datetimeRebaseMode", "CORRECTED")
        frame = reader.parquet(str(given)).selectExpr(*chosen)
        frame.writeTo(self.source(table)).using("iceberg").createOrReplace()

    def has_table(self, name: str) -> bool:
        return (self.server.directory / "iceberg" / self.schema / name).is_dir()


def _jars(package: str, *names: str) -> list[Path]:
    import importlib

    directory = Path(str(importlib.import_module(package).__file__)).parent / "jars"
    found = [path for name in names for path in directory.glob(f"{name}.jar")]
    assert len(found) == len(names), f"{directory} doesn't contain exactly one of each of {', '.join(names)}"
    return found


def _relocate(jars: Sequence[Path], target: Path) -> None:
    """Create the relocated Jackson classes that Iceberg's runtime needs, and that its package lacks."""
    with zipfile.ZipFile(target, "w") as out:
        for jar in jars:
            with zipfile.ZipFile(jar) as held:
                for name in held.namelist():
                    if name.startswith(_JACKSON) and name.endswith(".class"):
                        out.writestr(_SHADED + name.removeprefix(_JACKSON), _renamed(held.read(name)))


def _renamed(compiled: bytes) -> bytes:
    """Rename the package in a class's constants, in paths and dotted names."""
    source = io.BytesIO(compiled)
    parts = [source.read(8), count := source.read(2)]
    left = int.from_bytes(count, "big") - 1
    while left > 0:
        parts.append(tag := source.read(1))
        left -= 2 if tag[0] in (_LONG, _DOUBLE) else 1
        if tag[0] != _UTF8:
            parts.append(source.read(_SIZES[tag[0]]))
            continue
        text = source.read(int.from_bytes(source.read(2), "big"))
        for path, shaded in ((_JACKSON, _SHADED), (_JACKSON.replace("/", "."), _SHADED.replace("/", "."))):
            text = text.replace(path.encode(), shaded.encode())
        parts += [struct.pack(">H", len(text)), text]
    return b"".join([*parts, source.read()])
