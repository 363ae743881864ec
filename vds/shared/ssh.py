"""Runs a script on nodes over SSH, with verified host keys, and passes on the output as it arrives."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import asyncssh

from components.core.shell import as_root
from components.nodes import connection
from components.nodes.model import NodeSpec, SshSpec
from components.nodes.reading import not_reached
from vds.shared.errors import OperationError

_MARGIN_SECONDS = 20
"""Added to a script's own limit for the node's timeout(1), and once more for the connection."""

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
) -> list[Run]:
    """Run each node's script, all at the same time. An unreachable node raises nothing; its Run has the reason."""

    async def work() -> list[Run]:
        pairs = zip(nodes, scripts, strict=True)
        return await asyncio.gather(
            *(_run(node, script, ssh, key, seconds, on_output, binary) for node, script in pairs)
        )

    return asyncio.run(work())


async def _run(
    node: NodeSpec, script: str, ssh: SshSpec, key: asyncssh.SSHKey, seconds: float, on_output: OnOutput, binary: bool
) -> Run:
    limit = round(seconds + _MARGIN_SECONDS)
    server = connection.server_of(node, ssh)
    try:
        async with await connection.connect(server, key) as opened:
            try:
                async with asyncio.timeout(limit + _MARGIN_SECONDS):
                    status, errors = await _execute(
                        opened, server.user, script, limit, lambda piece: on_output(node.name, piece), binary
                    )
            except TimeoutError:
                reason = f"{server} did not finish within {limit} s: is the node overloaded?"
                return Run(node.name, None, f"node {node.name}: {reason}")
    except (TimeoutError, OSError, asyncssh.Error) as error:
        return Run(node.name, None, f"node {node.name}: {not_reached(server, error).reason}")
    return Run(node.name, status, errors.decode(errors="replace").strip())


async def _execute(
    opened: asyncssh.SSHClientConnection,
    user: str,
    script: str,
    limit: int,
    take: Callable[[bytes], None],
    binary: bool,
) -> tuple[int | None, bytes]:
    async with opened.create_process(as_root(f"timeout -k 5 {limit} sh -s", user), encoding=None) as process:
        process.stdin.write(script.encode())  # every user of the node can read argv
        process.stdin.write_eof()
        errors, _ = await asyncio.gather(process.stderr.read(), _pass_on(process.stdout, take, binary))
        await process.wait_closed()
        return process.returncode, errors


async def _pass_on(stream: asyncssh.SSHReader[bytes], take: Callable[[bytes], None], binary: bool) -> None:
    while piece := await (stream.read(65536) if binary else stream.readline()):
        take(piece)
