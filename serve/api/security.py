"""API keys, reviewers, rate limits, host names and security headers. SECURITY.md has the threat model.

Keys are compared in constant time. Where no keys are set, a client's rate is counted by its address.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import time
from collections import OrderedDict
from dataclasses import dataclass

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
WRONG_KEYS_PER_MINUTE = 30  # of one address; its requests with a valid key are not affected
MAX_CLIENTS = 10_000  # whose rate is kept; the one not seen for longest is dropped


def page_headers(path: str) -> tuple[tuple[str, str], ...]:
    """Content security policy and caching of a path: the page and /docs may load their own files, others nothing."""
    if path in ("/", "/docs") or path.startswith("/page/"):
        return (("Content-Security-Policy", _PAGE), ("Cache-Control", "no-cache"))
    return (("Content-Security-Policy", _NOTHING), ("Cache-Control", "no-store"))


@dataclass(frozen=True)
class Caller:
    """Who sent a request: a mark of the key, or the address without keys. `reviewer`: of a reviewer's key."""

    mark: bytes
    reviewer: str | None = None


class RateLimit:
    """Requests a minute of each of up to MAX_CLIENTS clients; 0: unlimited."""

    def __init__(self, per_minute: int, what: str = "requests") -> None:
        self._per_minute, self._what = per_minute, what
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # client -> (tokens left, at)

    def take(self, client: bytes) -> None:
        """Take one token out of the client's bucket, which fills up within a minute. Raises Problem 429."""
        if not self._per_minute:
            return
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
                f"more than {self._per_minute} {self._what} in a minute: wait for the time in Retry-After",
                (1 - left) * 60 / full,
            )


class AccessControl:
    """Checks the key and the rate of a request; a FastAPI dependency, which puts the Caller at `scope["caller"]`.

    `request.state.owner` is then the hash of the key in hexadecimal digits, empty where no keys are set. Raises Problem
    401 or 429.
    """

    def __init__(self, settings: Settings) -> None:
        self._keys = [_digest(key) for key in settings.keys()]
        self._reviewers = [_digest(key) for key in settings.reviewers()]
        self._rate = RateLimit(settings.rate_limit_per_minute)
        self._wrong = RateLimit(WRONG_KEYS_PER_MINUTE, "requests without a valid key")

    async def __call__(self, request: Request) -> None:
        caller = request.scope["caller"] = self._caller(request)
        request.state.owner = caller.mark.hex() if self._keys else ""
        OWNER.set(request.state.owner)  # for the route's tasks, which copy the context
        self._rate.take(caller.mark)

    def _caller(self, request: Request) -> Caller:
        address = (request.client.host if request.client else "-").encode()
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
        digest = _digest(given)
        # All keys are compared, so that the time taken reveals nothing about any of them.
        known = any([hmac.compare_digest(digest, key) for key in self._keys])
        if any([hmac.compare_digest(digest, key) for key in self._reviewers]):
            return Caller(digest, digest.hex()[:12])
        if not self._keys:
            return Caller(address)
        if not known:
            self._wrong.take(address)
            raise Problem(401, "no-key", "this service needs an API key: send `Authorization: Bearer <key>`")
        return Caller(digest)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


class HostCheck:
    """Which host names a request may name.

    A page of another site whose name is made to resolve to this machine (DNS rebinding) sends that site's name. An IP
    address cannot be such a name.
    """

    def __init__(self, settings: Settings) -> None:
        self._patterns = settings.hosts() or (["localhost", "*.localhost"] if _is_local(settings.host) else ["*"])

    def admits(self, host: str | None) -> bool:
        """Whether the Host header of a request is admitted; port and case do not matter."""
        if "*" in self._patterns:
            return True
        name = re.sub(r":\d+$", "", (host or "").lower()).rstrip(".")
        return _is_address(name.strip("[]")) or any(
            name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:])) for pattern in self._patterns
        )


def _is_local(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
