"""The record of nodes in the cluster."""

from collections.abc import Iterable, Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.apply import apply
from components.core.names import child, token
from components.nodes.inventory_render import record


class Record(pulumi.ComponentResource):
    """The nodes of the stack file. A destroy deletes it before it decommissions any of them."""

    def __init__(
        self,
        name: str,
        environment: str,
        nodes: Iterable[str],
        *,
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> None:
        """`depends_on`: every node. The engine deletes in the opposite order, so a destroy deletes this first."""
        super().__init__(token("Record"), name)
        options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(depends_on))
        apply(child(name, "nodes"), record(environment, nodes), options)
        self.register_outputs({})
