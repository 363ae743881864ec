"""The `connection` of a command that the engine runs on a node."""

import pulumi
from pulumi_command import remote

from components.nodes.connection import server_of
from components.nodes.model import NodeSpec, SshSpec


def connection(node: NodeSpec, ssh: SshSpec, private_key: pulumi.Input[str]) -> remote.ConnectionArgs:
    """A node's server, through the bastion if the stack file has one. Both host keys are verified."""
    server = server_of(node, ssh)
    through = server.bastion
    return remote.ConnectionArgs(
        host=server.address,
        port=server.port,
        user=server.user,
        private_key=private_key,
        host_key=server.host_key,
        dial_error_limit=server.dial_attempts,
        per_dial_timeout=server.dial_seconds,
        proxy=remote.ProxyConnectionArgs(
            host=through.address,
            port=through.port,
            user=through.user,
            private_key=private_key,
            host_key=through.host_key,
            dial_error_limit=through.dial_attempts,
            per_dial_timeout=through.dial_seconds,
        )
        if through
        else None,
    )
