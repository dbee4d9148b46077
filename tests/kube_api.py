"""A simulated Kubernetes API server, in memory, on which real helm and kubectl run.

What is real: discovery, create, read, list by label, replace, patch, server-side apply, delete, watch of what is there,
Helm's release Secrets (which arrive in protobuf). What is not: admission, defaulting, scheduling, controllers. A
Deployment is ready and a pod has succeeded the moment it is stored; no image is pulled. So it shows that a chart
installs, upgrades, rolls back and goes away again, and not that its pods work (`tests/test_image.py` runs those).

    with KubeApi() as api:
        subprocess.run(["helm", "list"], env=os.environ | api.environment(folder))
"""

from __future__ import annotations

import base64
import copy
import json
import re
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.kube_patch import merge_patch, strategic_merge_patch

Object = dict[str, Any]

RESOURCES: dict[str, dict[str, str]] = {
    "v1": {
        "pods": "Pod",
        "services": "Service",
        "secrets": "Secret",
        "configmaps": "ConfigMap",
        "serviceaccounts": "ServiceAccount",
        "persistentvolumeclaims": "PersistentVolumeClaim",
    },
    "apps/v1": {"deployments": "Deployment", "replicasets": "ReplicaSet"},
    "batch/v1": {"jobs": "Job"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "networking.k8s.io/v1": {"ingresses": "Ingress", "networkpolicies": "NetworkPolicy"},
    "gateway.networking.k8s.io/v1": {"httproutes": "HTTPRoute"},
    "monitoring.coreos.com/v1": {"servicemonitors": "ServiceMonitor", "prometheusrules": "PrometheusRule"},
    "keda.sh/v1alpha1": {"scaledobjects": "ScaledObject"},
}
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_ROUTE = re.compile(
    r"/apis?/(?P<version>v1|[a-z0-9.]+/v[a-z0-9]+)(?:/namespaces/(?P<namespace>[^/]+))?"
    r"(?:/(?P<resource>[a-z]+))?(?:/(?P<name>[^/]+))?(?:/(?P<sub>status|scale|log))?"
)


@dataclass(frozen=True)
class Key:
    """Where an object is stored."""

    version: str
    namespace: str | None
    resource: str
    name: str


@dataclass
class Store:
    """The objects, and the requests that changed them (method and path), in order."""

    objects: dict[Key, Object] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)
    revision: int = 1
    lock: threading.RLock = field(default_factory=threading.RLock)

    def kinds(self) -> dict[str, list[str]]:
        """Names by kind, Helm's own release records left out."""
        found: dict[str, list[str]] = {}
        for key, item in self.objects.items():
            if not key.name.startswith("sh.helm.release."):
                found.setdefault(item["kind"], []).append(key.name)
        return found

    def get(self, kind: str, name: str) -> Object:
        """One object; KeyError if it is not there."""
        for key, item in self.objects.items():
            if item["kind"] == kind and key.name == name:
                return item
        raise KeyError(f"no {kind} {name!r}; there is {self.kinds()}")

    def put(self, key: Key, item: Object, dry_run: bool) -> Object:
        """Store with what a server and its controllers would add."""
        item = copy.deepcopy(item)
        self.revision += 1
        item.setdefault("apiVersion", key.version)
        item.setdefault("kind", RESOURCES[key.version][key.resource])
        before = self.objects.get(key, {}).get("metadata", {})
        meta = item.setdefault("metadata", {})
        meta["namespace"] = key.namespace
        meta["uid"] = before.get("uid") or str(uuid.uuid4())
        meta["creationTimestamp"] = before.get("creationTimestamp") or "2026-01-01T00:00:00Z"
        meta["resourceVersion"] = str(self.revision)
        meta["generation"] = self.revision
        status = _settled_status(item, self.revision)
        if status:
            item["status"] = status
        if not dry_run:
            self.objects[key] = item
        return item


def _settled_status(item: Object, generation: int) -> Object | None:
    """The status that the object would have once everything went well."""
    if item["kind"] == "Deployment":
        replicas = item["spec"].get("replicas", 1)
        conditions = [
            {"type": "Available", "status": "True"},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        ]
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas)
        return {"observedGeneration": generation, **counts, "conditions": conditions}
    if item["kind"] == "Pod":
        return {"phase": "Succeeded", "conditions": [{"type": "Ready", "status": "True"}]}
    if item["kind"] == "Job":
        return {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
    if item["kind"] == "PersistentVolumeClaim":
        return {"phase": "Bound"}
    return None


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
        with self.store.lock:
            if not self._discovery(url.path.rstrip("/")):
                self._resource(url.path.rstrip("/"), parse_qs(url.query), raw)

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
        labels, fields = _pairs(query, "labelSelector"), _pairs(query, "fieldSelector")
        items = [
            item
            for key, item in self.store.objects.items()
            if (key.version, key.resource) == (version, resource)
            and namespace in (None, key.namespace)
            and fields.get("metadata.name", key.name) == key.name
            and labels.items() <= (item["metadata"].get("labels") or {}).items()
        ]
        if "watch" in query:
            events = [json.dumps({"type": "ADDED", "object": item}).encode() + b"\n" for item in items]
            return self._send_bytes(200, b"".join(events), "application/json")
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
                del self.store.objects[key]
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
