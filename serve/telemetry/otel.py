"""Traces and metrics: OpenTelemetry with the GenAI names, text for GET /metrics, OTLP where configured.

    telemetry = Telemetry(Settings());  model = InstrumentedModel(LocalModel(engine), "name", "llama_cpp", telemetry)

The GenAI conventions are still in development, so their strings are kept here, in one place. Texts of questions and
answers are recorded only where LOG_TEXTS is set. FastAPI's own telemetry measures the HTTP routes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, Status, StatusCode
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from agents.messages import Reply
from agents.model import Generation, TextModel
from serve.engine.engine import Engine
from serve.settings import Settings
from serve.telemetry.metric_reader import ScrapedAndPushed

OPERATION, PROVIDER, REQUEST_MODEL = "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"
INPUT_TOKENS, OUTPUT_TOKENS = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
FINISH, MAX_TOKENS, TEMPERATURE = (
    "gen_ai.response.finish_reasons",
    "gen_ai.request.max_tokens",
    "gen_ai.request.temperature",
)
CLOSE_S = 4.0
_SECONDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60]
_PER_TOKEN = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]


class Telemetry:
    """The instruments. Each object has its own registry, so that several apps can run in one process (in tests)."""

    def __init__(self, settings: Settings) -> None:
        self.texts: bool = settings.log_texts
        resource = Resource.create({"service.name": "cricket-inference"})  # OTEL_SERVICE_NAME takes precedence
        endpoint = settings.otel_exporter_otlp_endpoint
        self.registry = CollectorRegistry()
        scraped: dict[str, Any] = {"disable_target_info": True, "scope_info_enabled": False, "registry": self.registry}
        # Without a collector no span is recorded, but requests still get trace ids for the log.
        # With one, OTEL_TRACES_SAMPLER says which share is recorded (all by default).
        self.tracers = TracerProvider(sampler=None if endpoint else ALWAYS_OFF, resource=resource)
        self._closers: list[Callable[[], Any]] = [self.tracers.shutdown]
        reader: PrometheusMetricReader
        if endpoint:
            reader = self._export(endpoint.rstrip("/"), resource, scraped)
        else:
            reader = PrometheusMetricReader(**scraped)
        self.meters = MeterProvider([reader], resource, exemplar_filter=AlwaysOffExemplarFilter())
        self._closers.append(self.meters.shutdown)
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(self.tracers)  # the agents' spans
        self.tracer = self.tracers.get_tracer("cricket.serve")
        meter = self.meters.get_meter("cricket.serve")

        def seconds(name: str, description: str, bounds: list[float] = _SECONDS) -> Any:
            return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=bounds)

        self.duration = seconds("gen_ai.server.request.duration", "A model call from submission to its last token.")
        self.first_token = seconds("gen_ai.server.time_to_first_token", "Queueing and prefill of a model call.")
        self.per_token = seconds(
            "gen_ai.server.time_per_output_token", "Decoding, for each token after the first.", _PER_TOKEN
        )
        self.tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of a model call.",
            explicit_bucket_boundaries_advisory=[4, 16, 64, 256, 1024, 4096],
        )
        self.part = seconds(
            "cricket.infer.part", "Time of a question by step: queue, link, plan, retrieve, answer, total."
        )
        self.answers = meter.create_counter(
            "cricket.answers", description="Questions by outcome, reason and wording (by the model, plain or a file)."
        )
        self.feedback = meter.create_counter("cricket.feedback", description="Judgements by verdict.")

    def _export(self, endpoint: str, resource: Resource, scraped: dict[str, Any]) -> ScrapedAndPushed:
        """Send traces and logs to the collector; returns the reader that does so for metrics too."""
        import logging

        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self.tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
        loggers = LoggerProvider(resource)
        loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{endpoint}/v1/logs")))
        logging.getLogger().addHandler(LoggingHandler(logger_provider=loggers))
        self._closers.append(loggers.shutdown)
        return ScrapedAndPushed(OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics"), **scraped)

    def watch_engine(self, engine: Callable[[], Engine | None]) -> None:
        """Expose engine totals, under llama-server's names where it has them, since dashboards use those."""
        self.registry.register(_EngineCollector(engine))

    def answered(self, reply: Reply) -> None:
        """Count a reply and its time by part."""
        self.answers.add(1, {"outcome": reply.outcome, "reason": reply.reason or "", "worded_by": reply.worded_by})
        for name, milliseconds in reply.latency_ms.items():
            self.part.record(milliseconds / 1000, {"part": name})

    def prometheus(self) -> tuple[bytes, str]:
        """The text of GET /metrics and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4

    def close(self) -> None:
        """Send what is left, for at most CLOSE_S: a collector that does not answer is not waited for."""
        threads = [threading.Thread(target=close, name="telemetry", daemon=True) for close in self._closers]
        for thread in threads:
            thread.start()
        until = time.monotonic() + CLOSE_S
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))


class InstrumentedModel:
    """A TextModel whose calls are recorded as spans and metrics. `measure` records any other call of the model."""

    def __init__(self, model: TextModel, name: str, provider: str, telemetry: Telemetry) -> None:
        self.model: TextModel = model
        self.name: str = name
        self.telemetry: Telemetry = telemetry
        self._attributes: dict[str, str] = {OPERATION: "chat", PROVIDER: provider, REQUEST_MODEL: name}

    async def generate(self, messages: list[dict[str, str]], **settings: Any) -> Generation:
        with self.telemetry.tracer.start_as_current_span(f"chat {self.name}", kind=SpanKind.CLIENT) as span:
            if self.telemetry.texts and span.is_recording():
                span.set_attribute("gen_ai.input.messages", "\n".join(m["content"] for m in messages))
            span.set_attribute(MAX_TOKENS, settings.get("max_tokens", 128))
            span.set_attribute(TEMPERATURE, settings.get("temperature", 0.0))
            return await self._measured(span, self.model.generate(messages, **settings))

    async def measure(self, call: Awaitable[Generation]) -> Generation:
        """Await a call of the model, recorded as a span and in the metrics."""
        with self.telemetry.tracer.start_as_current_span(f"chat {self.name}", kind=SpanKind.CLIENT) as span:
            return await self._measured(span, call)

    async def _measured(self, span: trace.Span, call: Awaitable[Generation]) -> Generation:
        began, began_ns = time.monotonic(), time.time_ns()
        try:
            generation = await call
        except BaseException as error:
            kind = {"error.type": type(error).__name__}
            self.telemetry.duration.record(time.monotonic() - began, self._attributes | kind)
            span.set_attributes(kind)
            span.set_status(Status(StatusCode.ERROR))
            raise
        telemetry, attributes = self.telemetry, self._attributes
        telemetry.duration.record(time.monotonic() - began, attributes)
        telemetry.first_token.record((generation.queued_ms + generation.prefill_ms) / 1000, attributes)
        if generation.completion_tokens > 1:
            per_token = generation.decode_ms / 1000 / (generation.completion_tokens - 1)
            telemetry.per_token.record(per_token, attributes)
        telemetry.tokens.record(generation.prompt_tokens, attributes | {"gen_ai.token.type": "input"})
        telemetry.tokens.record(generation.completion_tokens, attributes | {"gen_ai.token.type": "output"})
        if span.is_recording():
            self._describe(span, generation, began_ns)
        return generation

    def _describe(self, span: trace.Span, generation: Generation, began_ns: int) -> None:
        """Attributes of the call's span, and a span for each stage, placed by the times that the engine measured."""
        span.set_attributes(
            {
                **self._attributes,
                INPUT_TOKENS: generation.prompt_tokens,
                OUTPUT_TOKENS: generation.completion_tokens,
                FINISH: [generation.finish_reason],
                **{
                    f"cricket.{kind}_tokens": getattr(generation, f"{kind}_tokens")
                    for kind in ("cached", "forced", "drafted", "accepted")
                },
            }
        )
        if self.telemetry.texts:
            span.set_attribute("gen_ai.output.messages", generation.text)
        at = began_ns
        stages: Iterable[tuple[str, float, dict[str, int]]] = (
            ("queue", generation.queued_ms, {}),
            (
                "prefill",
                generation.prefill_ms,
                {"tokens": generation.prompt_tokens, "cached_tokens": generation.cached_tokens},
            ),
            (
                "decode",
                generation.decode_ms,
                {"tokens": generation.completion_tokens, "forced_tokens": generation.forced_tokens},
            ),
        )
        for name, milliseconds, figures in stages:
            end = at + int(milliseconds * 1e6)
            child = self.telemetry.tracer.start_span(
                name, start_time=at, attributes={f"cricket.{k}": v for k, v in figures.items()}
            )
            child.end(end)
            at = end


class _EngineCollector:
    """Reads the engine's health at each scrape."""

    def __init__(self, engine: Callable[[], Engine | None]) -> None:
        self._engine = engine

    def collect(self) -> Iterable[Metric]:
        engine = self._engine()
        if engine is None:
            return
        health = engine.health()
        totals = health.totals
        for name, what, value in (
            ("llamacpp:requests_processing", "Requests in a slot.", health.running),
            ("llamacpp:requests_deferred", "Requests waiting for a slot.", health.waiting),
            (
                "llamacpp:kv_cache_usage_ratio",
                "Share of the KV cells in use, also by a request that has ended while no other runs.",
                health.used_cells / max(1, health.n_cells),
            ),
            ("cricket_gpu_layers_offloaded", "Layers of the model on a GPU.", engine.runner.gpu_layers),
            ("cricket_gpu_layers_wanted", "Layers that N_GPU_LAYERS asks for.", engine.runner.gpu_layers_wanted),
            ("cricket_engine_busy_seconds", "Time inside engine steps since the start.", totals.busy_s),
            ("cricket_engine_native_seconds", "Time inside llama.cpp during engine steps.", totals.native_s),
        ):
            yield GaugeMetricFamily(name, what, value)
        for name, what, count in (
            ("llamacpp:prompt_tokens", "Prompt tokens, cached ones included.", totals.prompt_tokens),
            ("llamacpp:tokens_predicted", "Tokens generated.", totals.completion_tokens),
            ("cricket_engine_requests", "Requests ended, in whatever way.", totals.requests),
            ("cricket_engine_failed", "Requests that failed with an error.", totals.failed),
            (
                "cricket_engine_cancelled",
                "Requests cancelled, mostly because their client disconnected.",
                totals.cancelled,
            ),
            ("cricket_engine_overdue", "Requests ended by their deadline.", totals.overdue),
            (
                "cricket_engine_cached_tokens",
                "Prompt tokens taken from the prefix cache.",
                totals.cached_tokens,
            ),
            (
                "cricket_engine_prefixes_evicted",
                "Prefixes evicted from the prefix cache.",
                health.cache.evicted,
            ),
            ("cricket_engine_forced_tokens", "Tokens forced by a grammar, without a model step.", totals.forced_tokens),
            ("cricket_engine_drafted_tokens", "Tokens drafted by prompt look-up.", totals.drafted_tokens),
            ("cricket_engine_accepted_tokens", "Drafted tokens that were accepted.", totals.accepted_tokens),
        ):
            yield CounterMetricFamily(name, what, count)
