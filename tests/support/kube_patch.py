"""How a Kubernetes API server applies the patches that helm and kubectl send: JSON merge and strategic merge.

Strategic merge treats some lists as maps with a key (containers by name); which ones is in the API's types, and the few
that this project's chart uses are written down here. Knows nothing about HTTP or storage.
"""

from __future__ import annotations

from typing import Any

# List field → key of its elements, as in the `patchMergeKey` tags of k8s.io/api. Other lists are replaced.
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "imagePullSecrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "ports": "containerPort",  # of containers; those of Services are told apart by their `port`
}


def merge_patch(base: Any, patch: Any) -> Any:
    """RFC 7386: a null deletes, maps are merged, everything else is replaced."""
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    result = dict(base)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def strategic_merge_patch(base: Any, patch: Any) -> Any:
    """Like a merge patch, but lists with a merge key are merged element by element, with its `$` directives."""
    if not isinstance(base, dict) or not isinstance(patch, dict) or patch.get("$patch") == "replace":
        return {k: v for k, v in patch.items() if k != "$patch"} if isinstance(patch, dict) else patch
    result = dict(base)
    if "$retainKeys" in patch:
        result = {key: value for key, value in result.items() if key in patch["$retainKeys"]}
    for field, value in patch.items():
        if field.startswith("$"):
            continue
        if value is None:
            result.pop(field, None)
        elif isinstance(value, list) and field in MERGE_KEYS:
            order = patch.get(f"$setElementOrder/{field}", [])
            result[field] = _merge_list(result.get(field) or [], value, _key_of(field, value, order), order)
        else:
            result[field] = strategic_merge_patch(result.get(field), value)
    return result


def _key_of(field: str, *lists: list[dict[str, Any]]) -> str:
    key = MERGE_KEYS[field]
    return "port" if field == "ports" and not any(key in element for elements in lists for element in elements) else key


def _merge_list(
    base: list[dict[str, Any]], patch: list[dict[str, Any]], key: str, order: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    elements = {element[key]: element for element in base}
    for element in patch:
        if element.get("$patch") == "delete":
            elements.pop(element[key], None)
        else:
            elements[element[key]] = strategic_merge_patch(elements.get(element[key], {}), element)
    rank = {element[key]: position for position, element in enumerate(order)}
    return sorted(elements.values(), key=lambda element: rank.get(element[key], len(rank)))
