"""Renders the record of nodes in the cluster, and the labels and taints of a node as a patch of its Node object.

`vds decommission` looks for it: while it exists, one node is being removed and is drained. In a destroy it is deleted
first, because it depends on every node, and nothing is drained.
"""

import json
from collections.abc import Iterable
from typing import Any

from components.core.labels import EDGE, PATCH_FORCE
from components.core.manifests import Manifest, manifest
from components.core.names import KUBE_SYSTEM, RECORD
from components.nodes.model import NodeSpec


def record(environment: str, nodes: Iterable[str]) -> Manifest:
    """The ConfigMap with these nodes' names."""
    data = {"environment": environment, "nodes": json.dumps(sorted(nodes))}
    return manifest("v1", "ConfigMap", RECORD, namespace=KUBE_SYSTEM, data=data)


CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
"""What kubeadm puts on a control plane that runs no other pods."""


def labels(node: NodeSpec) -> dict[str, str]:
    """What the stack file and its profiles ask for, sorted."""
    own = {EDGE: "true"} if "edge" in node.profiles else {}
    return dict(sorted((node.labels | own).items()))


def taints(node: NodeSpec) -> list[dict[str, str]] | None:
    """The whole list, with that of a control plane; None where the stack file doesn't say."""
    if node.taints is None:
        return None
    own = [
        {"key": taint.key, "effect": taint.effect} | ({"value": taint.value} if taint.value else {})
        for taint in node.taints
    ]
    only_control_plane = "worker" not in node.roles
    return ([CONTROL_PLANE_TAINT] if only_control_plane else []) + own


def patch(node: NodeSpec) -> Manifest:
    """The fields of the Node object that are ours.

    A list of taints has one owner (listType: atomic): Kubernetes' own for a node that is not ready is put back by its
    controller. Forced: a kubelet that registered with taints owns the list.
    """
    wanted, kept_off = labels(node), taints(node)
    metadata: dict[str, Any] = {"name": node.name, "annotations": {PATCH_FORCE: "true"}}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata | ({"labels": wanted} if wanted else {}),
        **({} if kept_off is None else {"spec": {"taints": kept_off}}),
    }
