"""One aggregation of the metrics for two consumers: a scrape of /metrics and an OTLP collector.

Two readers of OpenTelemetry's own would aggregate every metric twice, which was the larger half of telemetry's cost.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import MetricExporter

log = logging.getLogger(__name__)


class ScrapedAndPushed(PrometheusMetricReader):
    """A Prometheus reader that also pushes, every OTEL_METRIC_EXPORT_INTERVAL ms (60,000) and at shutdown."""

    def __init__(self, exporter: MetricExporter, **options: Any) -> None:
        super().__init__(**options)
        self._exporter = exporter
        self._interval_s = float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL") or 60_000) / 1000
        self._stop = threading.Event()
        self._pusher = threading.Thread(target=self._push, name="metrics", daemon=True)
        self._pusher.start()

    def _push(self) -> None:
        stopped = False
        while not stopped:
            stopped = self._stop.wait(self._interval_s)
            token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # pushing is not itself measured
            try:
                self.collect()
            except Exception as error:  # a collector that fails must not stop the service
                log.warning("metrics were not exported: %r", error)
            finally:
                detach(token)

    def _receive_metrics(self, metrics_data: Any, timeout_millis: float = 10_000, **options: Any) -> None:
        """Export what the pushing thread collects; leave what a scrape collects to the scrape."""
        if threading.current_thread() is not self._pusher:
            super()._receive_metrics(metrics_data, timeout_millis, **options)
        elif metrics_data is not None:
            self._exporter.export(metrics_data, timeout_millis=timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **options: Any) -> None:
        self._stop.set()
        self._pusher.join(timeout_millis / 1000)
        self._exporter.shutdown(timeout_millis)
        super().shutdown(timeout_millis, **options)
