"""Traces, metrics, logs and feedback of the service."""

from serve.telemetry.otel import InstrumentedModel, Telemetry

__all__ = ["InstrumentedModel", "Telemetry"]
