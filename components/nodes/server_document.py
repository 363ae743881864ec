"""How a command of `vds` that the engine runs reaches a node: a part of its document."""

from typing import TYPE_CHECKING, Any

from components.core.engine_document import EngineDocument

if TYPE_CHECKING:  # the command that reads the document starts in half the time without the models
    from components.nodes.model import NodeSpec, SshSpec


class BastionServer(EngineDocument):
    """The server that the node is reached through."""

    host: str
    port: int
    user: str
    host_key: str


class ServerDocument(EngineDocument):
    """A node's SSH server."""

    address: str
    port: int
    user: str
    host_key: str
    dial_seconds: int
    """Of one attempt to connect."""
    dial_attempts: int
    bastion: BastionServer | None = None


def server_facts(node: "NodeSpec", ssh: "SshSpec") -> dict[str, Any]:
    """A node's `ServerDocument`, for JSON."""
    return {
        "address": node.ssh_host,
        "port": node.ssh_port or ssh.port,
        "user": ssh.user,
        "hostKey": node.host_key,
        "dialSeconds": ssh.dial_seconds,
        "dialAttempts": ssh.dial_attempts,
        **({"bastion": ssh.bastion.model_dump(by_alias=True)} if ssh.bastion else {}),
    }
