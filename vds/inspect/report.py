"""Prints results on standard output, and notes about them on standard error."""

import sys
from typing import Any

from vds.inspect.pods import RunningPod


def pod_document(pod: RunningPod) -> dict[str, Any]:
    """The pod and its node, for JSON."""
    return {"pod": str(pod), "node": pod.node, "address": pod.address, "hostNetwork": pod.host_network}


def show_pod(pod: RunningPod) -> None:
    """The pod, its node, and whether the network is that of the node."""
    whose = ": it uses its node's network (hostNetwork)" if pod.host_network else ""
    note(f"pod {pod} on node {pod.node}{whose}")


def note(text: str) -> None:
    """A line beside the result."""
    if text:
        print(text, file=sys.stderr, flush=True)
