"""The program that surveys one node: `survey.py` with a request."""

import json
from collections.abc import Sequence
from pathlib import Path

from components.nodes.model import NodeRequirements, NodeSpec

SURVEY_SECONDS = 75
"""Time limit of a survey on the node, without its window: lost pings, and 45 s for a slow disk."""

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
    window_seconds: float = 1.5,
    measure_disk: bool = False,
) -> str:
    """The Python text that asks one node; it goes in on standard input and holds no secret.

    `peers` are the nodes that are asked at the same time; `run` identifies this run, so that nodes recognise
    each other's probes; `measure_disk` writes 22 MB where etcd will.
    """
    preflight = requirements.preflight
    request = {
        "node": node.name,
        "address": str(node.address),
        "run": run,
        "mtu": requirements.underlay_mtu,
        "peers": [{"name": peer.name, "address": str(peer.address)} for peer in peers if peer.name != node.name],
        "ports": [{"port": need.port, "protocol": need.protocol} for need in requirements.ports],
        "references": [{"name": point.name, "address": str(point.address)} for point in preflight.reference_points],
        "pod_source": requirements.pod_source,
        "lookup": preflight.lookup,
        "services": ["containerd", "kubelet"],
        "etcd_folder": preflight.etcd_folder,
        "measure_disk": measure_disk,
        "window_seconds": window_seconds,
    }
    return f"{_SURVEY}\n\nmain(json.loads({json.dumps(request)!r}))\n"
