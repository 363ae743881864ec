"""SSH connections to nodes: with one key, one trusted host key, and retries.

The lab's stand-in for Pulumi's command provider has its own: it follows the official provider, with passwords, agents
and proxies.
"""

import asyncio
import os
import time
from itertools import count
from typing import NamedTuple

import asyncssh

from components.nodes.model import NodeSpec, SshSpec

_FIRST_PAUSE_SECONDS = 0.5
"""Before the second attempt; doubled after each. What sshd refuses above its MaxStartups has ended by then."""

_FINAL = (asyncssh.HostKeyNotVerifiable, asyncssh.PermissionDenied, asyncssh.KeyExchangeFailed)
"""Answers of a server that another attempt would get again."""

ConnectError = TimeoutError | OSError | asyncssh.Error
"""What `connect` raises."""


class Server(NamedTuple):
    """The SSH server of a node."""

    address: str
    port: int
    user: str
    host_key: str | None
    dial_seconds: int
    """For one attempt."""
    dial_attempts: int

    def __str__(self) -> str:
        return f"{self.address} port {self.port}"


def server_of(node: NodeSpec, ssh: SshSpec) -> Server:
    """A node's server, as the stack file has it."""
    return Server(str(node.address), ssh.port, ssh.user, node.host_key, ssh.dial_seconds, ssh.dial_attempts)


def private_key(text: str) -> asyncssh.SSHKey:
    """The stack's SSH key. Raises ValueError; its text does not repeat the key."""
    try:
        return asyncssh.import_private_key(text)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise ValueError("vds-platform:sshPrivateKey is not an unencrypted SSH private key") from None


async def connect(server: Server, key: asyncssh.SSHKey, *, retry_silent: bool = True) -> asyncssh.SSHClientConnection:
    """A connection, after `dial_attempts` attempts. The user's ssh configuration and agent are not used.

    `retry_silent=False` tries a silent host only once and retries refused connections only.
    """
    started = time.monotonic()
    for attempt in count(1):
        try:
            return await asyncssh.connect(
                server.address,
                server.port,
                username=server.user,
                client_keys=[key],
                known_hosts=asyncssh.import_known_hosts(f"* {server.host_key}\n"),
                server_host_key_algs=["ssh-ed25519"],
                agent_path=None,
                config=None,
                connect_timeout=server.dial_seconds,
                login_timeout=server.dial_seconds,
            )
        except _FINAL:
            raise
        except (TimeoutError, OSError, asyncssh.Error):
            silent = time.monotonic() - started >= 0.9 * server.dial_seconds
            if attempt >= server.dial_attempts or (silent and not retry_silent):
                raise
        await asyncio.sleep(min(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), server.dial_seconds))
    raise AssertionError  # the loop has no end


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
