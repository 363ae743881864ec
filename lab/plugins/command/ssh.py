"""Connect to a server with the `connection` input, and explain a failure precisely."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from components.nodes.connection import agent_problem
from lab.plugins.resource_server import ResourceError

if TYPE_CHECKING:
    import asyncssh

# The official provider's defaults.
DEFAULTS = {"port": 22, "user": "root", "dialErrorLimit": 10, "perDialTimeout": 15}
CREDENTIALS = ("privateKey", "privateKeyPassword", "password")
_FIRST_PAUSE_SECONDS = 0.5
_KEEPALIVE_SECONDS, _KEEPALIVES = 15, 9
"""As Go's net.Dialer has them by default, so the official provider notices a server that lost its power."""


@dataclass(frozen=True)
class Connection:
    """The `connection` input; secrets stay out of its representation."""

    host: str
    port: int
    user: str
    attempts: int
    """How often to dial; -1 without end."""
    seconds: float
    """How long one attempt may take, the pause after it included; 0 without end."""
    host_key: str | None
    private_key: str | None = field(repr=False)
    private_key_password: str | None = field(repr=False)
    password: str | None = field(repr=False)
    agent: str | None
    proxy: "Connection | None"

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


def credentials(inputs: Mapping[str, Any]) -> set[str]:
    """What of the `connection` input nobody may see, each line of a key by itself too."""
    texts = [str(inputs[name]) for name in CREDENTIALS if isinstance(inputs.get(name), str)]
    found = {*texts, *(line for text in texts for line in text.splitlines())}
    proxy = inputs.get("proxy")
    return found | credentials(proxy) if isinstance(proxy, Mapping) else found


def connection(inputs: Mapping[str, Any]) -> Connection:
    given = {**DEFAULTS, **{key: value for key, value in inputs.items() if value is not None}}
    proxy = given.get("proxy")
    return Connection(
        host=str(given["host"]),
        port=int(given["port"]),
        user=str(given["user"]),
        attempts=int(given["dialErrorLimit"]),
        seconds=float(given["perDialTimeout"]),
        host_key=given.get("hostKey"),
        private_key=given.get("privateKey"),
        private_key_password=given.get("privateKeyPassword"),
        password=given.get("password"),
        agent=given.get("agentSocketPath") or os.environ.get("SSH_AUTH_SOCK"),
        proxy=connection(proxy) if proxy else None,
    )


@asynccontextmanager
async def connected(to: Connection) -> "AsyncIterator[asyncssh.SSHClientConnection]":
    """A connection, through the proxy when there is one.

    Raises:
        ResourceError: with the host, the reason and what to do. A wrong host key and a refused login are
            not tried again, they can't heal; whatever else goes wrong is, as often as the connection allows.
    """
    async with AsyncExitStack() as stack:
        tunnel = await stack.enter_async_context(connected(to.proxy)) if to.proxy else None
        server = await _dial(to, tunnel)
        try:
            yield server
        except BaseException:
            server.abort()  # a graceful end would wait for the command
            raise
        server.close()
        await server.wait_closed()


async def _dial(to: Connection, tunnel: "asyncssh.SSHClientConnection | None") -> "asyncssh.SSHClientConnection":
    credentials = _credentials(to)
    failures = 0
    while True:
        started = time.monotonic()
        try:
            async with asyncio.timeout(to.seconds or None):
                return await _attempt(to, tunnel, credentials)
        except TimeoutError:
            reason = f"no answer within {to.seconds:g} s"
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
        except ConnectionError as error:
            reason = str(error)
        failures += 1
        if 0 <= to.attempts <= failures:
            raise ResourceError(
                f"{to}: not reachable over SSH after {failures} attempt{'s' * (failures != 1)}: {reason}: "
                "check that the server is up, its address and port, and the firewall between"
            )
        pause = _FIRST_PAUSE_SECONDS * 2 ** (failures - 1)
        left = to.seconds - (time.monotonic() - started) if to.seconds else pause
        await asyncio.sleep(max(0.0, min(pause, left)))


async def _attempt(to: Connection, tunnel: Any, credentials: dict[str, Any]) -> "asyncssh.SSHClientConnection":
    import asyncssh

    expected = _public_key(to)
    seen: list[asyncssh.SSHKey] = []

    class Client(asyncssh.SSHClient):
        def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
            seen.append(key)
            return expected is None or key.public_data == expected.public_data

    options: dict[str, Any] = {"server_host_key_algs": _algorithms(expected)} if expected else {}
    try:
        return await asyncssh.connect(
            to.host,
            to.port,
            username=to.user,
            client_factory=Client,
            known_hosts=([], [], []),  # trust no key here; our Client checks every key
            config=None,  # do not read ~/.ssh; only the program decides
            tunnel=tunnel or (),
            keepalive_interval=_KEEPALIVE_SECONDS,
            keepalive_count_max=_KEEPALIVES,
            **credentials,
            **options,
        )
    except asyncssh.HostKeyNotVerifiable:
        raise _wrong_host_key(to, expected, seen) from None
    except asyncssh.KeyExchangeFailed as error:
        if expected and "host key" in str(error).lower():
            raise _wrong_host_key(to, expected, seen) from None
        raise ResourceError(f"{to}: no common SSH algorithms: {error.reason}") from None
    except asyncssh.PermissionDenied:
        raise ResourceError(_refused(to, credentials)) from None
    except asyncssh.DisconnectError as error:
        # sshd also does this above MaxStartups, so try again.
        raise ConnectionError(f"the server closed the connection: {error.reason}") from None


def _wrong_host_key(to: Connection, expected: Any, seen: list[Any]) -> ResourceError:
    shown = f"{seen[-1].get_fingerprint()} ({seen[-1].get_algorithm()})" if seen else "of another type"
    wanted = f"{expected.get_fingerprint()} ({expected.get_algorithm()})" if expected else "none"
    return ResourceError(
        f"{to}: wrong host key: the server's is {shown}, expected {wanted}. If the server was installed anew, "
        "compare the new fingerprint on its console and set it as hostKey; otherwise another machine answers "
        "at this address. Nothing was sent to it"
    )


def _refused(to: Connection, credentials: Mapping[str, Any]) -> str:
    keys = credentials["client_keys"] or []
    tried = [f"private key {key.get_fingerprint()}" for key in keys]
    tried += ["password"] * bool(to.password) + ["SSH agent"] * bool(credentials["agent_path"])
    return (
        f"{to}: login refused ({', '.join(tried) or 'no credentials given'}): put the public key into "
        f"~{to.user}/.ssh/authorized_keys on the server, or correct user and privateKey"
    )


def _credentials(to: Connection) -> dict[str, Any]:
    import asyncssh

    if to.agent and (said := agent_problem(to.agent)):
        raise ResourceError(f"{to}: the SSH agent {to.agent} does not answer ({said}): unset SSH_AUTH_SOCK")
    key = None
    if to.private_key:
        try:
            key = asyncssh.import_private_key(to.private_key, to.private_key_password)
        except asyncssh.KeyEncryptionError:
            raise ResourceError(f"{to}: privateKey is encrypted: set the right privateKeyPassword") from None
        except (asyncssh.KeyImportError, ValueError):
            raise ResourceError(f"{to}: privateKey is not a private key in PEM or OpenSSH format") from None
    return {
        "client_keys": [key] if key else None,
        "password": None if key else to.password,  # the key has precedence
        "agent_path": to.agent,  # its keys are offered too
    }


def _public_key(to: Connection) -> Any:
    import asyncssh

    if not to.host_key:
        return None
    try:
        return asyncssh.import_public_key(to.host_key.strip())
    except (asyncssh.KeyImportError, ValueError):
        raise ResourceError(
            f"{to}: hostKey is not a public key: write it as in /etc/ssh/ssh_host_ed25519_key.pub"
        ) from None


def _algorithms(key: Any) -> list[str]:
    """Ask the server for a key of the expected type, which it would not show by itself if it has others."""
    return [str(name.decode() if isinstance(name, bytes) else name) for name in key.sig_algorithms]
