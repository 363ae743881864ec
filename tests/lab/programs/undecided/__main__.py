"""A server whose country is asked of a service, so that no preview can know it."""

import pulumi
from pulumi_command import local, remote


class Server(pulumi.ComponentResource):
    """Somebody's own component for a rented server."""

    def __init__(self, name: str, address: str, country: pulumi.Input[str]) -> None:
        super().__init__("agency:index:Server", name, {"address": address, "country": country})
        remote.Command(
            f"{name}-hello",
            connection=remote.ConnectionArgs(host=address, user="root", host_key="ssh-ed25519 AAAA"),
            create="hostname",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"country": country})


Server("osl-1", "192.0.2.11", local.Command("where", create="echo NO").stdout)
