"""The objects of the simulated API server, with what a server and its controllers would add to them.

Knows nothing about HTTP; `tests/support/kube_api.py` is the server.
"""

from __future__ import annotations

import copy
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

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
    "batch/v1": {"jobs": "Job", "cronjobs": "CronJob"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "networking.k8s.io/v1": {"ingresses": "Ingress", "networkpolicies": "NetworkPolicy"},
    "gateway.networking.k8s.io/v1": {"httproutes": "HTTPRoute"},
    "monitoring.coreos.com/v1": {"servicemonitors": "ServiceMonitor", "prometheusrules": "PrometheusRule"},
    "keda.sh/v1alpha1": {"scaledobjects": "ScaledObject"},
}


@dataclass(frozen=True)
class Key:
    """Where an object is stored."""

    version: str
    namespace: str | None
    resource: str
    name: str


@dataclass(frozen=True)
class Event:
    """A change as watchers are told of it."""

    revision: int
    type: str
    key: Key
    item: Object


@dataclass(frozen=True)
class Selection:
    """What a list or a watch is about."""

    version: str
    namespace: str | None
    resource: str
    labels: dict[str, str]
    name: str | None

    def holds(self, key: Key, item: Object) -> bool:
        """Whether that object is selected."""
        return (
            (key.version, key.resource) == (self.version, self.resource)
            and self.namespace in (None, key.namespace)
            and self.name in (None, key.name)
            and self.labels.items() <= (item["metadata"].get("labels") or {}).items()
        )


@dataclass
class Store:
    """The objects, the events about them, and the requests that changed them (method and path), in order."""

    objects: dict[Key, Object] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    changes: list[tuple[str, str]] = field(default_factory=list)
    revision: int = 1
    changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))

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

    def select(self, selection: Selection) -> list[Object]:
        """The selected objects."""
        return [item for key, item in self.objects.items() if selection.holds(key, item)]

    def delete(self, key: Key) -> None:
        """Take an object away."""
        self.revision += 1
        self._tell(Event(self.revision, "DELETED", key, self.objects.pop(key)))

    def _tell(self, event: Event) -> None:
        self.events.append(event)
        self.changed.notify_all()

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
            kind_of_event = "MODIFIED" if key in self.objects else "ADDED"
            self.objects[key] = item
            self._tell(Event(self.revision, kind_of_event, key, item))
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
