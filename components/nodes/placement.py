"""Labels and taints of the nodes, which decide where pods run."""

from collections.abc import Iterable, Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.apply import apply_patch
from components.core.names import child, token
from components.nodes.model import NodeSpec
from components.nodes.placement_render import patch


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
