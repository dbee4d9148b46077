"""Ids of requests that can be recognised as this service's own: 20 random hexadecimal digits and 12 of an HMAC.

    ids = RequestIds(secret);  ids.issued(ids.new("/infer"))

A verdict must name an answer that was given; with the HMAC that is checked without a table of all answers. 48 bits
cannot be guessed at a rate of some dozens a minute. The id of a request to a route without answers is no answer's.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from pathlib import Path

log = logging.getLogger(__name__)

ANSWERS = frozenset(("/infer", "/ask", "/mcp"))  # whose replies are answers
_RANDOM, _TAG = 20, 12  # hexadecimal digits


class RequestIds:
    """Issues ids and recognises them, in any process with the same secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def new(self, path: str) -> str:
        """An id for a request to `path`."""
        random = secrets.token_hex(_RANDOM // 2)
        return random + self._tag(random, path in ANSWERS)

    def issued(self, request_id: str) -> bool:
        """Whether this is the id of a request for an answer."""
        return hmac.compare_digest(request_id[_RANDOM:].encode(), self._tag(request_id[:_RANDOM], True).encode())

    def _tag(self, random: str, answer: bool) -> str:
        kind = b"answer:" if answer else b"other:"
        return hmac.new(self._secret, kind + random.encode(), hashlib.sha256).hexdigest()[:_TAG]


def secret_of(given: str | None, file: Path) -> bytes:
    """The secret that was given, or else that of `file`, which is created; in memory only where it cannot be."""
    if given:
        return given.encode()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            part = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(secrets.token_hex(32).encode())
            try:
                os.link(part, file)  # of several processes that start at once the first one wins
            except FileExistsError:
                pass
            finally:
                part.unlink()
        if len(secret := file.read_bytes()) >= 32:
            return secret
        log.warning("%s holds no secret: delete it, and another one is made", file)
    except OSError as error:
        log.warning("answers of before a restart cannot be judged: no %s (%s)", file, error.strerror)
    return secrets.token_bytes(32)
