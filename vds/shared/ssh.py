"""Runs a script on a node over SSH, host key verified, and hands out what it prints as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import asyncssh

from components.nodes.model import NodeSpec, SshSpec
from components.nodes.reading import connect, not_reached
from vds.shared.errors import OperationError

_MARGIN_SECONDS = 20
"""More than a script's own limits, for the node's timeout(1), and again for us: a node that hangs hangs nothing."""

Take = Callable[[str, bytes], None]
"""Takes a node's name and a piece of its standard output: a whole line, or any piece of a binary stream."""


class Run(NamedTuple):
    """How a script ended on one node."""

    node: str
    status: int | None
    """Its exit status; None if it never ran, or never ended."""
    errors: str
    """Its standard error, or why it never ran."""


def private_key(text: str) -> asyncssh.SSHKey:
    """The stack's SSH key. Raises OperationError where it is none."""
    try:
        return asyncssh.import_private_key(text)
    except asyncssh.KeyImportError:
        raise OperationError("vds-platform:sshPrivateKey is not an unencrypted SSH private key: set it anew") from None


def run_everywhere(
    nodes: Sequence[NodeSpec],
    scripts: Sequence[str],
    ssh: SshSpec,
    key: asyncssh.SSHKey,
    *,
    seconds: float,
    take: Take,
    binary: bool = False,
) -> list[Run]:
    """Each node's script, all at once. A node that can't be reached fails by itself and raises nothing."""

    async def work() -> list[Run]:
        pairs = zip(nodes, scripts, strict=True)
        return await asyncio.gather(*(_run(node, script, ssh, key, seconds, take, binary) for node, script in pairs))

    return asyncio.run(work())


async def _run(
    node: NodeSpec, script: str, ssh: SshSpec, key: asyncssh.SSHKey, seconds: float, take: Take, binary: bool
) -> Run:
    limit = round(seconds + _MARGIN_SECONDS)
    try:
        async with await connect(node, ssh, key) as connection:
            try:
                async with asyncio.timeout(limit + _MARGIN_SECONDS):
                    status, errors = await _ask(connection, script, limit, lambda piece: take(node.name, piece), binary)
            except TimeoutError:
                reason = f"{node.address} did not end what it was asked within {limit} s: is the node overloaded?"
                return Run(node.name, None, f"node {node.name}: {reason}")
    except (TimeoutError, OSError, asyncssh.Error) as error:
        return Run(node.name, None, f"node {node.name}: {not_reached(node, ssh, error).reason}")
    return Run(node.name, status, errors.decode(errors="replace").strip())


async def _ask(
    connection: asyncssh.SSHClientConnection, script: str, limit: int, take: Callable[[bytes], None], binary: bool
) -> tuple[int | None, bytes]:
    async with connection.create_process(f"timeout -k 5 {limit} sh -s", encoding=None) as process:
        process.stdin.write(script.encode())  # not in argv, where every user of the node could read it
        process.stdin.write_eof()
        errors, _ = await asyncio.gather(process.stderr.read(), _hand_out(process.stdout, take, binary))
        await process.wait_closed()
        return process.returncode, errors


async def _hand_out(stream: asyncssh.SSHReader[bytes], take: Callable[[bytes], None], binary: bool) -> None:
    while piece := await (stream.read(65536) if binary else stream.readline()):
        take(piece)
