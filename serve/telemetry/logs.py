"""The log: one JSON object a line on standard output.

Fields: time, level, logger, message, trace_id and span_id where there is a trace, all that is passed as `extra`, and
`error` with the stack trace of an exception (which is never part of a reply).
"""

from __future__ import annotations

import datetime
import json
import logging
import logging.config
import sys

from opentelemetry import trace

from convert.hub import without_token

_RECORD_FIELDS = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, tokens redacted."""

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
        line |= {
            key: value
            for key, value in vars(record).items()
            if key not in _RECORD_FIELDS and not key.startswith("color_")
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return without_token(json.dumps(line, ensure_ascii=False, default=str))


def configure(level: str) -> None:
    """Send every logger to standard output as JSON, uvicorn's too but for its requests: serve.api logs those."""
    logging.raiseExceptions = False  # no traceback where the reader of standard output has closed it
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
