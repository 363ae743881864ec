"""The cluster's network, by the chart of its CNI."""

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.apply import apply, apply_chart, apply_patch
from components.core.manifests import Manifest
from components.core.names import KUBE_SYSTEM, TIGERA_OPERATOR, child, token
from components.network.calico.objects import after_calico, before_calico, calico_marks
from components.network.calico.values import calico_namespace, calico_values
from components.network.cilium.rollout import agent_marks
from components.network.cilium.values import cilium_values
from components.network.data_path import data_path
from components.network.model import AnyCni, Around, Calico, Chart, NetworkSpec
from components.network.mtu import solve
from components.network.unmanaged import Flannel, Unmanaged


class Cni(pulumi.ComponentResource):
    """One CNI. Gateway API CRDs must be in the cluster before: its operator looks for them once, at start."""

    pod_mtu: pulumi.Output[int]
    """Bytes of the largest packet from pod to pod."""
    mtu_arithmetic: pulumi.Output[str]
    """How that number came about."""
    data_path: pulumi.Output[str]
    """Routing, load balancing and service proxy in words."""

    def __init__(
        self,
        name: str,
        spec: AnyCni,
        network: NetworkSpec,
        around: Around,
        *,
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource] = (),
        members: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`depends_on`: an API server, and Gateway API's CRDs where the platform brings them.

        `members`: every node of the cluster. They may join while the chart is installed; what waits for the CNI on
        every node comes after them.
        """
        links = {"underlayMtu": network.underlay_mtu}  # what the MTU policy judges the CNI's number against
        super().__init__(token("Cni"), name, links, opts)
        options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(depends_on))
        if isinstance(spec, Flannel | Unmanaged):
            pass  # somebody else installs it: what follows from its data path is all that is ours
        elif isinstance(spec, Calico):
            namespace = apply(child(name, "calico", "namespace"), calico_namespace(), options)
            within = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[namespace])
            first = [apply(_name(name, item), item, within) for item in before_calico(spec, network)]
            after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[namespace, *first])
            # The project tags its charts with a v.
            chart = Chart(f"v{spec.version}", spec.install.repository, spec.install.timeout_seconds)
            values = calico_values(spec, network, around.images)
            release = apply_chart(child(name, "calico"), "tigera-operator", TIGERA_OPERATOR, chart, values, after)
            ready: list[pulumi.Resource] = [release, *members]
            for mark in calico_marks(spec):
                behind = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(ready))
                ready.append(apply_patch(child(name, "calico", mark["kind"].lower()), mark, behind))
            served = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=ready)
            for item in after_calico(spec):
                # The operator makes `default` objects as well: who comes second must find no fault in the first.
                make = apply_patch if item["metadata"]["name"] == "default" else apply
                make(_name(name, item), item, served)
        else:
            chart = Chart(spec.version, spec.install.repository, spec.install.timeout_seconds)
            values = cilium_values(
                spec,
                network,
                cluster=around.cluster,
                operators=2 if len(around.nodes) > 1 else 1,  # two on two nodes, and two on two hundred
                announces=around.announces,
                gateway_bundle=around.gateway_bundle,
                images=around.images,
            )
            release = apply_chart(child(name, "cilium"), "cilium", KUBE_SYSTEM, chart, values, options)
            limit = pulumi.CustomTimeouts(create=f"{chart.timeout_seconds}s", update=f"{chart.timeout_seconds}s")
            after = pulumi.ResourceOptions(
                parent=self, provider=provider, depends_on=[release, *members], custom_timeouts=limit
            )
            for mark in agent_marks(spec, values):
                apply_patch(child(name, "agents", mark["metadata"]["name"]), mark, after)
        mtu = solve(spec, network.underlay_mtu)
        self.pod_mtu = pulumi.Output.from_input(mtu.pod)
        self.mtu_arithmetic = pulumi.Output.from_input(mtu.arithmetic)
        self.data_path = pulumi.Output.from_input(data_path(spec))
        self.register_outputs(
            {**links, "podMtu": self.pod_mtu, "mtuArithmetic": self.mtu_arithmetic, "dataPath": self.data_path}
        )


def _name(component: str, item: Manifest) -> str:
    return child(component, item["kind"].lower(), item["metadata"]["name"])
