"""How Cilium is installed: its chart, and a wait for every agent."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from components.charts.reference import Chart
from components.core.labels import WAITED_FOR
from components.core.manifests import Manifest
from components.core.names import KUBE_SYSTEM
from components.network.cilium.model import Cilium
from components.network.cilium.values import cilium_values
from components.network.networks import ChartContext, Install, NetworkSpec, WaitAnnotation


def cilium_install(cni: Cilium, network: NetworkSpec, context: ChartContext) -> Install:
    """The chart, and its DaemonSets on every node."""
    name, version = cni.chart
    values = cilium_values(cni, network, context)
    return Install(
        kind="cilium",
        chart=Chart(name, KUBE_SYSTEM, version, cni.install.repository, cni.install.timeout_seconds),
        values=values,
        waits=tuple(
            WaitAnnotation(("agents", item["metadata"]["name"]), item) for item in rollout_annotations(cni, values)
        ),
    )


def rollout_annotations(cni: Cilium, values: Mapping[str, Any]) -> list[Manifest]:
    """Annotations on the chart's objects: applying one waits until the object is rolled out.

    They change with the Release and not with the nodes: a server that is gone for good still counts as a node whose
    agent is not ready, and taking it out of the stack file would wait for it in vain.
    """
    said = json.dumps([cni.version, values], sort_keys=True)
    revision = hashlib.sha256(said.encode()).hexdigest()[:16]
    objects = [("DaemonSet", "cilium"), ("Deployment", "cilium-operator")]
    if cni.l7_proxy:
        objects.append(("DaemonSet", "cilium-envoy"))
    if (values.get("hubble") or {}).get("relay", {}).get("enabled"):
        objects.append(("Deployment", "hubble-relay"))
    return [
        {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": KUBE_SYSTEM, "annotations": {WAITED_FOR: revision}},
        }
        for kind, name in objects
    ]
