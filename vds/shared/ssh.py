"""Runs a script on nodes over SSH, with verified host keys, and passes on the output as it arrives."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import asyncssh

from components.core.shell import as_root
from components.core.untrusted import printable
from components.nodes import connection
from components.nodes.model import NodeSpec, SshSpec
from components.nodes.reading import not_reached
from vds.shared.errors import OperationError
from vds.shared.stack import Opened

_MARGIN_SECONDS = 20
"""Added to a script's own limit for the node's timeout(1), and once more for the connection."""

MOST_BYTES = {False: 64_000_000, True: 1_000_000_000}
"""Of standard output, by whether it is binary: lines of a monitor that runs for minutes, and a capture of packets."""

OnOutput = Callable[[str, bytes], None]
"""Gets a node's name and a part of its standard output: a whole line, or any part of a binary stream."""


class Run(NamedTuple):
    """How a script ended on one node."""

    node: str
    status: int | None
    """Its exit code; None if it did not run or did not end."""
    errors: str
    """Its standard error, or why it did not run."""


def private_key(text: str) -> asyncssh.SSHKey:
    """The stack's SSH key. Raises OperationError if it is not one."""
    try:
        return connection.private_key(text)
    except ValueError as error:
        raise OperationError(f"{error}: set it again") from None


def run_everywhere(
    nodes: Sequence[NodeSpec],
    scripts: Sequence[str],
    ssh: SshSpec,
    key: asyncssh.SSHKey,
    *,
    seconds: float,
    on_output: OnOutput,
    binary: bool = False,
    program: str = "sh -s",
) -> list[Run]:
    """Run each node's script, all at the same time. An unreachable node raises nothing; its Run has the reason.

    `program`: what reads the script from standard input.
    """

    async def work() -> list[Run]:
        pairs = zip(nodes, scripts, strict=True)
        return await asyncio.gather(
            *(_run(node, script, ssh, key, seconds, on_output, binary, program) for node, script in pairs)
        )

    return asyncio.run(work())


def outputs_of(
    opened: Opened, nodes: Sequence[NodeSpec], scripts: Sequence[str], seconds: float, *, program: str = "sh -s"
) -> list[tuple[Run, str]]:
    """Each node's run of its script and what it printed, all at the same time. A run may have failed."""
    printed = {node.name: "" for node in nodes}

    def add(node: str, piece: bytes) -> None:
        printed[node] += piece.decode(errors="replace")

    key = private_key(opened.ssh_private_key)
    runs = run_everywhere(nodes, scripts, opened.spec.ssh, key, seconds=seconds, on_output=add, program=program)
    return [(run, printed[run.node]) for run in runs]


async def _run(
    node: NodeSpec,
    script: str,
    ssh: SshSpec,
    key: asyncssh.SSHKey,
    seconds: float,
    on_output: OnOutput,
    binary: bool,
    program: str,
) -> Run:
    limit = round(seconds + _MARGIN_SECONDS)
    server = connection.server_of(node, ssh)
    lines = _Lines(lambda piece: on_output(node.name, piece))
    take = (lambda piece: on_output(node.name, piece)) if binary else lines.add
    try:
        opened = await connection.connect(server, key)
    except (TimeoutError, OSError, asyncssh.Error) as error:
        return Run(node.name, None, f"node {node.name}: {not_reached(server, error).reason}")
    try:
        command = as_root(f"timeout -k 5 {limit} {program}", server.user)
        most = MOST_BYTES[binary]
        done = await connection.run(opened, command, script, seconds=limit + _MARGIN_SECONDS, most=most, take=take)
        lines.end()
    except connection.LateError:
        reason = f"{server} did not finish within {limit} s: is the node overloaded?"
        return Run(node.name, None, f"node {node.name}: {reason}")
    except (TimeoutError, OSError, asyncssh.Error) as error:
        return Run(node.name, None, f"node {node.name}: {server} was lost ({connection.reason(error)})")
    finally:
        opened.abort()
    return Run(node.name, done.status, done.errors.strip())


class _Lines:
    """Makes lines of the pieces of a text, without escape sequences."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take, self._rest = take, b""

    def add(self, piece: bytes) -> None:
        *whole, self._rest = (self._rest + piece).split(b"\n")
        for line in whole:
            self._take(printable(line.decode(errors="replace")).encode() + b"\n")

    def end(self) -> None:
        if self._rest:
            self._take(printable(self._rest.decode(errors="replace")).encode())
