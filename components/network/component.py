"""The cluster's network, by the chart of its CNI."""

import json
from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.apply import apply, apply_chart, apply_patch, apply_wait
from components.core.labels import WAIT_FOR, WAITED_FOR
from components.core.manifests import Manifest
from components.core.names import child, token
from components.network.kinds import cni_install
from components.network.model import AnyCni, ChartContext, NetworkSpec
from components.network.mtu import solve
from components.network.networks import Install


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
        context: ChartContext,
        *,
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource] = (),
        members: Sequence[pulumi.Resource] = (),
        node_names: Sequence[str] = (),
    ) -> None:
        """`depends_on`: an API server, and Gateway API's CRDs where the platform brings them.

        `members`: every node of the cluster. They may join while the chart is installed; what waits for the CNI on
        every node comes after them. `node_names`: of their Node objects, which become Ready when the CNI works
        there. They must exist: a patch of one that does not would make it.
        """
        links = {"underlayMtu": network.underlay_mtu}  # what the MTU policy judges the CNI's number against
        super().__init__(token("Cni"), name, links)
        install = cni_install(spec, network, context)
        if install:  # else somebody else does: what follows from its data path is all that is managed here
            self._install(name, install, provider, depends_on, members, node_names)
        mtu = solve(spec, network.underlay_mtu)
        self.pod_mtu = pulumi.Output.from_input(mtu.pod)
        self.mtu_arithmetic = pulumi.Output.from_input(mtu.arithmetic)
        self.data_path = pulumi.Output.from_input(spec.summary())
        self.register_outputs(
            {**links, "podMtu": self.pod_mtu, "mtuArithmetic": self.mtu_arithmetic, "dataPath": self.data_path}
        )

    def _install(
        self,
        name: str,
        install: Install,
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource],
        members: Sequence[pulumi.Resource],
        node_names: Sequence[str],
    ) -> None:
        limit = f"{install.chart.timeout_seconds}s"

        def after(*resources: pulumi.Resource, waits: bool = False) -> pulumi.ResourceOptions:
            timeouts = pulumi.CustomTimeouts(create=limit, update=limit) if waits else None
            return pulumi.ResourceOptions(
                parent=self, provider=provider, depends_on=list(resources), custom_timeouts=timeouts
            )

        ready = list(depends_on)
        if install.namespace:
            ready = [apply(child(name, install.kind, "namespace"), install.namespace, after(*ready))]
        ready += [apply(_name(name, item), item, after(*ready)) for item in install.before]
        if crds := install.crds:
            own = child(name, install.kind, "crds")
            ready += [apply_chart(own, crds, {}, after(*ready))]
        release = apply_chart(child(name, install.kind), install.chart, install.values, after(*ready))
        ready = [release, *members]
        waited: list[pulumi.Resource] = []
        for annotation in install.waits:
            earlier = waited if install.one_by_one else []
            wait = after(*ready, *earlier, waits=True)
            waited.append(apply_wait(child(name, *annotation.name), annotation.manifest, release, wait))
        for node in node_names:
            # Kept when the node leaves: taking the annotation back would make a Node object that is gone anew.
            kept = pulumi.ResourceOptions.merge(
                after(*ready, waits=True), pulumi.ResourceOptions(retain_on_delete=True)
            )
            apply_patch(child(name, "node", node), _ready_annotation(node), kept)
        for item in install.after:
            # The CNI makes `default` objects as well: who comes second must find no fault in the first.
            make = apply_patch if item["metadata"]["name"] == "default" else apply
            make(_name(name, item), item, after(*ready, *waited))


def _ready_annotation(node: str) -> Manifest:
    """Applying it waits until the node is Ready. Once: a node that is down later is the doctor's to find.

    It waits for the annotation too. Otherwise the provider may take the Node as it was before. Its outputs would then
    have no annotation, and the next update would change them.
    """
    both = ["condition=Ready", f"jsonpath={{.metadata.annotations['{WAITED_FOR}']}}=ready"]
    annotations = {WAIT_FOR: json.dumps(both), WAITED_FOR: "ready"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "annotations": annotations}}


def _name(component: str, item: Manifest) -> str:
    return child(component, item["kind"].lower(), item["metadata"]["name"])
