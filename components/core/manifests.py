"""Kubernetes manifests as plain mappings. Renderers make them, rules judge them, `components.apply` applies them."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from components.core.labels import managed

Manifest: TypeAlias = dict[str, Any]


def manifest(
    api_version: str,
    kind: str,
    name: str,
    *,
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **body: Any,
) -> Manifest:
    """A manifest with our labels; `body` holds the fields beside metadata (`spec=…`, `data=…`)."""
    metadata: dict[str, Any] = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    metadata["labels"] = dict(sorted({**managed(), **(labels or {})}.items()))
    if annotations:
        metadata["annotations"] = dict(sorted(annotations.items()))
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def key(item: Manifest) -> tuple[str, str, str, str]:
    """What identifies an object: API version, kind, namespace (empty if none), name."""
    metadata = item["metadata"]
    return item["apiVersion"], item["kind"], metadata.get("namespace", ""), metadata["name"]


def label(item: Manifest) -> str:
    """An object for an operator: `NetworkPolicy butikk/default-deny`."""
    _, kind, namespace, name = key(item)
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
