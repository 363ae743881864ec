"""Asks nodes over SSH what they know of their updates and their last boot."""

from collections.abc import Sequence
from typing import NamedTuple

from components.nodes.model import NodeSpec
from components.nodes.os_updates.state import SCRIPT, SECONDS, OsState, parse
from vds.shared.ssh import Run, outputs_of
from vds.shared.stack import Opened


class Answer(NamedTuple):
    """What a node said, or why it said nothing."""

    node: str
    state: OsState | None
    problem: str = ""


def ask(opened: Opened, nodes: Sequence[NodeSpec]) -> list[Answer]:
    """Every node's answer, all at the same time."""
    return [answer(run, output) for run, output in outputs_of(opened, nodes, [SCRIPT] * len(nodes), SECONDS)]


def answer(run: Run, output: str) -> Answer:
    """What a node's run of the script says."""
    if run.status != 0:
        said = run.errors.removeprefix(f"node {run.node}").strip(": ") or f"its script ended with {run.status}"
        return Answer(run.node, None, said[-300:])
    try:
        return Answer(run.node, parse(output))
    except ValueError as error:
        return Answer(run.node, None, str(error))
