"""The program that surveys one node: `survey.py` with a request."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from components.nodes.model import NodeRequirements, NodeSpec, PortNeed

SURVEY_SECONDS = 75
"""Time limit of a survey on the node, without its window: lost pings, and 30 s for a slow disk."""

_SURVEY = (Path(__file__).parent / "survey.py").read_text(encoding="utf-8")


def survey_command(seconds: int = SURVEY_SECONDS) -> str:
    """The command line that runs `survey_script` from standard input: isolated from the node's Python settings."""
    return f"timeout -k 5 {seconds} python3 -I -"


def survey_script(
    node: NodeSpec,
    peers: Sequence[NodeSpec],
    requirements: NodeRequirements,
    *,
    run: str,
    window_seconds: float = 0,
    measure_disk: bool = False,
) -> str:
    """The Python text that asks one node; it goes in on standard input and holds no secret.

    `peers` are the nodes that are asked at the same time; `run` identifies this run, so that nodes recognise
    each other's probes; `window_seconds` counts now instead of since an earlier survey; `measure_disk` writes 22 MB
    where etcd will.
    """
    preflight, endpoint = requirements.preflight, requirements.api_server
    request = {
        "node": node.name,
        "address": str(node.address),
        "run": run,
        "mtu": requirements.underlay_mtu,
        "peers": [{"name": peer.name, "address": str(peer.address)} for peer in peers if peer.name != node.name],
        "ports": [
            {"port": need.port, "protocol": need.protocol, "peers": listeners(need, node, peers)}
            for need in requirements.ports
        ],
        "api_server": {"host": endpoint.host, "port": endpoint.port} if endpoint else None,
        "cluster_dns": requirements.cluster_dns,
        "references": [{"name": point.name, "address": str(point.address)} for point in preflight.reference_points],
        "probes": preflight.probes,
        "pod_source": requirements.pod_source,
        "lookup": preflight.lookup,
        "services": ["containerd", "kubelet"],
        "etcd_folder": preflight.etcd_folder,
        "measure_disk": measure_disk,
        "window_seconds": window_seconds,
    }
    return f"{_SURVEY}\n\nmain(json.loads({json.dumps(request)!r}))\n"


def listeners(need: PortNeed, node: NodeSpec, peers: Iterable[NodeSpec]) -> list[str]:
    """The names of peers on which a node must reach a port."""
    if need.asked_by == "control-planes" and "control-plane" not in node.roles:
        return []
    here = [peer for peer in peers if need.on == "nodes" or "control-plane" in peer.roles]
    return [peer.name for peer in here if peer.name != node.name]
