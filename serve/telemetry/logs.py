"""The log: one JSON object a line on standard output.

Fields: time, level, logger, message, trace_id and span_id where there is a trace, all that is passed as `extra`, and
`error` with the stack trace of an exception (which is never part of a reply).

Lines are written by a thread of their own: a reader of standard output that has stopped reading delays no request. What
does not fit into the queue is dropped and counted.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import queue
import sys
import threading
import time

from opentelemetry import trace

from convert.hub import without_token

MOST_QUEUED = 10_000  # lines, of some 600 bytes each
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


class QueuedHandler(logging.Handler):
    """Writes lines to a file descriptor from a thread. `flush_within` waits for what is queued."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        # Not queue.Queue: a signal handler logs too, maybe while the thread that it interrupts holds the queue's lock.
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._dropped = 0
        self._written = threading.Event()
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:
            return self.handleError(record)
        if self._lines.qsize() >= MOST_QUEUED:
            self._dropped += 1
        else:
            self._written.clear()
            self._lines.put(line)

    def flush_within(self, seconds: float) -> None:
        """Wait until everything is written, at most so long."""
        until = time.monotonic() + seconds
        while not (self._lines.empty() and self._written.is_set()) and time.monotonic() < until:
            self._written.wait(0.01)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            self._write_all(line + "\n")
            if self._dropped and self._lines.qsize() < MOST_QUEUED // 2:
                count, self._dropped = self._dropped, 0
                record = logging.makeLogRecord(
                    {
                        "name": __name__,
                        "levelname": "WARNING",
                        "msg": "%d lines of the log were dropped: nobody read it",
                    }
                )
                record.args = (count,)
                self._write_all(self.format(record) + "\n")
            if self._lines.empty():
                self._written.set()

    def _write_all(self, text: str) -> None:
        rest = text.encode("utf-8", "replace")
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:  # the reader has closed it
            pass


def flush(seconds: float) -> None:
    """Wait until the log is written, at most so long."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, QueuedHandler):
            handler.flush_within(seconds)


def configure(level: str) -> None:
    """Send every logger to standard output as JSON, uvicorn's too but for its requests: serve.api logs those."""
    logging.raiseExceptions = False  # no traceback where the reader of standard output has closed it
    sys.stdout.flush()
    handler = QueuedHandler(sys.stdout.fileno())
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
