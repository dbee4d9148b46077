"""API keys, rate limits and security headers. SECURITY.md has the threat model.

Keys are compared in constant time. Where no keys are set, a client's rate is counted by its address.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict

from fastapi import Request

from serve.api.problems import Problem
from serve.local_model import OWNER
from serve.settings import Settings

HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)
_NOTHING = "default-src 'none'; frame-ancestors 'none'"
_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MAX_CLIENTS = 10_000  # whose rate is kept; the one not seen for longest is dropped


def page_headers(path: str) -> tuple[tuple[str, str], ...]:
    """Content security policy and caching of a path: the page and /docs may load their own files, others nothing."""
    if path in ("/", "/docs") or path.startswith("/page/"):
        return (("Content-Security-Policy", _PAGE), ("Cache-Control", "no-cache"))
    return (("Content-Security-Policy", _NOTHING), ("Cache-Control", "no-store"))


class AccessControl:
    """Checks the key and the rate of a request; a FastAPI dependency. Raises Problem 401 or 429.

    `request.state.owner` is then the hash of the key in hexadecimal digits, empty where no keys are set.
    """

    def __init__(self, settings: Settings) -> None:
        self._keys = [hashlib.sha256(key.encode()).digest() for key in settings.keys()]
        self._per_minute = settings.rate_limit_per_minute
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # client -> (tokens left, at)

    async def __call__(self, request: Request) -> None:
        client = self._client(request)
        request.state.owner = client.hex() if self._keys else ""
        OWNER.set(request.state.owner)  # for the route's tasks, which copy the context
        if self._per_minute:
            self._take(client)

    def _client(self, request: Request) -> bytes:
        if not self._keys:
            return (request.client.host if request.client else "-").encode()
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
        digest = hashlib.sha256(given.encode()).digest()
        # All keys are compared, so that the time taken reveals nothing about any of them.
        if not any([hmac.compare_digest(digest, key) for key in self._keys]):
            raise Problem(401, "no-key", "this service needs an API key: send `Authorization: Bearer <key>`")
        return digest

    def _take(self, client: bytes) -> None:
        """Take one token out of the client's bucket, which fills up within a minute."""
        now, full = time.monotonic(), float(self._per_minute)
        left, at = self._buckets.pop(client, (full, now))
        left = min(full, left + (now - at) * full / 60)
        self._buckets[client] = (max(0.0, left - 1), now) if left >= 1 else (left, now)
        while len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        if left < 1:
            raise Problem(
                429,
                "rate-limit",
                f"more than {self._per_minute} requests in a minute: wait for the time in Retry-After",
                (1 - left) * 60 / full,
            )
