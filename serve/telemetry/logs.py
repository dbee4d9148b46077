"""The log: one JSON object a line on standard output. Knows nothing about what is logged.

Fields: time, level, logger, message, trace_id and span_id where there is a trace, whatever is passed as
`extra`, and `error` with the stack trace of an exception (which goes to the log only, never into a reply).
"""

from __future__ import annotations

import datetime
import json
import logging
import logging.config
import sys

from opentelemetry import trace

from convert.hub import without_token

_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, tokens blotted out."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        line = {
            "time": time,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"], line["span_id"] = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        line |= {key: value for key, value in vars(record).items() if key not in _OWN and not key.startswith("color_")}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return without_token(json.dumps(line, ensure_ascii=False, default=str))


def configure(level: str) -> None:
    """Send every logger, uvicorn's included, to standard output as JSON. Requests: serve.api.middleware alone."""
    logging.raiseExceptions = False  # whoever read our log may be gone: that is no reason for tracebacks
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("httpx", "httpx2", "httpcore", "httpcore2", "urllib3", "opentelemetry"):
        logging.getLogger(name).setLevel("WARNING")
