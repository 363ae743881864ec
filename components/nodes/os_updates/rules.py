"""What is wrong with the window in which nodes are rebooted."""

from collections.abc import Iterator, Sequence

from components.core.finding import Finding
from components.nodes.model import NodeSpec
from components.nodes.os_updates.model import OsUpdates

BOOT_SECONDS = 600
"""Until a server answers SSH after a reboot: the default of Ansible's module reboot, because the firmware of physical
servers tests their memory."""
READY_SECONDS = 300
"""Until it is Ready and its pods are: agents of a CNI start within two minutes."""


def seconds_for(node: NodeSpec) -> int:
    """The longest that a node may take, from its cordon until it takes pods again."""
    return node.drain_seconds + BOOT_SECONDS + READY_SECONDS


def window_problems(updates: OsUpdates | None, nodes: Sequence[NodeSpec]) -> Iterator[Finding]:
    """A window in which no node, or not every node, can be rebooted."""
    if updates is None:
        return
    slowest = max(nodes, key=seconds_for)
    needed = -(-seconds_for(slowest) // 60)
    if updates.window.minutes < needed:
        said = (
            f"is open for {updates.window.minutes} min, and node {slowest.name} may take {needed} min: "
            f"{slowest.drain_seconds} s to drain, {BOOT_SECONDS} s to boot, {READY_SECONDS} s to be ready"
        )
        yield Finding(
            "nodes-os-updates", "osUpdates.window", said, "write a later `to`", value=f"{updates.window.minutes} min"
        )
