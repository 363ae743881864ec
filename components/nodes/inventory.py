"""What the cluster has of the nodes: their record, and the labels and taints that decide where pods run."""

from collections.abc import Iterable, Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.apply import apply, apply_patch
from components.core.kubeconfig import public_kubeconfig
from components.core.names import child, token
from components.nodes.inventory_render import patch, record
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
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        """`depends_on`: what the Node objects exist after: an apply would make the object of a node that has none."""
        super().__init__(token("Placement"), name)
        for node in nodes:
            manifest = patch(node)
            if manifest:
                options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(depends_on))
                apply_patch(child(name, node.name), manifest, options)
        self.register_outputs({})
