"""Spark 4 with its default tables, which support neither MERGE nor UPDATE nor DELETE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.databases import Row
from harness.local_spark import LocalSpark
from harness.spark import SparkDatabase, backticked, spark_type


class ParquetDatabase(SparkDatabase):
    """The schemas `shop` and `raw`, with parquet tables. Models use the server's default format."""

    model_config: Mapping[str, object] = {}
    server: LocalSpark

    @property
    def credentials(self) -> dict[str, object]:
        return {**super().credentials, "server_side_parameters": self.server.settings}

    def clear(self) -> None:
        for name in (self.schema, "raw"):
            self.execute(f"drop schema if exists {name} cascade", {})
            self.execute(f"create schema {name}", {})

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        schema = ", ".join(f"{backticked(name)} {spark_type(kind)}" for name, kind in columns.items())
        cells = [tuple(row.get(name) for name in columns) for row in rows]
        self.server.session().createDataFrame(cells, schema).write.mode("overwrite").saveAsTable(
            self.source(table)
        )
