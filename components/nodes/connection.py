"""SSH connections to nodes: with one key, one trusted host key, and retries.

The lab's stand-in for Pulumi's command provider has its own: it follows the official provider, with passwords, agents
and proxies.
"""

import asyncio
import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import NamedTuple

import asyncssh

from components.core.untrusted import without_escapes
from components.nodes.model import NodeSpec, SshSpec

_FIRST_PAUSE_SECONDS = 0.5
"""Before the second attempt; doubled after each. What sshd refuses above its MaxStartups has ended by then."""

_AGENT_SECONDS = 5
_KEEPALIVE_SECONDS = 15
"""Between two questions to a server that says nothing. After three without an answer the connection counts as lost."""

_FINAL = (asyncssh.HostKeyNotVerifiable, asyncssh.PermissionDenied, asyncssh.KeyExchangeFailed)
"""Answers of a server that another attempt would get again."""

ConnectError = TimeoutError | OSError | asyncssh.Error
"""What `connect` raises."""


class BastionError(OSError):
    """The bastion could not be reached, so nothing is known of the node."""

    def __init__(self, bastion: "Server", error: ConnectError) -> None:
        super().__init__(f"the bastion {bastion}: {reason(error)}")
        self.bastion, self.error = bastion, error


class Server(NamedTuple):
    """The SSH server of a node."""

    address: str
    port: int
    user: str
    host_key: str | None
    dial_seconds: int
    """For one attempt."""
    dial_attempts: int
    bastion: "Server | None" = None
    """The server that it is reached through."""

    def __str__(self) -> str:
        return f"{self.address} port {self.port}"


def server_of(node: NodeSpec, ssh: SshSpec) -> Server:
    """A node's server, as the stack file has it."""
    limits = (ssh.dial_seconds, ssh.dial_attempts)
    through = ssh.bastion
    bastion = Server(through.host, through.port, through.user, through.host_key, *limits) if through else None
    return Server(node.ssh_host, node.ssh_port or ssh.port, ssh.user, node.host_key, *limits, bastion)


def private_key(text: str) -> asyncssh.SSHKey:
    """The stack's SSH key. Raises ValueError; its text does not repeat the key."""
    try:
        return asyncssh.import_private_key(text)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise ValueError("vds-platform:sshPrivateKey is not an unencrypted SSH private key") from None


def agent_problem(path: str) -> str:
    """Why the SSH agent at this socket does not answer; empty if it does, or if there is no path.

    Pulumi's command provider (1.2) offers the keys of the agent that SSH_AUTH_SOCK names too, after the stack's key,
    and opens no connection if that agent does not answer.
    """
    if not path:
        return ""
    with socket.socket(socket.AF_UNIX) as agent:
        agent.settimeout(_AGENT_SECONDS)
        try:
            agent.connect(path)
        except OSError as error:
            return reason(error)
    return ""


async def connect(server: Server, key: asyncssh.SSHKey, *, retry_silent: bool = True) -> asyncssh.SSHClientConnection:
    """A connection, after `dial_attempts` attempts. The user's ssh configuration and agent are not used.

    `retry_silent=False` tries a silent host only once and retries refused connections only.
    """
    started = time.monotonic()
    for attempt in count(1):
        try:
            return await _dial(server, key)
        except _FINAL:
            raise
        except (TimeoutError, OSError, asyncssh.Error) as error:
            if isinstance(error, BastionError) and isinstance(error.error, _FINAL):
                raise
            silent = time.monotonic() - started >= 0.9 * server.dial_seconds
            if attempt >= server.dial_attempts or (silent and not retry_silent):
                raise
        await asyncio.sleep(min(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), server.dial_seconds))
    raise AssertionError  # the loop has no end


async def _dial(server: Server, key: asyncssh.SSHKey) -> asyncssh.SSHClientConnection:
    tunnel = None
    if server.bastion:
        try:
            tunnel = await _dial(server.bastion, key)
        except (TimeoutError, OSError, asyncssh.Error) as error:
            raise BastionError(server.bastion, error) from error
    try:
        opened = await asyncssh.connect(
            server.address,
            server.port,
            tunnel=tunnel or (),
            keepalive_interval=_KEEPALIVE_SECONDS,
            username=server.user,
            client_keys=[key],
            known_hosts=asyncssh.import_known_hosts(f"* {server.host_key}\n"),
            server_host_key_algs=["ssh-ed25519"],
            agent_path=None,
            config=None,
            connect_timeout=server.dial_seconds,
            login_timeout=server.dial_seconds,
        )
    except BaseException:
        if tunnel:
            tunnel.abort()
        raise
    if tunnel:
        opened.set_tunnel(tunnel)  # it ends with the connection
    return opened


MOST_BYTES = 4_000_000
"""Of what a node's script may print. The survey of a node with 200 others prints a twentieth of that."""


class EndlessError(OSError):
    """A node printed more than it may; its channel is closed."""


class LateError(TimeoutError):
    """A command did not end in its time."""

    def __init__(self, output: str) -> None:
        super().__init__("no answer in time")
        self.output = output
        """What it had printed."""


class Done(NamedTuple):
    """A command that has ended. Its texts have no escape sequences."""

    status: int | None
    """Its exit code; negative: the signal that ended it; None if the node gave none."""
    output: str
    errors: str


async def run(
    opened: asyncssh.SSHClientConnection,
    command_line: str,
    script: str,
    *,
    seconds: float,
    most: int = MOST_BYTES,
    take: Callable[[bytes], None] | None = None,
) -> Done:
    """Run a command on a node with a script on standard input: every user of the node can read a command line.

    `take` gets the pieces of standard output as they arrive; nothing is kept of it then. Raises LateError,
    EndlessError, and what `connect` raises.
    """
    output, errors = bytearray(), bytearray()

    async def read(stream: "asyncssh.SSHReader[bytes]", got: Callable[[bytes], None], most: int) -> None:
        left = most
        while piece := await stream.read(65536):
            left -= len(piece)
            if left < 0:
                raise EndlessError(f"it printed more than {most} bytes")
            got(piece)

    process = None
    try:
        async with asyncio.timeout(seconds):
            process = await opened.create_process(command_line, encoding=None)
            with suppress(BrokenPipeError):  # the command has ended: its output says why
                process.stdin.write(script.encode())
                process.stdin.write_eof()
            await asyncio.gather(
                read(process.stdout, take or output.extend, most), read(process.stderr, errors.extend, MOST_BYTES)
            )
            await process.wait_closed()
        return Done(process.returncode, _text(output), _text(errors))
    except TimeoutError:
        raise LateError(_text(output)) from None
    finally:
        if process:
            process.channel.abort()  # it may still print


def _text(output: bytearray) -> str:
    return without_escapes(output.decode(errors="replace"))


_OTHER_USER = re.compile(r'Please login as the user "([^"\s]+)" rather than the user "([^"\s]+)"')
"""What cloud images let root's key run instead of a shell (cloud-init, disable_root_opts)."""


def other_user(output: str) -> str:
    """What to do if a server's output says that another user must log in; empty if it says nothing like that."""
    found = _OTHER_USER.search(output)
    if not found:
        return ""
    name, refused = found.groups()
    return (
        f"its image lets {name} log in and not {refused}: write ssh.user: {name}, or remove the options before "
        f"{refused}'s key from its authorized_keys on the server"
    )


def has_another_host_key(error: Exception) -> bool:
    """Whether another machine answered: its host key differs, or it has none of our type."""
    return isinstance(error, asyncssh.HostKeyNotVerifiable) or (
        isinstance(error, asyncssh.KeyExchangeFailed) and "host key" in str(error).lower()
    )


def reason(error: Exception) -> str:
    """Why a connection failed or was lost."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.errno:  # asyncio's own text repeats the address
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
