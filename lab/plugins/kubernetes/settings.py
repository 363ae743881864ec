"""The provider's own configuration."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.plugins.values import Unknown

# Inputs of the official provider that would make it do something else than this one does.
_REFUSED = {
    "renderYamlToDirectory": "this stand-in only applies to a cluster: use the official provider to render",
    "cluster": "name a context of the kubeconfig instead",
}


@dataclass(frozen=True)
class Settings:
    kubeconfig: str | None = None
    context: str | None = None
    namespace: str = "default"
    patch_force: bool = False
    upsert: bool = False
    delete_unreachable: bool = False
    skip_update_unreachable: bool = False
    mutable: frozenset[str] = frozenset()
    """Kinds whose contents may change in place: ConfigMap, Secret. The official default is to replace."""


def settings(inputs: Mapping[str, Any]) -> Settings:
    return Settings(
        kubeconfig=inputs.get("kubeconfig") or None,
        context=inputs.get("context") or None,
        namespace=inputs.get("namespace") or "default",
        patch_force=_flag(inputs, "enablePatchForce"),
        upsert=_flag(inputs, "upsertExistingObjects"),
        delete_unreachable=_flag(inputs, "deleteUnreachable"),
        skip_update_unreachable=_flag(inputs, "skipUpdateUnreachable"),
        mutable=frozenset(kind for kind in ("ConfigMap", "Secret") if _flag(inputs, f"enable{kind}Mutable")),
    )


def problems(inputs: Mapping[str, Any]) -> dict[str, str]:
    """What this stand-in cannot do, by the input that asks for it."""
    found = {name: reason for name, reason in _REFUSED.items() if inputs.get(name)}
    if str(inputs.get("enableServerSideApply", "true")).lower() == "false":
        found["enableServerSideApply"] = "this stand-in always applies on the server's side: leave it out"
    return found


def other_cluster(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """The input by which the provider now means another cluster, so that everything on it is replaced.

    With `clusterIdentifier` it alone decides; without, the address in the active context does.
    """
    if old.get("clusterIdentifier") or new.get("clusterIdentifier"):
        changed = old.get("clusterIdentifier") != new.get("clusterIdentifier")
        return "clusterIdentifier" if changed else None
    if isinstance(new.get("kubeconfig"), Unknown):
        return "kubeconfig"
    return "kubeconfig" if _server(old) != _server(new) else None


def _server(inputs: Mapping[str, Any]) -> Any:
    from lab.plugins.kubernetes.client import read_kubeconfig
    from lab.plugins.resource_server import ResourceError

    try:
        kubeconfig = read_kubeconfig(inputs.get("kubeconfig"))
    except ResourceError:
        return None
    wanted = inputs.get("context") or kubeconfig.get("current-context")
    contexts = {item["name"]: item["context"] for item in kubeconfig.get("contexts") or []}
    clusters = {item["name"]: item["cluster"] for item in kubeconfig.get("clusters") or []}
    return (clusters.get((contexts.get(wanted) or {}).get("cluster")) or {}).get("server")


def _flag(inputs: Mapping[str, Any], name: str) -> bool:
    value = inputs.get(name, False)
    return bool(json.loads(value.lower())) if isinstance(value, str) and value else bool(value)
