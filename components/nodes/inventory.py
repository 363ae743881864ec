"""What the cluster has of the nodes: their record, and the labels and taints that decide where pods run."""

from collections.abc import Iterable, Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.apply import apply, apply_patch
from components.core.kubeconfig import public_kubeconfig
from components.core.names import child, token
from components.nodes.inventory_render import labels, patch, record, taints
from components.nodes.model import NodeSpec


class Record(pulumi.ComponentResource):
    """The nodes of the stack file. A destroy deletes it before it decommissions any of them."""

    def __init__(
        self,
        name: str,
        environment: str,
        nodes: Iterable[str],
        *,
        kubeconfig: pulumi.Input[str],
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> None:
        """`kubeconfig`: its public part is an input, so that an exported state shows how the cluster is verified.
        `depends_on`: every node. The engine deletes in the opposite order, so a destroy deletes this first."""
        public = pulumi.Output.unsecret(pulumi.Output.from_input(kubeconfig).apply(public_kubeconfig))
        super().__init__(token("Record"), name, {"kubeconfig": public})
        options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(depends_on))
        apply(child(name, "nodes"), record(environment, nodes), options)
        self.register_outputs({"kubeconfig": public})


class Placement(pulumi.ComponentResource):
    """The labels and taints that the stack file has for its nodes.

    They are set on the Node objects and not by the kubelet: a kubelet sets labels only when it registers, and a label
    that it owns would stay when it leaves the stack file.
    """

    def __init__(
        self,
        name: str,
        nodes: Iterable[NodeSpec],
        *,
        kept: bool,
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        """`depends_on`: what the Node objects exist after: an apply would make the object of a node that has none.

        `kept`: nothing is taken back from a node that leaves, because its Node object goes with it. The provider does
        not look whether the object is there: it would make one that is gone anew, empty. Every node has a patch then,
        so that the last label that leaves the stack file goes by an update, which fails for a node that is gone.
        """
        super().__init__(token("Placement"), name)
        options = pulumi.ResourceOptions(
            parent=self, provider=provider, depends_on=list(depends_on), retain_on_delete=kept
        )
        for node in nodes:
            if kept or labels(node) or taints(node) is not None:
                apply_patch(child(name, node.name), patch(node), options)
        self.register_outputs({})
