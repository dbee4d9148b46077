"""Traces, metrics and logs as they arrive at a collector, a small HTTP server that decodes them.

The service runs as another process, since OpenTelemetry's global tracer can be set only once in a process.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serve.process import ServiceProcess
from tests.conftest import Launch

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector:
    """Implements OTLP over HTTP as far as exporters need it, and keeps what they send."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.metrics: set[str] = set()
        self.logs: list[Any] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(self.path, body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, path: str, body: bytes) -> None:
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        elif path == "/v1/metrics":
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics |= {metric.name for scope in resource.scope_metrics for metric in scope.metrics}
        elif path == "/v1/logs":
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
                self.logs += [record for scope in resource.scope_logs for record in scope.log_records]


@pytest.fixture(scope="module")
def collected(launch: Launch, random_model: Path) -> Iterator[tuple[Collector, ServiceProcess, dict[str, Any]]]:
    """A collector that has received all of a service that answered one question of a known trace and was stopped."""
    collector = Collector()
    service = launch(MODEL_PATH=random_model, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    service.wait_ready()
    with service.client(headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}) as client:
        reply = client.post("/infer", json={"question": "How many sixes did Kohli hit?"}).json()
    assert service.stop() == 0
    yield collector, service, reply
    collector.server.shutdown()
    collector.server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


def test_a_question_is_one_trace_with_a_span_for_each_step_and_model_stage(collected: Any) -> None:
    collector, _, reply = collected
    spans = [span for span in collector.spans if span.trace_id.hex() == TRACE]
    names = [span.name for span in spans]
    assert {"POST /infer", "link", "plan", "chat stand-in", "queue", "prefill", "decode"} <= set(names), names
    if reply["outcome"] == "answered":
        assert {"retrieve", "answer"} <= set(names)
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        if span.name == "decode":
            assert by_id[span.parent_span_id].name == "chat stand-in"
            assert span.start_time_unix_nano <= span.end_time_unix_nano
        if span.name == "plan":
            assert by_id[span.parent_span_id].name == "POST /infer"


def test_model_spans_have_the_genai_attributes_with_token_counts_and_no_texts(collected: Any) -> None:
    collector, _, _ = collected
    call = next(attributes(s) for s in collector.spans if s.name == "chat stand-in" and s.trace_id.hex() == TRACE)
    assert call["gen_ai.operation.name"] == "chat" and call["gen_ai.provider.name"] == "llama_cpp"
    assert call["gen_ai.request.model"] == "stand-in" and call["gen_ai.usage.input_tokens"] > 0
    assert {"gen_ai.usage.output_tokens", "gen_ai.request.max_tokens", "cricket.cached_tokens"} <= set(call)
    everything = repr([attributes(s) for s in collector.spans]) + repr(collector.logs)
    assert "sixes did Kohli" not in everything and "gen_ai.input.messages" not in everything


def test_metrics_and_logs_arrive_at_the_collector(collected: Any) -> None:
    collector, _, _ = collected
    wanted = {"gen_ai.server.request.duration", "gen_ai.server.time_to_first_token", "http.server.request.duration"}
    assert wanted | {"cricket.answers", "gen_ai.client.token.usage"} <= collector.metrics
    assert any(record.trace_id.hex() == TRACE for record in collector.logs)


def test_log_lines_have_the_trace_id_of_their_request(collected: Any) -> None:
    _, service, reply = collected
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    line = next(line for line in lines if line.get("request_id") == reply["request_id"])
    assert line["trace_id"] == TRACE


def test_one_reader_serves_scrapes_and_a_collector_even_if_exports_fail(monkeypatch) -> None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
    from prometheus_client import CollectorRegistry, generate_latest

    from serve.telemetry.metric_reader import ScrapedAndPushed

    class Exporter(MetricExporter):
        pushed = 0

        def export(self, metrics_data: Any, timeout_millis: float = 10_000, **_: Any) -> Any:
            self.pushed += 1
            if self.pushed == 1:
                raise ConnectionError("the collector is away")
            assert "asked" in metrics_data.to_json()
            return MetricExportResult.SUCCESS

        def force_flush(self, timeout_millis: float = 10_000) -> bool:
            return True

        def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
            self.closed = True

    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
    exporter, registry = Exporter(), CollectorRegistry()
    meters = MeterProvider([ScrapedAndPushed(exporter, registry=registry)])
    meters.get_meter("test").create_counter("asked").add(3)
    until = time.monotonic() + 10
    while exporter.pushed < 3 and time.monotonic() < until:
        time.sleep(0.01)
    for _ in range(2):  # a scrape has the total once, no matter how often it was pushed
        assert generate_latest(registry).decode().count("asked_total{") == 1
    pushed = exporter.pushed
    assert pushed >= 3
    meters.shutdown()
    assert exporter.closed and exporter.pushed > pushed, "the rest is pushed at shutdown"
