"""How a look speaks: results on standard output, everything about them on standard error."""

from __future__ import annotations

import json
import sys
from typing import Any

from vds.shared.placement import Place


def about(place: Place) -> dict[str, Any]:
    """The pod and its node, for JSON."""
    return {"pod": str(place), "node": place.node, "address": place.address, "hostNetwork": place.host_network}


def say_place(place: Place) -> None:
    """Which node was picked, and whose network is seen."""
    whose = ": it uses its node's network (hostNetwork), so this is the node's own" if place.host_network else ""
    note(f"pod {place} on node {place.node}{whose}")


def note(text: str) -> None:
    """A line beside the result."""
    if text:
        print(text, file=sys.stderr, flush=True)


def print_json(result: Any) -> None:
    """The result and nothing else."""
    print(json.dumps(result, indent=2, ensure_ascii=False))
