"""Asks the agent of a backup on control planes, over SSH."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from components.core.untrusted import YamlError, json_value
from components.kubeadm.backup.credentials import ACCESS_KEY, IDENTITY, READER_KEY
from components.kubeadm.backup.model import BackupSpec
from components.kubeadm.backup.render import RUN_SECONDS, agent_program, settings
from components.kubeadm.model import Bootstrap
from components.nodes.model import NodeSpec
from vds.shared.errors import OperationError
from vds.shared.ssh import Run, outputs_of
from vds.shared.stack import Opened

PROGRAM = "python3 -I -"


class Answer(NamedTuple):
    """What the agent of one node printed, or why it could not."""

    node: str
    found: dict[str, Any]
    problem: str = ""


def made_by_us(opened: Opened) -> Bootstrap:
    """The cluster. Raises OperationError if another tool made it."""
    bootstrap = opened.spec.bootstrap
    if bootstrap is None:
        raise OperationError(
            f"stack {opened.name}: cluster.kind is existing: back up that cluster with the tools that made it"
        )
    return bootstrap


def wanted(opened: Opened) -> tuple[Bootstrap, BackupSpec]:
    """The cluster and its backup. Raises OperationError if the stack has none."""
    bootstrap = made_by_us(opened)
    if bootstrap.cluster.backup is None:
        raise OperationError(
            f"stack {opened.name}: cluster.backup is missing: write where snapshots are kept, and run `pulumi up`"
        )
    return bootstrap, bootstrap.cluster.backup


def given(
    opened: Opened, node: NodeSpec, *, reads: bool = False, decrypts: bool = False, snapshot: str = ""
) -> dict[str, Any]:
    """What the agent gets on one node. `reads`: with the access key that may read; `decrypts`: also with the secret
    that opens a snapshot."""
    bootstrap, spec = wanted(opened)
    found = settings(bootstrap, spec, node)
    writer = opened.secret(ACCESS_KEY, "the bucket asks for it")
    found["access_key"] = opened.secrets.get(READER_KEY, writer).strip() if reads or decrypts else writer
    if decrypts:
        found |= {"identity": opened.secret(IDENTITY, "snapshots are decrypted with it"), "object": snapshot}
    return found


def ask(opened: Opened, nodes: Sequence[NodeSpec], verb: str, texts: Sequence[dict[str, Any]]) -> list[Answer]:
    """The agent's answer on each node, all at the same time."""
    programs = [agent_program(text) for text in texts]
    asked = outputs_of(opened, nodes, programs, RUN_SECONDS, program=f"{PROGRAM} {verb}")
    return [_answer(run, output) for run, output in asked]


def _answer(run: Run, output: str) -> Answer:
    if run.status != 0:
        said = run.errors or f"the agent ended with {run.status} and printed nothing"
        return Answer(run.node, {}, said if said.startswith("node ") else f"node {run.node}: {said[-1500:]}")
    try:
        found = json_value(output)
    except (ValueError, YamlError):
        found = None
    if not isinstance(found, dict):
        return Answer(run.node, {}, f"node {run.node}: the agent did not print its result: run this again")
    return Answer(run.node, found)
