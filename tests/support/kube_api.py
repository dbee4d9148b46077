"""A simulated Kubernetes API server, in memory, on which real helm and kubectl run.

What is real: discovery, create, read, list and watch by label, replace, patch, server-side apply, delete, Helm's
release Secrets (which arrive in protobuf). What is not: admission, defaulting, scheduling, controllers. A Deployment is
ready and a pod has succeeded the moment it is stored; no image is pulled. So it shows that a chart installs, upgrades,
rolls back and goes away again, and not that its pods work (`tests/test_image.py` runs those).

    with KubeApi() as api:
        subprocess.run(["helm", "list"], env=os.environ | api.environment(folder))
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.support.kube_patch import merge_patch, strategic_merge_patch
from tests.support.kube_store import RESOURCES, Key, Object, Selection, Store

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_ROUTE = re.compile(
    r"/apis?/(?P<version>v1|[a-z0-9.]+/v[a-z0-9]+)(?:/namespaces/(?P<namespace>[^/]+))?"
    r"(?:/(?P<resource>[a-z]+))?(?:/(?P<name>[^/]+))?(?:/(?P<sub>status|scale|log))?"
)


def _protobuf_fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Field number and value of a protobuf message; only varints and byte strings, more is not sent."""
    position = 0

    def varint() -> int:
        nonlocal position
        result = shift = 0
        while True:
            byte = data[position]
            position += 1
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result

    while position < len(data):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        elif tag & 7 == 2:
            length = varint()
            yield tag >> 3, data[position : position + length]
            position += length
        else:
            raise ValueError(f"protobuf wire type {tag & 7} is not expected in a Secret")


def secret_from_protobuf(raw: bytes) -> Object:
    """The Secret in Kubernetes' protobuf envelope, which is how Helm writes its release records."""
    body = dict(_protobuf_fields(raw[4:]))[2]
    secret: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {"labels": {}}, "data": {}}
    for number, value in _protobuf_fields(body):
        if number == 1:
            for meta_number, meta_value in _protobuf_fields(value):
                if meta_number == 1:
                    secret["metadata"]["name"] = meta_value.decode()
                elif meta_number == 11:
                    entry = dict(_protobuf_fields(meta_value))
                    secret["metadata"]["labels"][entry[1].decode()] = entry.get(2, b"").decode()
        elif number == 2:
            entry = dict(_protobuf_fields(value))
            secret["data"][entry[1].decode()] = base64.b64encode(entry.get(2, b"")).decode()
        elif number == 3:
            secret["type"] = value.decode()
    return secret


def _pairs(query: dict[str, list[str]], name: str) -> dict[str, str]:
    text = query.get(name, [""])[0]
    return dict(part.split("=", 1) for part in text.replace("==", "=").split(",") if "=" in part and "!=" not in part)


def _selection(version: str, namespace: str | None, resource: str, query: dict[str, list[str]]) -> Selection:
    name = _pairs(query, "fieldSelector").get("metadata.name")
    return Selection(version, namespace, resource, _pairs(query, "labelSelector"), name)


def _end_of_initial_events(version: str, resource: str, revision: int) -> Object:
    meta = {"resourceVersion": str(revision), "annotations": {"k8s.io/initial-events-end": "true"}}
    return {"apiVersion": version, "kind": RESOURCES[version][resource], "metadata": meta}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Store

    def log_message(self, *args: Any) -> None:
        """Quiet: the store keeps the requests that matter."""

    def _send(self, code: int, content: Object) -> None:
        self._send_bytes(code, json.dumps(content).encode(), "application/json")

    def _send_bytes(self, code: int, data: bytes, content_type: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _fail(self, code: int, reason: str, message: str) -> None:
        self._send(
            code,
            {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "reason": reason,
                "message": message,
                "code": code,
            },
        )

    def _handle(self) -> None:
        url = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, query = url.path.rstrip("/"), parse_qs(url.query)
        if "watch" in query:
            return self._watch(path, query)
        with self.store.changed:
            if not self._discovery(path):
                self._resource(path, query, raw)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def _discovery(self, path: str) -> bool:
        """Answer what clients ask to learn about the server; False if the path is something else."""
        if path == "/version":
            self._send(200, {"major": "1", "minor": "32", "gitVersion": "v1.32.0", "platform": "linux/amd64"})
        elif path == "/openapi/v2":  # an empty document: no client-side validation, kubectl is content with it
            self._send_bytes(200, b"\x0a\x032.0", "application/octet-stream")
        elif path == "/api":
            self._send(200, {"kind": "APIVersions", "versions": ["v1"]})
        elif path == "/apis":
            groups = []
            for version in RESOURCES:
                if "/" in version:
                    entry = {"groupVersion": version, "version": version.split("/")[1]}
                    groups.append({"name": version.split("/")[0], "versions": [entry], "preferredVersion": entry})
            self._send(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        else:
            return False
        return True

    def _resource(self, path: str, query: dict[str, list[str]], raw: bytes) -> None:
        route = _ROUTE.fullmatch(path)
        if not route or route["version"] not in RESOURCES:
            return self._fail(404, "NotFound", f"no route {path}")
        version, namespace, resource, name = (
            route["version"],
            route["namespace"],
            route["resource"],
            route["name"],
        )
        if resource is None:
            if namespace:
                return self._send(200, {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": namespace}})
            listed = [
                {"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": VERBS}
                for plural, kind in RESOURCES[version].items()
            ]
            return self._send(
                200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}
            )
        if resource not in RESOURCES[version]:
            return self._fail(404, "NotFound", f"no resource {resource} in {version}")
        if route["sub"] == "log":
            return self._send_bytes(200, b"(simulated: no container ran)\n", "text/plain")
        if self.command == "GET" and not name:
            return self._list(version, namespace, resource, query)
        return self._object(Key(version, namespace, resource, name or ""), "dryRun" in query, raw)

    def _list(self, version: str, namespace: str | None, resource: str, query: dict[str, list[str]]) -> None:
        items = self.store.select(_selection(version, namespace, resource, query))
        kind = RESOURCES[version][resource] + "List"
        self._send(
            200,
            {
                "kind": kind,
                "apiVersion": version,
                "items": items,
                "metadata": {"resourceVersion": str(self.store.revision)},
            },
        )

    def _watch(self, path: str, query: dict[str, list[str]]) -> None:
        """Tell of changes until the client goes away or the time it gave is over."""
        route = _ROUTE.fullmatch(path)
        if not route or route["resource"] not in RESOURCES.get(route["version"], {}):
            return self._fail(404, "NotFound", f"no route {path}")
        selection = _selection(route["version"], route["namespace"], route["resource"], query)
        seen = int(query.get("resourceVersion", ["0"])[0] or 0)
        end = time.monotonic() + float(query.get("timeoutSeconds", ["60"])[0])
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            with self.store.changed:
                if seen == 0 or "sendInitialEvents" in query:
                    seen = self.store.revision
                    for item in self.store.select(selection):
                        self._tell("ADDED", item)
                    if "sendInitialEvents" in query:
                        self._tell("BOOKMARK", _end_of_initial_events(route["version"], route["resource"], seen))
                while (left := end - time.monotonic()) > 0:
                    for event in [e for e in self.store.events if e.revision > seen]:
                        seen = event.revision
                        if selection.holds(event.key, event.item):
                            self._tell(event.type, event.item)
                    self.store.changed.wait(min(left, 1.0))
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _tell(self, event_type: str, item: Object) -> None:
        line = json.dumps({"type": event_type, "object": item}).encode() + b"\n"
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")

    def _object(self, key: Key, dry_run: bool, raw: bytes) -> None:
        body = secret_from_protobuf(raw) if raw[:4] == b"k8s\0" else (yaml.safe_load(raw) if raw else None)
        if self.command == "POST" and body:
            key = Key(key.version, key.namespace, key.resource, body["metadata"]["name"])
        there = self.store.objects.get(key)
        apply = "apply-patch" in self.headers.get("Content-Type", "")
        if self.command != "GET" and not dry_run:
            self.store.changes.append((self.command, self.path.split("?")[0]))
        if self.command == "POST":
            if there:
                return self._fail(409, "AlreadyExists", f"{key.resource} {key.name!r} already exists")
            return self._send(201, self.store.put(key, body or {}, dry_run))
        if self.command == "PATCH" and apply:
            return self._send(200 if there else 201, self.store.put(key, body or {}, dry_run))
        if there is None:
            return self._fail(404, "NotFound", f"{key.resource} {key.name!r} not found")
        if self.command == "GET":
            return self._send(200, there)
        if self.command == "DELETE":
            if not dry_run:
                self.store.delete(key)
            return self._send(200, there)
        new = body or {}
        if self.command == "PATCH":
            strategic = "strategic-merge-patch" in self.headers.get("Content-Type", "")
            new = (strategic_merge_patch if strategic else merge_patch)(there, new)
        return self._send(200, self.store.put(key, new, dry_run))


class KubeApi:
    """The server as a context manager, on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self.store = Store()
        handler = type("Handler", (_Handler,), {"store": self.store})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Address of the API."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self, folder: Path) -> dict[str, str]:
        """Environment in which helm and kubectl speak to this server and keep their own files in `folder`."""
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "simulated",
                    "clusters": [{"name": "simulated", "cluster": {"server": self.url}}],
                    "users": [{"name": "nobody", "user": {}}],
                    "contexts": [{"name": "simulated", "context": {"cluster": "simulated", "user": "nobody"}}],
                }
            )
        )
        return {
            "KUBECONFIG": str(kubeconfig),
            "HELM_CACHE_HOME": str(folder / "cache"),
            "HOME": str(folder),
            "HELM_CONFIG_HOME": str(folder / "config"),
            "HELM_DATA_HOME": str(folder / "data"),
        }

    def __enter__(self) -> KubeApi:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
