"""A model hub for tests: the part of the real one's HTTP protocol that huggingface_hub 2.4 uses.

    with Hub() as hub:
        hub.url

Private repositories, token roles, regular and LFS files, commits, tags, ranges; for the tests also outages, and
downloads that break off or are corrupted. Everything is in memory. The client depends on two things: large files are
redirected to another host name (the API is on 127.0.0.1, files on localhost), and `X-Error-Code` selects the type of
exceptions.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.xet_store import XetRoutes, XetStore

WRITE_TOKEN, READ_TOKEN, STRANGER_TOKEN = "hf_aliceWrites0001", "hf_aliceReads0002", "hf_bobWrites0003"
_TOKENS = {WRITE_TOKEN: ("alice", "write"), READ_TOKEN: ("alice", "read"), STRANGER_TOKEN: ("bob", "write")}
_LARGE = (".gguf", ".safetensors", ".bin", ".png")


@dataclass(frozen=True)
class StoredFile:
    """A file of a commit."""

    data: bytes
    lfs: str | None  # sha256 of a large file

    @property
    def blob_id(self) -> str:
        """The git hash of the file, of a large one that of its LFS pointer."""
        content = self.data
        if self.lfs:
            content = (
                f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.lfs}\nsize {len(self.data)}\n"
            ).encode()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Repository:
    """A repository with its commits (id -> files) and refs (branch or tag -> commit)."""

    private: bool
    refs: dict[str, str]
    commits: dict[str, dict[str, StoredFile]]
    tags: list[str] = field(default_factory=list)
    gated: bool = False


@dataclass
class Hub:
    """The server, what it stores and has seen, and the faults it can show."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)  # sha256 -> content
    log: list[tuple[str, str, int]] = field(default_factory=list)  # method, path, status
    tokens_seen: list[tuple[str, str]] = field(default_factory=list)  # host the request named, token
    unavailable: bool = False  # every request is answered with 503
    break_off_after: int | None = None  # bytes of a large file, then the connection closes
    corrupt: bool = False  # one byte of every large file is changed
    longer_by: int = 0  # bytes that files have more than is announced for them
    xet: XetStore | None = None  # offered where there is one

    def __enter__(self) -> Hub:
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def files(self, name: str, revision: str = "main") -> dict[str, StoredFile]:
        """The files of a repository by path."""
        repository = self.repositories[name]
        return repository.commits[repository.refs.get(revision, revision)]

    def replace(self, name: str, file: str, data: bytes) -> None:
        """Change a large file's bytes and keep its hash, as a broken store would."""
        stored = self.files(name)[file]
        self.large[stored.lfs] = data

    def requests(self, method: str, containing: str) -> list[str]:
        """Paths requested so far with the method, that contain the text."""
        return [path for verb, path, _ in self.log if verb == method and containing in path]


class _Answered(Exception):
    """The request has been answered with an error; unwinds to the dispatcher."""


class _Handler(XetRoutes, BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    # responses

    def _send(self, status: int, body: object = b"", kind: str = "application/json", **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.hub.log.append((self.command, self.path, status))
        if self.command == "HEAD":
            return
        limit = self.hub.break_off_after
        if limit is not None and "/large/" in self.path and self.command == "GET" and len(data) > limit:
            self.wfile.write(data[:limit])
            self.close_connection = True
        else:
            self.wfile.write(data)

    def _refuse(self, status: int, message: str, code: str | None = None) -> None:
        headers = {"X_Error_Message": message} | ({"X_Error_Code": code} if code else {})
        self._send(status, {"error": message}, **headers)
        raise _Answered

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().strip(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    # callers and repositories

    def _caller(self) -> tuple[str, str] | None:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given:
            self.hub.tokens_seen.append((self.headers["Host"].split(":")[0], given))
        return _TOKENS.get(given)

    def _repository(self, name: str) -> Repository:
        repository, caller = self.hub.repositories.get(name), self._caller()
        if repository is None or (repository.private and (caller is None or caller[0] != name.split("/")[0])):
            # the real hub hides what exists: 401 without a good token, 404 with one
            if caller is None:
                self._refuse(401, "Invalid username or password.", "RepoNotFound")
            self._refuse(404, "Repository not found", "RepoNotFound")
        return repository

    def _commit(self, repository: Repository, revision: str) -> str:
        revision = unquote(revision)
        commit = repository.refs.get(revision, revision if revision in repository.commits else None)
        if commit is None:
            self._refuse(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    def _dispatch(self, routes: list[tuple[str, str]]) -> None:
        body = self._body()
        try:
            if self.hub.unavailable:
                self._refuse(503, "Service Unavailable")
            path = urlsplit(self.path).path
            for pattern, method in routes:
                if match := re.fullmatch(pattern, path):
                    return getattr(self, method)(body, *match.groups())
            self._refuse(404, f"no such route: {path}")
        except _Answered:
            pass

    def do_GET(self) -> None:
        self._dispatch(
            [
                (r"/api/models/([^/]+/[^/]+?)(?:/revision/([^/]+))?", "_info"),
                (r"/api/models/([^/]+/[^/]+)/refs", "_refs"),
                (r"/api/models/([^/]+/[^/]+)/tree/([^/]+)(?:/(.*))?", "_tree"),
                (r"/api/whoami-v2", "_whoami"),
                (r"/api/models/([^/]+/[^/]+)/xet-(read|write)-token/([^/]+)", "_xet_token"),
                (r"/xet/v1/reconstructions/([0-9a-f]{64})", "_xet_reconstruction"),
                (r"/xet/xorb/([0-9a-f]{64})", "_xet_xorb"),
                (r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "_resolve"),
                (r"/large/([0-9a-f]{64})", "_large"),
            ]
        )

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        self._dispatch([(r"/upload/([0-9a-f]{64})", "_upload")])

    def do_POST(self) -> None:
        self._dispatch(
            [
                (r"/api/validate-yaml", "_validate"),
                (r"/api/repos/create", "_create"),
                (r"/api/models/([^/]+/[^/]+)/preupload/([^/]+)", "_preupload"),
                (r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", "_batch"),
                (r"/verify", "_verify"),
                (r"/api/models/([^/]+/[^/]+)/commit/([^/]+)", "_make_commit"),
                (r"/api/models/([^/]+/[^/]+)/tag/([^/]+)", "_make_tag"),
                (r"/api/models/([^/]+/[^/]+)/branch/([^/]+)", "_make_branch"),
                (r"/xet/v1/xorbs/[^/]+/([0-9a-f]{64})", "_xet_take_xorb"),
                (r"/xet/v1/shards", "_xet_take_shard"),
            ]
        )

    # reading

    def _whoami(self, _: bytes) -> None:
        caller = self._caller()
        if caller is None:
            self._refuse(401, "Invalid username or password.")
        self._send(200, {"type": "user", "name": caller[0], "auth": {"accessToken": {"role": caller[1]}}})

    def _tree(self, _: bytes, name: str, revision: str, folder: str | None) -> None:
        repository = self._repository(name)
        files = repository.commits[self._commit(repository, revision)]
        within = f"{unquote(folder)}/" if folder else ""
        rows = [
            {"type": "file", "path": path, "size": len(file.data), "oid": file.blob_id}
            | ({"lfs": {"oid": file.lfs, "size": len(file.data), "pointerSize": 130}} if file.lfs else {})
            for path, file in files.items()
            if path.startswith(within)
        ]
        if not rows and within:
            self._refuse(404, "Entry not found", "EntryNotFound")
        self._send(200, rows)

    def _info(self, _: bytes, name: str, revision: str | None) -> None:
        repository = self._repository(name)
        commit = self._commit(repository, revision or "main")
        siblings = [
            {"rfilename": path, "size": len(file.data), "blobId": file.blob_id}
            | ({"lfs": {"sha256": file.lfs, "size": len(file.data), "pointerSize": 130}} if file.lfs else {})
            for path, file in repository.commits[commit].items()
        ]
        self._send(
            200,
            {
                "_id": "0",
                "id": name,
                "modelId": name,
                "sha": commit,
                "private": repository.private,
                "gated": repository.gated,
                "disabled": False,
                "tags": [],
                "siblings": siblings,
                "downloads": 0,
                "likes": 0,
            },
        )

    def _refs(self, _: bytes, name: str) -> None:
        repository = self._repository(name)

        def listed(kind: str, wanted: bool) -> list[dict[str, str]]:
            return [
                {"name": ref, "ref": f"refs/{kind}/{ref}", "targetCommit": commit}
                for ref, commit in repository.refs.items()
                if (ref in repository.tags) == wanted
            ]

        self._send(200, {"branches": listed("heads", False), "tags": listed("tags", True), "converts": []})

    def _resolve(self, _: bytes, name: str, revision: str, path: str) -> None:
        repository = self._repository(name)
        commit = self._commit(repository, revision)
        if repository.gated:
            self._refuse(403, f"Access to model {name} is restricted.", "GatedRepo")
        file = repository.commits[commit].get(unquote(path))
        if file is None:
            self._refuse(404, "Entry not found", "EntryNotFound")
        if not file.lfs:
            return self._content(file.data, file.blob_id, X_Repo_Commit=commit)
        xet = self.hub.xet.by_sha256.get(file.lfs) if self.hub.xet else None
        offered = {"X_Xet_Hash": xet, "Link": f'<{self._xet_token_url(name, commit)}>; rel="xet-auth"'} if xet else {}
        self._send(
            302,
            **offered,
            Location=f"http://localhost:{self.hub.port}/large/{file.lfs}?signature=ok",
            X_Repo_Commit=commit,
            X_Linked_Size=str(len(file.data)),
            X_Linked_Etag=f'"{file.lfs}"',
            ETag=f'"{file.lfs}"',
        )

    def _large(self, _: bytes, sha256: str) -> None:
        self._caller()
        if parse_qs(urlsplit(self.path).query).get("signature") != ["ok"]:
            self._refuse(403, "no signature")
        data = self.hub.large[sha256]
        if self.hub.corrupt:
            data = data[:-1] + bytes([data[-1] ^ 1])
        self._content(data, sha256)

    def _content(self, data: bytes, etag: str, **headers: str) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        headers |= {"ETag": f'"{etag}"', "Accept_Ranges": "bytes"}
        if self.command == "GET":
            data += b" " * self.hub.longer_by
        if not wanted:
            return self._send(200, data, "application/octet-stream", **headers)
        start, end = int(wanted[1]), int(wanted[2] or len(data) - 1)
        if start >= len(data):
            return self._send(416, Content_Range=f"bytes */{len(data)}")
        self._send(
            206,
            data[start : end + 1],
            "application/octet-stream",
            Content_Range=f"bytes {start}-{end}/{len(data)}",
            **headers,
        )

    # writing

    def _writer(self) -> str:
        caller = self._caller()
        if caller is None:
            self._refuse(401, "Invalid username or password.")
        if caller[1] != "write":
            self._refuse(403, "You don't have the rights to write: use a token with write permission")
        return caller[0]

    def _validate(self, _: bytes) -> None:
        self._send(200, {"errors": [], "warnings": []})

    def _create(self, body: bytes) -> None:
        owner, asked = self._writer(), json.loads(body)
        name = f"{asked.get('organization') or owner}/{asked['name']}"
        if name.split("/")[0] != owner:
            self._refuse(403, "You don't have the rights to create a model under this namespace")
        if name in self.hub.repositories:
            self._send(409, {"error": "exists", "url": f"{self.hub.url}/{name}"})
            return
        first = hashlib.sha1(name.encode()).hexdigest()
        private = asked.get("visibility") == "private" or asked.get("private") is True
        self.hub.repositories[name] = Repository(private, {"main": first}, {first: {}})
        self._send(200, {"url": f"{self.hub.url}/{name}", "name": name, "id": "0"})

    def _preupload(self, body: bytes, name: str, revision: str) -> None:
        self._writer()
        files = self._repository(name).commits[self._commit(self._repository(name), revision)]
        answer = []
        for asked in json.loads(body)["files"]:
            old = files.get(asked["path"])
            mode = "lfs" if asked["path"].endswith(_LARGE) else "regular"
            answer.append(
                {"path": asked["path"], "uploadMode": mode, "shouldIgnore": False}
                | ({"oid": old.lfs or old.blob_id} if old else {})
            )
        self._send(200, {"files": answer})

    def _batch(self, body: bytes, name: str) -> None:
        self._writer()
        self._repository(name)
        objects = []
        for asked in json.loads(body)["objects"]:
            known = asked["oid"] in self.hub.large
            actions = {
                "upload": {"href": f"{self.hub.url}/upload/{asked['oid']}"},
                "verify": {"href": f"{self.hub.url}/verify"},
            }
            objects.append({"oid": asked["oid"], "size": asked["size"]} | ({} if known else {"actions": actions}))
        self._send(200, {"transfer": "basic", "objects": objects}, "application/vnd.git-lfs+json")

    def _upload(self, body: bytes, sha256: str) -> None:
        if hashlib.sha256(body).hexdigest() != sha256:
            self._refuse(400, "sha256 mismatch")
        self.hub.large[sha256] = body
        self._send(200)

    def _verify(self, body: bytes) -> None:
        asked = json.loads(body)
        if len(self.hub.large.get(asked["oid"], b"")) != asked["size"]:
            self._refuse(400, "no such object")
        self._send(200)

    def _make_commit(self, body: bytes, name: str, branch: str) -> None:
        self._writer()
        repository, branch = self._repository(name), unquote(branch)
        parent = repository.refs[branch]
        files = dict(repository.commits[parent])
        for line in body.splitlines():
            entry = json.loads(line)
            key, value = entry["key"], entry["value"]
            if key == "header" and value.get("parentCommit") not in (None, parent):
                self._refuse(412, "A commit has happened since")
            elif key == "file":
                files[value["path"]] = StoredFile(base64.b64decode(value["content"]), None)
            elif key == "lfsFile":
                if value["oid"] not in self.hub.large:
                    self._refuse(400, "pointer to a missing object")
                files[value["path"]] = StoredFile(self.hub.large[value["oid"]], value["oid"])
            elif key == "deletedFile":
                del files[value["path"]]
        commit = hashlib.sha1(body + parent.encode()).hexdigest()
        repository.commits[commit], repository.refs[branch] = files, commit
        self._send(
            200,
            {
                "success": True,
                "commitOid": commit,
                "commitUrl": f"{self.hub.url}/{name}/commit/{commit}",
                "hookOutput": "",
            },
        )

    def _make_branch(self, body: bytes, name: str, branch: str) -> None:
        self._writer()
        repository = self._repository(name)
        if unquote(branch) in repository.refs:
            self._refuse(409, "Reference already exists")
        start = json.loads(body or b"{}").get("startingPoint", "main")
        repository.refs[unquote(branch)] = self._commit(repository, start)
        self._send(200, {})

    def _make_tag(self, body: bytes, name: str, revision: str) -> None:
        self._writer()
        repository = self._repository(name)
        tag = json.loads(body)["tag"]
        if tag in repository.refs:
            self._refuse(409, "Tag already exists")
        repository.refs[tag] = self._commit(repository, revision)
        repository.tags.append(tag)
        self._send(200, {})
