"""What a manifest says before any cluster is asked: identity, names, what makes it another object."""

import secrets
from collections.abc import Mapping
from typing import Any

from lab.plugins.diff import Path, within
from lab.plugins.values import Unknown

AUTONAMED = "pulumi.com/autonamed"
_NAME_LIMIT = 253  # DNS subdomain, RFC 1123
_SUFFIX_BYTES = 4  # eight hex digits, as the official provider's

# What makes another object when it changes, by group and kind, as the official provider has it. Where the API server
# refuses another change, that is an error, with the official provider too.
_FORCE_NEW: dict[tuple[str, str], list[Path]] = {
    ("", "ConfigMap"): [("data",), ("binaryData",)],
    ("", "Secret"): [("data",), ("stringData",), ("type",)],
    ("", "PersistentVolumeClaim"): [
        ("spec", "accessModes"),
        ("spec", "selector"),
        ("spec", "storageClassName"),
        ("spec", "volumeName"),
    ],
    ("", "Pod"): [("spec",)],
    ("", "ResourceQuota"): [("spec", "scopes")],
    ("", "Service"): [("spec", "clusterIP")],
    ("apps", "Deployment"): [("spec", "selector")],
    ("apps", "DaemonSet"): [("spec", "selector")],
    ("apps", "StatefulSet"): [
        ("spec", "selector"),
        ("spec", "serviceName"),
        ("spec", "podManagementPolicy"),
        ("spec", "revisionHistoryLimit"),
        ("spec", "volumeClaimTemplates"),
    ],
    ("batch", "Job"): [("spec", "completions"), ("spec", "parallelism"), ("spec", "selector"), ("spec", "template")],
    ("rbac.authorization.k8s.io", "RoleBinding"): [("roleRef",)],
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): [("roleRef",)],
    ("storage.k8s.io", "StorageClass"): [("parameters",), ("provisioner",)],
}
_IDENTITY: list[Path] = [("kind",), ("metadata", "name"), ("metadata", "namespace")]
_MUTABLE_POD: list[Path] = [("spec", "activeDeadlineSeconds"), ("spec", "tolerations")]

Manifest = dict[str, Any]


def type_parts(type_token: str) -> tuple[str, str]:
    """`kubernetes:apps/v1:Deployment` → ("apps/v1", "Deployment"); the core group's name is dropped."""
    _, api_version, kind = type_token.split(":")
    return api_version.removeprefix("core/"), kind


def is_patch(type_token: str, manifest: Mapping[str, Any]) -> bool:
    """Whether the resource patches an object of others: its type is the object's kind and `Patch`."""
    return type_parts(type_token)[1] == f"{manifest.get('kind')}Patch"


def group_kind(manifest: Mapping[str, Any]) -> tuple[str, str]:
    group, slash, _ = str(manifest.get("apiVersion", "")).partition("/")
    return (group if slash else ""), str(manifest.get("kind", ""))


def with_name(manifest: Manifest, old: Manifest, resource_name: str) -> Manifest:
    """The manifest with a name: its own, else the one it got before, else a new unique one."""
    metadata = manifest.get("metadata") or {}
    if isinstance(metadata, Unknown) or metadata.get("name"):
        return manifest
    metadata = dict(metadata)
    before = old.get("metadata") or {}
    if is_autonamed(old):
        metadata["name"] = before["name"]
    else:
        metadata["name"] = unique_name(resource_name)
    metadata["annotations"] = {**(metadata.get("annotations") or {}), AUTONAMED: "true"}
    return {**manifest, "metadata": metadata}


def unique_name(resource_name: str) -> str:
    """The resource's name and a random suffix; a name that no object can have is the API server's to refuse."""
    suffix = secrets.token_hex(_SUFFIX_BYTES)
    return f"{resource_name[: _NAME_LIMIT - len(suffix) - 1]}-{suffix}"


def is_autonamed(manifest: Mapping[str, Any]) -> bool:
    annotations = (manifest.get("metadata") or {}).get("annotations") or {}
    return bool(isinstance(annotations, Mapping) and annotations.get(AUTONAMED) == "true")


def force_new(manifest: Mapping[str, Any], path: Path, *, mutable: frozenset[str]) -> bool:
    """Whether a change at the path needs another object; kinds of the core group in `mutable` are exempt.

    A change of API group does too, a change of version within the group doesn't: `group_changed`.
    """
    if path in _IDENTITY:
        return True
    kind = group_kind(manifest)
    if kind[0] == "" and kind[1] in mutable and manifest.get("immutable") is not True:
        return False
    if kind == ("", "Pod") and any(within(path, allowed) for allowed in _MUTABLE_POD if len(path) > 1):
        return False
    return any(within(path, fixed) for fixed in _FORCE_NEW.get(kind, []))


def group_changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return group_kind(old)[0] != group_kind(new)[0]


def same_place(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether both are the same name in the same namespace: then the old one must go first."""
    before, after = old.get("metadata") or {}, new.get("metadata") or {}
    return all(before.get(key) == after.get(key) for key in ("name", "namespace"))


def without_nothing(content: Any) -> Any:
    """Without nulls: to server-side apply a null is a value."""
    if isinstance(content, Mapping):
        return {key: without_nothing(item) for key, item in content.items() if item is not None}
    if isinstance(content, list):
        return [without_nothing(item) for item in content]
    return content


def resource_id(manifest: Mapping[str, Any], *, namespaced: bool) -> str:
    metadata = manifest["metadata"]
    return f"{metadata.get('namespace') or 'default'}/{metadata['name']}" if namespaced else str(metadata["name"])
