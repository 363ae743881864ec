"""Restores a node over one verified SSH connection, as `components.nodes.reading` reads them."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from components.kubeadm import scripts as membership
from components.nodes.decommission.document import Decommission
from components.nodes.settings.script import RUN_SECONDS, command

if TYPE_CHECKING:
    import asyncssh

_SLACK_SECONDS = 15
"""A script ends itself on the node after its own limit and some seconds; this is for a server that stops answering."""
_FIRST_PAUSE_SECONDS = 0.5
_LOST = "the connection was lost half-way ({}): run again, it goes on from there"
_ANOTHER = "another machine answers there: it shows another host key"


class UnansweredError(Exception):
    """The node did not answer; the text says how. Another machine at its address is no answer of the node."""


class RefusedError(Exception):
    """The node answered, and did not do as it was asked; the text says what to do."""


class NodeServer:
    """The server that a node is."""

    def __init__(self, document: Decommission) -> None:
        self._document = document

    def probe(self) -> None:
        """Raises UnansweredError or RefusedError where `remove` could not do its work either."""
        asyncio.run(self._probe())

    def remove(self) -> str:
        """What the script's `remove` printed. Raises UnansweredError or RefusedError."""
        return asyncio.run(self._remove())

    async def _probe(self) -> None:
        async with await self._dial():
            pass

    async def _remove(self) -> str:
        if self._document.leaving_script:
            how = membership.command("remove")
            await self._run(how, self._document.leaving_script, membership.RUN_SECONDS, "take it out of the cluster")
        return await self._run(command("remove"), self._document.script, RUN_SECONDS, "decommission it")

    async def _run(self, how: str, script: str, seconds: float, what: str) -> str:
        import asyncssh

        connection = await self._dial()
        try:
            async with connection:
                done = await connection.run(how, input=script, timeout=seconds + _SLACK_SECONDS)
        except (TimeoutError, OSError, asyncssh.Error) as error:
            raise RefusedError(_LOST.format(_why(error))) from None
        if done.exit_status is None:  # asyncssh does not call that an error
            raise RefusedError(_LOST.format("it ended without a status"))
        if done.exit_status:
            said = str(done.stderr).strip()[-2000:] or f"status {done.exit_status}"
            raise RefusedError(f"its script could not {what}: {said}")
        return str(done.stdout)

    async def _dial(self) -> asyncssh.SSHClientConnection:
        failures = 0
        while True:
            try:
                return await self._attempt()
            except (TimeoutError, OSError) as error:
                failures += 1
                if failures >= self._document.dial_attempts:
                    raise UnansweredError(_why(error)) from None
            await asyncio.sleep(min(_FIRST_PAUSE_SECONDS * 2**failures, self._document.dial_seconds))

    async def _attempt(self) -> asyncssh.SSHClientConnection:
        import asyncssh

        from components.nodes.connection import dial

        document = self._document
        try:
            key = asyncssh.import_private_key(document.private_key.get_secret_value())
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            raise RefusedError(
                "vds-platform:sshPrivateKey is not an unencrypted SSH private key: set it anew"
            ) from None
        try:
            return await dial(
                document.address,
                document.port,
                user=document.user,
                host_key=document.host_key,
                seconds=document.dial_seconds,
                key=key,
            )
        except asyncssh.HostKeyNotVerifiable:
            raise UnansweredError(_ANOTHER) from None
        except asyncssh.KeyExchangeFailed as error:
            if "host key" in str(error).lower():  # it has none of the type that ours has
                raise UnansweredError(_ANOTHER) from None
            raise RefusedError(f"it shares no SSH algorithms with us: {error.reason}") from None
        except asyncssh.PermissionDenied:
            raise RefusedError(
                f"it does not let {document.user} in with the stack's key: put the public key into authorized_keys"
            ) from None
        except asyncssh.Error as error:  # also how sshd turns away what is over its MaxStartups: worth another try
            raise ConnectionError(error.reason) from None


def _why(error: Any) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if getattr(error, "errno", None):  # asyncio's own text repeats the address
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
