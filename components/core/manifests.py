"""Kubernetes manifests as plain mappings. Renderers make them, rules judge them, `components.apply` applies them."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from components.core.labels import WAITED_FOR, managed

Manifest: TypeAlias = dict[str, Any]
DEFAULT_NAMESPACE = "default"
"""Where Kubernetes puts an object that names no namespace."""


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


def secured_namespace(name: str, level: str = "restricted", labels: Mapping[str, str] | None = None) -> Manifest:
    """A namespace whose pods must pass this level of Pod Security."""
    security = {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "audit", "warn")}
    return manifest("v1", "Namespace", name, labels={**(labels or {}), **security})


def rollout_waits(
    namespace: str, objects: Iterable[tuple[str, str]], version: str, values: Mapping[str, Any]
) -> list[Manifest]:
    """Annotations on a chart's objects (kind and name): applying one waits until the object is rolled out.

    They change with the chart's version and values and not with the nodes: a server that is gone for good still counts
    as a node whose pod is not ready, and taking it out of the stack file would wait for it until its limit.
    """
    said = json.dumps([version, values], sort_keys=True)
    annotations = {WAITED_FOR: hashlib.sha256(said.encode()).hexdigest()[:16]}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace, "annotations": dict(annotations)},
        }
        for kind, name in objects
    ]


def key(item: Manifest) -> tuple[str, str, str, str]:
    """What identifies an object: API version, kind, namespace (empty if none), name."""
    metadata = item["metadata"]
    return item["apiVersion"], item["kind"], metadata.get("namespace", ""), metadata["name"]


def label(item: Manifest) -> str:
    """An object for an operator: `NetworkPolicy butikk/default-deny`."""
    _, kind, namespace, name = key(item)
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


class Kind(NamedTuple):
    """What a Pulumi type says about a Kubernetes object."""

    group: str
    """API group without its version; `core` for the first one."""
    name: str
    patch: bool
    """Only some fields of an object that is managed elsewhere."""

    def __str__(self) -> str:
        return f"{self.group}:{self.name}"


def kind_of(resource_type: str) -> Kind | None:
    """`kubernetes:metallb.io/v1beta1:IPAddressPool` → group and kind; None for what is no Kubernetes object."""
    provider, _, rest = resource_type.partition(":")
    api, _, name = rest.partition(":")
    if provider != "kubernetes" or not name:
        return None
    return Kind(api.rpartition("/")[0] or api, name.removesuffix("Patch"), name.endswith("Patch"))


class FieldError(ValueError):
    """A field of a manifest has a value that cannot be read. The text has the field and never the value."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")


class Fields:
    """Fields of a manifest that anyone may have written, read by type.

    A field that is missing or null reads as empty. Every other value of a wrong type raises FieldError.
    """

    def __init__(self, value: Any, path: str = "") -> None:
        # Asking for the type first is ten times faster, and almost all are dictionaries.
        if type(value) is not dict and value is not None and not isinstance(value, Mapping):
            raise FieldError(path, "is not a group of fields")
        self.raw: Mapping[str, Any] = value or {}
        self.path = path

    def __contains__(self, key: str) -> bool:
        return key in self.raw

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def at(self, key: str) -> str:
        """The path of a field, for messages."""
        return f"{self.path}.{key}" if self.path else key

    def group(self, key: str) -> "Fields":
        return Fields(self.raw.get(key), self.at(key))

    def groups(self, key: str) -> "list[Fields]":
        return [Fields(item, f"{self.at(key)}.{index}") for index, item in enumerate(self.items(key))]

    def items(self, key: str) -> list[Any]:
        value = self.raw.get(key)
        if value is None:
            return []
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise FieldError(self.at(key), "is not a list")
        return list(value)

    def texts(self, key: str) -> list[str]:
        return [_text(item, f"{self.at(key)}.{index}") for index, item in enumerate(self.items(key))]

    def text(self, key: str, default: str = "") -> str:
        value = self.raw.get(key)
        return default if value is None or value == "" else _text(value, self.at(key))

    def number(self, key: str, default: int = 0) -> int:
        value = self.raw.get(key)
        return default if value is None or value == "" else _number(value, self.at(key))


def _text(value: Any, path: str) -> str:
    """Numbers and switches count as text: YAML makes them of what somebody forgot to quote."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():  # Pulumi has no whole numbers
        return str(int(value))
    if not isinstance(value, str | int | float):
        raise FieldError(path, "is not text")
    return str(value)


def _number(value: Any, path: str) -> int:
    digits = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**63
    if isinstance(value, bool) or not (digits or whole or isinstance(value, int)):
        raise FieldError(path, "is not a whole number")
    return int(value)


class ManifestView(Fields):
    """A Kubernetes object that anyone may have written."""

    def __init__(self, kind: str, body: Any) -> None:
        super().__init__(body)
        self.kind = kind

    @property
    def metadata(self) -> Fields:
        return self.group("metadata")

    @property
    def spec(self) -> Fields:
        return self.group("spec")

    @property
    def labels(self) -> Fields:
        return self.metadata.group("labels")

    @property
    def annotations(self) -> Fields:
        return self.metadata.group("annotations")

    @property
    def name(self) -> str:
        if name := self.metadata.text("name"):
            return name
        raise FieldError("metadata.name", "is missing")

    @property
    def namespace(self) -> str:
        return self.metadata.text("namespace", DEFAULT_NAMESPACE)

    @property
    def label(self) -> str:
        """What messages call it: `Deployment agency/web`."""
        return f"{self.kind} {self.namespace}/{self.metadata.text('name', '?')}"

    @property
    def cluster_label(self) -> str:
        """The same for an object without a namespace: `BGPPeer 'router'`."""
        return f"{self.kind} '{self.metadata.text('name', '?')}'"
