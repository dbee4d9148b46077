"""The content-addressed store beside the test hub: as much of the Xet protocol as hf_xet 1.8 uses.

Files arrive as xorbs (chunks behind one another, each with a header of eight bytes) and shards, which say of which
chunks each file consists; they leave as a list of chunk ranges. Chunks are kept as they came, so that their content
can be read here only where they are not compressed: tests use random bytes.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import Any

_ROW = 48  # bytes of each record in a shard
_HAS_VERIFICATION, _HAS_SHA256 = 1 << 31, 1 << 30


@dataclass(frozen=True)
class Term:
    """Chunks `start` to `end` (exclusive) of a xorb, `length` bytes of a file."""

    xorb: str
    start: int
    end: int
    length: int


@dataclass
class XetStore:
    """What was uploaded; `requests` counts the calls by kind."""

    xorbs: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, list[Term]] = field(default_factory=dict)  # Xet hash -> its chunks
    by_sha256: dict[str, str] = field(default_factory=dict)  # sha256 -> Xet hash
    requests: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str) -> None:
        """Note a call."""
        self.requests[kind] = self.requests.get(kind, 0) + 1

    def add_shard(self, shard: bytes) -> None:
        """Take in the files that a shard describes."""
        at = _ROW  # behind the header
        while shard[at : at + 32] != b"\xff" * 32:
            name = _text(shard[at : at + 32])
            flags, count = struct.unpack_from("<II", shard, at + 32)
            at += _ROW
            terms = []
            for _ in range(count):
                _, length, start, end = struct.unpack_from("<IIII", shard, at + 32)
                terms.append(Term(_text(shard[at : at + 32]), start, end, length))
                at += _ROW
            at += count * _ROW if flags & _HAS_VERIFICATION else 0
            if flags & _HAS_SHA256:
                self.by_sha256[_text(shard[at : at + 32])] = name
                at += _ROW
            self.files[name] = terms

    def content(self, name: str) -> bytes:
        """The bytes of a file whose chunks are not compressed."""
        return b"".join(self._chunk(term.xorb, i) for term in self.files[name] for i in range(term.start, term.end))

    def reconstruction(self, name: str, url: str) -> dict[str, Any]:
        """Where the parts of a file are, in the protocol's form; xorbs are under `url`."""
        terms, ranges = [], {}
        for term in self.files[name]:
            chunks = {"start": term.start, "end": term.end}
            terms.append({"hash": term.xorb, "unpacked_length": term.length, "range": chunks})
            offsets = self._offsets(term.xorb)
            end = offsets[term.end] if term.end < len(offsets) else len(self.xorbs[term.xorb])
            where = {"start": offsets[term.start], "end": end - 1}
            ranges.setdefault(term.xorb, []).append({"range": chunks, "url": f"{url}/{term.xorb}", "url_range": where})
        return {"offset_into_first_range": 0, "terms": terms, "fetch_info": ranges}

    def _offsets(self, xorb: str) -> list[int]:
        """Where each chunk's header begins, and where the last chunk ends."""
        data, at, found = self.xorbs[xorb], 0, [0]
        while at + 8 <= len(data) and data[at] == 0:  # the version; a footer begins with letters
            at += 8 + int.from_bytes(data[at + 1 : at + 4], "little")
            found.append(at)
        return found

    def _chunk(self, xorb: str, index: int) -> bytes:
        at = self._offsets(xorb)[index]
        data = self.xorbs[xorb]
        size, compression = int.from_bytes(data[at + 1 : at + 4], "little"), data[at + 4]
        assert compression == 0, "this store reads uncompressed chunks only: send random bytes"
        return data[at + 8 : at + 8 + size]


def _text(digest: bytes) -> str:
    """A hash as the protocol writes it: four little-endian numbers of eight bytes in hexadecimal."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", digest))


class XetRoutes:
    """The handlers of Xet's routes, for the test hub's request handler."""

    hub: Any  # tests.support.hub_server.Hub

    def _xet_token_url(self, name: str, commit: str) -> str:
        return f"{self.hub.url}/api/models/{name}/xet-read-token/{commit}"

    def _store(self) -> XetStore:
        if self.hub.xet is None:
            self._refuse(404, "no such route")
        return self.hub.xet

    def _xet_token(self, _: bytes, name: str, kind: str, revision: str) -> None:
        self._store()
        if kind == "write":
            self._writer()
        self._repository(name)
        token, expiry = f"xet-{kind}", 4_000_000_000
        self._send(
            200,
            {"casUrl": f"{self.hub.url}/xet", "accessToken": token, "exp": expiry},
            X_Xet_Cas_Url=f"{self.hub.url}/xet",
            X_Xet_Access_Token=token,
            X_Xet_Token_Expiration=str(expiry),
        )

    def _xet_reconstruction(self, _: bytes, name: str) -> None:
        store = self._store()
        store.count("reconstruction")
        if name not in store.files:
            self._refuse(404, "no such file")
        self._send(200, store.reconstruction(name, f"{self.hub.url}/xet/xorb"))

    def _xet_xorb(self, _: bytes, name: str) -> None:
        self._content(self._store().xorbs[name], name)

    def _xet_take_xorb(self, body: bytes, name: str) -> None:
        self._store().count("xorb")
        self._store().xorbs[name] = body
        self._send(200, {"was_inserted": True})

    def _xet_take_shard(self, body: bytes) -> None:
        store = self._store()
        store.count("shard")
        store.add_shard(body)
        for name in store.files:
            data = store.content(name)
            self.hub.large[hashlib.sha256(data).hexdigest()] = data
        self._send(200, {"result": 1})
