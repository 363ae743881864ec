"""A server that is reached over SSH, and a MetalLB pool that would take its address away."""

import pulumi
from pulumi_command import remote
from pulumi_kubernetes.apiextensions import CustomResource


class Server(pulumi.ComponentResource):
    """Somebody's own component for a rented server."""

    def __init__(self, name: str, address: str) -> None:
        super().__init__("agency:index:Server", name, {"address": address, "country": "NO"})
        remote.Command(
            f"{name}-hello",
            connection=remote.ConnectionArgs(host=address, user="root", host_key="ssh-ed25519 AAAA"),
            create="hostname",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"country": "NO"})


Server("osl-2", "192.0.2.12")
CustomResource(
    "spare",
    api_version="metallb.io/v1beta1",
    kind="IPAddressPool",
    metadata={"name": "spare", "namespace": "metallb-system"},
    spec={"addresses": ["192.0.2.10-192.0.2.20"]},
)
