"""Traces, metrics, logs and the feedback store of the service."""

from serve.telemetry.otel import InstrumentedModel, Telemetry

__all__ = ["InstrumentedModel", "Telemetry"]
