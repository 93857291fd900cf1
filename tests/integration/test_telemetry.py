"""Spans and metrics: what a collector receives of a push, and that failures never harm the push. Uses a real
exporter.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from harness.project import Project
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MAPPING: dict[str, object] = {"identifier": "id", "custom": ["name"]}
SECRET = "Grace-qwxz"
SETTINGS = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_SERVICE_NAME": "dbt-batch-sync"}


@dataclass
class Collector:
    """A server that receives exported data."""

    url: str = ""
    bodies: dict[str, list[bytes]] = field(default_factory=dict)

    def spans(self) -> list[Any]:
        found = [ExportTraceServiceRequest.FromString(body) for body in self.bodies.get("/v1/traces", [])]
        return [
            span
            for each in found
            for resource in each.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def services(self) -> set[str]:
        found = [ExportTraceServiceRequest.FromString(body) for body in self.bodies.get("/v1/traces", [])]
        return {
            pair.value.string_value
            for each in found
            for resource in each.resource_spans
            for pair in resource.resource.attributes
            if pair.key == "service.name"
        }

    def counted(self) -> dict[str, float]:
        """Sums by name, and the number of values in each histogram."""
        found = [ExportMetricsServiceRequest.FromString(body) for body in self.bodies.get("/v1/metrics", [])]
        return {
            metric.name: sum(point.as_int for point in metric.sum.data_points)
            or sum(point.count for point in metric.histogram.data_points)
            for each in found
            for resource in each.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def collector() -> Iterator[Collector]:
    state = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.bodies.setdefault(self.path, []).append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep standard error clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def values(span: Any) -> dict[str, Any]:
    """The attributes of a span."""
    return {
        pair.key.removeprefix("dbt_batch_sync."): getattr(pair.value, pair.value.WhichOneof("value"))
        for pair in span.attributes
    }


def ready(project: Project) -> None:
    project.map(MAPPING)
    rows = [{"id": "a", "name": SECRET}, {"id": "b", "name": "Ada"}, {"id": "", "name": "nobody"}]
    project.set_rows({"id": "varchar", "name": "varchar"}, rows)
    project.build()


def instrumented(
    project: Project, *arguments: str, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run the command line under `opentelemetry-instrument`, as documented."""
    scripts = Path(sys.executable).parent
    return subprocess.run(
        [scripts / "opentelemetry-instrument", scripts / "dbt-batch-sync", *arguments],
        cwd=project.directory,
        env={**project.environ, **SETTINGS, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_collector_receives_spans_and_counts(project: Project, collector: Collector) -> None:
    ready(project)
    done = instrumented(project, "push", "--json", env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
    assert done.returncode == 3, done.stderr
    (told,) = json.loads(done.stdout)["syncs"]
    spans = {span.name.removeprefix("dbt_batch_sync."): span for span in collector.spans()}
    assert set(spans) == {"push", "sync"}
    assert spans["sync"].parent_span_id == spans["push"].span_id
    assert values(spans["push"])["status"] == "partial"
    sync = values(spans["sync"])
    phases = [sync.pop(f"{phase}_seconds") for phase in ("reading", "rendering", "sending", "recording")]
    assert 0 < sum(phases) <= sync["seconds"] + 0.01
    assert sync == {**{key: cell for key, cell in told.items() if cell is not None}, "unsure": 0}
    assert collector.services() == {"dbt-batch-sync"}
    expected = {"sent": 2, "accepted": 2, "invalid": 1, "requests": told["requests"], "duration": 1}
    counted = {name.removeprefix("dbt_batch_sync."): count for name, count in collector.counted().items()}
    assert {name: count for name, count in counted.items() if count} == expected
    everything = b"".join(body for bodies in collector.bodies.values() for body in bodies)
    assert SECRET.encode() not in everything
    assert b"Ada" not in everything


def test_app_keys_are_not_exported(project: Project, collector: Collector) -> None:
    """They are part of a request's path, which `requests` instrumentation would record."""
    project.outputs(sandbox={"only_from": ["dev"], "app_keys": ["sandbox_app"]})
    project.map({"kind": "deletions", "identifier": "id", "confirm": "erase"})
    project.set_rows({"id": "varchar"}, [{"id": "a"}])
    project.build()
    done = instrumented(project, "push", env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
    assert done.returncode == 0, done.stderr
    assert [each.custom_id for each in project.sandbox.deletions] == ["a"]
    everything = b"".join(body for bodies in collector.bodies.values() for body in bodies)
    assert b"dbt_batch_sync.sync" in everything
    assert b"sandbox_app" not in everything


def test_a_failed_push_is_a_failed_span(project: Project, collector: Collector) -> None:
    ready(project)
    project.map({**MAPPING, "guards": {"min_rows": 10}})
    project.build()
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "crm"}
    done = instrumented(project, "push", "--json", env=env)
    assert done.returncode == 1
    failed = {span.name: span.status for span in collector.spans()}
    assert {status.code for status in failed.values()} == {2}
    assert "min_rows" in failed["dbt_batch_sync.sync"].message
    assert collector.services() == {"crm"}


def test_a_dry_run_counts_nothing(project: Project, collector: Collector) -> None:
    ready(project)
    done = instrumented(
        project, "push", "--dry-run", "--json", env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    )
    assert done.returncode == 3
    assert values({span.name: span for span in collector.spans()}["dbt_batch_sync.push"])["dry_run"] is True
    assert set(collector.counted()) == {"dbt_batch_sync.duration"}


def test_an_unreachable_collector_does_not_fail_the_push(project: Project) -> None:
    ready(project)
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    done = instrumented(project, "push", "--json", env=env)
    assert done.returncode == 3
    assert json.loads(done.stdout)["syncs"][0]["accepted"] == 2
    assert "export" in done.stderr  # refused or timed out, depending on the exporter's message


def test_opentelemetry_is_imported_only_when_enabled(project: Project) -> None:
    ready(project)
    done = project.cli(
        "push", "--json", env={"PYTHONPROFILEIMPORTTIME": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}
    )
    assert done.returncode == 3
    assert "dbt_batch_sync.telemetry" in done.stderr
    assert "opentelemetry" not in done.stderr.replace("dbt_batch_sync.telemetry", "")
