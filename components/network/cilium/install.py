"""How Cilium is installed: its chart, and a wait for every agent."""

from components.core.names import KUBE_SYSTEM
from components.network.cilium.model import Cilium
from components.network.cilium.rollout import rollout_annotations
from components.network.cilium.values import cilium_values
from components.network.install import Chart, Install, WaitAnnotation
from components.network.networks import ChartContext, NetworkSpec


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
