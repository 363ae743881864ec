"""Reads all nodes over SSH at once, before the program declares anything. Read only, one connection for each node."""

import asyncio
import math
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar

import asyncssh

from components.core.shell import UNFIT, as_root
from components.nodes import connection
from components.nodes.connection import (
    BastionError,
    ConnectError,
    EndlessError,
    LateError,
    Server,
    connect,
    has_another_host_key,
    other_user,
    reason,
    run,
    server_of,
)
from components.nodes.model import NodeRequirements, NodeSpec, SshSpec
from components.nodes.preflight.facts import Survey
from components.nodes.preflight.facts import parse as parse_survey
from components.nodes.preflight.script import SURVEY_SECONDS, survey_command, survey_script
from components.nodes.settings.drift import Reading, UnreachableNode
from components.nodes.settings.readback import Readback, parse
from components.nodes.settings.script import command

READ_SECONDS = 10
"""For a reading, once connected. It takes a tenth of a second; a node that hangs must not hang the run."""

_CLOSE_SECONDS = 5
"""For closing the connections, which a node may not answer."""
_ENDED_BY_TIMEOUT = (124, 137, 143)
"""Exit statuses of timeout(1): its own, after KILL, and the survey's after TERM."""

Ask = Literal["change", "all", "none"]
"""Which nodes to survey: all if one of them is to be changed; always all; none."""
T = TypeVar("T")


class Fleet(NamedTuple):
    """What was read of all nodes."""

    readings: Mapping[str, Reading]
    """By name, for every node that was asked."""
    surveys: tuple[Survey, ...] = ()
    """Facts for the preflight's verdict; empty where no node was surveyed."""
    answers: Mapping[str, Any] = MappingProxyType({})
    """By name, what was asked beside the settings, for every node that answered that."""


class Question(NamedTuple):
    """What nodes are asked beside their settings."""

    command: str
    """The command line that root runs there. It changes nothing."""
    parse: Callable[[str], Any]
    """Reads what it printed. Raises ValueError."""


def read_fleet(
    nodes: Sequence[NodeSpec],
    scripts: Mapping[str, str],
    requirements: NodeRequirements,
    ssh: SshSpec,
    private_key: str | None,
    *,
    ask: Ask = "change",
    window_seconds: float = 0,
    measure_disk: bool | None = None,
    question: Question | None = None,
) -> Fleet:
    """What every node reports; nothing without a key. A node that can't be read gives a reason and raises nothing.

    `window_seconds` 0: counters are compared with those of an earlier survey, or of the node's start. `measure_disk`
    None: on control planes that are servers. Where etcd runs it is never measured.
    """
    if private_key is None:
        return Fleet({})
    try:
        key = connection.private_key(private_key)
    except ValueError as error:
        failure = UnreachableNode(str(error))
        return Fleet({node.name: failure for node in nodes})
    reader = _Reader(scripts, requirements, ssh, key, ask, window_seconds, measure_disk, question)
    # The program runs inside the engine's event loop; the reading has its own, on its own thread.
    with ThreadPoolExecutor(1, thread_name_prefix="read-nodes") as pool:
        return pool.submit(lambda: asyncio.run(reader.read(nodes))).result()


def not_reached(server: Server, error: ConnectError) -> UnreachableNode:
    """Why there is no connection to a node."""
    if isinstance(error, BastionError):
        found = not_reached(error.bastion, error.error)
        return UnreachableNode(f"the bastion {found.reason}", untrusted=found.untrusted)
    if has_another_host_key(error):
        return UnreachableNode(f"{server} has another host key than the stack file", untrusted=True)
    if isinstance(error, asyncssh.PermissionDenied):
        return UnreachableNode(f"{server} does not let {server.user} in with this key")
    return UnreachableNode(f"{server} could not be reached ({reason(error)})")


class _Reader:
    def __init__(
        self,
        scripts: Mapping[str, str],
        requirements: NodeRequirements,
        ssh: SshSpec,
        key: asyncssh.SSHKey,
        ask: Ask,
        window_seconds: float,
        measure_disk: bool | None,
        question: Question | None,
    ) -> None:
        self._scripts, self._requirements, self._ssh, self._key = scripts, requirements, ssh, key
        self._ask, self._window_seconds, self._measure_disk = ask, window_seconds, measure_disk
        self._question = question
        self._run = secrets.token_hex(4)

    async def read(self, nodes: Sequence[NodeSpec]) -> Fleet:
        results = await self._of_each(nodes, self._connect)
        failed = {node: result for node, result in results.items() if isinstance(result, UnreachableNode)}
        connections = {node: result for node, result in results.items() if not isinstance(result, UnreachableNode)}
        try:
            readings = await self._of_each(connections, lambda node: self._check(node, connections[node]))
            by_name = {node.name: (readings | failed)[node] for node in nodes}
            surveys = await self._survey_all(connections, readings)
            # The first change would be refused too: this stops the run before.
            refused = (
                Survey(node.name, {}, failure=reading.reason)
                for node, reading in readings.items()
                if isinstance(reading, UnreachableNode) and reading.refused
            )
            return Fleet(by_name, (*surveys, *refused), await self._ask_also(connections))
        finally:
            for connection in connections.values():
                connection.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await asyncio.gather(*(one.wait_closed() for one in connections.values()), return_exceptions=True)
            for connection in connections.values():
                connection.abort()

    async def _of_each(
        self, nodes: Iterable[NodeSpec], ask: Callable[[NodeSpec], Awaitable[T | UnreachableNode]]
    ) -> dict[NodeSpec, T | UnreachableNode]:
        """What each node answers. Whatever goes wrong with one node is that node's answer."""
        asked = tuple(nodes)
        answers = await asyncio.gather(*map(ask, asked), return_exceptions=True)
        found: dict[NodeSpec, T | UnreachableNode] = {}
        for node, answer in zip(asked, answers, strict=True):
            if isinstance(answer, Exception):
                answer = UnreachableNode(f"{server_of(node, self._ssh)} can't be read ({type(answer).__name__})")
            if isinstance(answer, BaseException):
                raise answer
            found[node] = answer
        return found

    async def _connect(self, node: NodeSpec) -> "asyncssh.SSHClientConnection | UnreachableNode":
        server = server_of(node, self._ssh)
        try:
            # A silent host once: an update reads twice before its first change.
            return await connect(server, self._key, retry_silent=False)
        except (TimeoutError, OSError, asyncssh.Error) as error:
            return not_reached(server, error)

    async def _check(self, node: NodeSpec, connection: "asyncssh.SSHClientConnection") -> Readback | UnreachableNode:
        line = as_root(command("check"), self._ssh.user)
        return await self._run_script(node, connection, line, self._scripts[node.name], READ_SECONDS, parse)

    async def _ask_also(self, connections: "Mapping[NodeSpec, asyncssh.SSHClientConnection]") -> dict[str, Any]:
        """What the nodes answer to the question. A node that fails is in the readings already, or is left out."""
        asked = self._question
        if asked is None:
            return {}
        line = as_root(asked.command, self._ssh.user)
        found = await self._of_each(
            connections,
            lambda node: self._run_script(node, connections[node], line, "", READ_SECONDS, asked.parse),
        )
        return {node.name: said for node, said in found.items() if not isinstance(said, UnreachableNode)}

    async def _survey_all(
        self,
        connections: "Mapping[NodeSpec, asyncssh.SSHClientConnection]",
        readings: Mapping[NodeSpec, Readback | UnreachableNode],
    ) -> tuple[Survey, ...]:
        """All nodes at the same time, because they listen to each other."""
        asked = {node: reading for node, reading in readings.items() if isinstance(reading, Readback)}
        to_change = any(reading.verdict in ("absent", "outdated") for reading in asked.values())
        if self._ask == "none" or (self._ask == "change" and not to_change):
            return ()

        async def survey(node: NodeSpec) -> Survey | UnreachableNode:
            by_default = "control-plane" in node.roles and node.machine == "server"
            measure = by_default if self._measure_disk is None else self._measure_disk
            text = survey_script(
                node,
                list(asked),
                self._requirements,
                run=self._run,
                window_seconds=self._window_seconds,
                measure_disk=measure,
            )

            def facts(output: str) -> Survey:
                return parse_survey(output, node=node.name, received_at=time.time())

            limit = SURVEY_SECONDS + math.ceil(self._window_seconds)
            line = as_root(survey_command(limit), self._ssh.user)
            return await self._run_script(node, connections[node], line, text, limit + 10, facts)

        found = await self._of_each(asked, survey)
        return tuple(
            answer if isinstance(answer, Survey) else Survey(node.name, {}, failure=answer.reason)
            for node, answer in found.items()
        )

    async def _run_script(
        self,
        node: NodeSpec,
        connection: "asyncssh.SSHClientConnection",
        command_line: str,
        script: str,
        seconds: float,
        parse_output: Callable[[str], T],
    ) -> T | UnreachableNode:
        where = server_of(node, self._ssh)
        try:
            done = await run(connection, command_line, script, seconds=seconds)
        except LateError as error:
            if remedy := other_user(error.output):
                return UnreachableNode(remedy, refused=True)
            return UnreachableNode(f"{where} did not answer the reading within {seconds:g} s")
        except EndlessError as error:
            return UnreachableNode(f"{where} can't be read: {error}")
        except (TimeoutError, OSError, asyncssh.Error) as error:
            return UnreachableNode(f"{where} was lost during the reading ({reason(error)})")
        if done.status == 127 and "python3" in command_line:
            return UnreachableNode("it has no python3, by which it is surveyed: apt-get install python3")
        if lacking := re.search(r"^ModuleNotFoundError: No module named '(\w+)'", done.errors, re.MULTILINE):
            said = f"its python3 lacks the module {lacking[1]}, as Debian's python3-minimal does"
            return UnreachableNode(f"{said}: apt-get install python3")
        if done.status in _ENDED_BY_TIMEOUT:
            return UnreachableNode(
                "it did not end its reading in time: check whether it is overloaded or waits for a disk"
            )
        if remedy := other_user(done.output):
            return UnreachableNode(remedy, refused=True)
        if done.status != 0:
            said = f"its reading failed: {done.errors.strip()[-500:] or f'exit code {done.status}'}"
            return UnreachableNode(said, refused=done.status == UNFIT)
        try:
            return parse_output(done.output)
        except ValueError as error:
            return UnreachableNode(f"{where} can't be read: {error}")
