"""Runs scripts on a node over SSH, and restores one that leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pydantic import SecretStr

from components.nodes.decommission.document import Decommission
from components.nodes.server_document import ServerDocument

if TYPE_CHECKING:
    import asyncssh

_SLACK_SECONDS = 15
"""For a server that stops answering: a script ends itself after its own limit and some seconds."""
_LOST = "the connection was lost ({}): run again, it continues from there"


class UnansweredError(Exception):
    """The node did not answer, or another machine answered at its address."""


class RefusedError(Exception):
    """The node answered and refused; the text says what to do."""


class NodeShell:
    """Runs scripts on a node."""

    def __init__(self, server: ServerDocument, private_key: SecretStr) -> None:
        self._server, self._private_key = server, private_key

    def probe(self) -> None:
        """Raises UnansweredError or RefusedError if `run` could not do its work either."""
        asyncio.run(self._probe())

    def run(self, command: str, script: str, *, seconds: float, purpose: str) -> str:
        """What a command line of root's printed. `seconds`: its own limit; `purpose` ends "its script could not".

        Raises UnansweredError or RefusedError.
        """
        return asyncio.run(self._run(command, script, seconds, purpose))

    async def _probe(self) -> None:
        async with await self._connect():
            pass

    async def _run(self, command: str, script: str, seconds: float, purpose: str) -> str:
        import asyncssh

        from components.core.shell import as_root
        from components.nodes.connection import EndlessError, other_user, reason, run

        connection = await self._connect()
        try:
            async with connection:
                line = as_root(command, self._server.user)
                done = await run(connection, line, script, seconds=seconds + _SLACK_SECONDS)
        except EndlessError as error:
            raise RefusedError(f"{error}, so its script was ended") from None
        except (TimeoutError, OSError, asyncssh.Error) as error:
            raise RefusedError(_LOST.format(reason(error))) from None
        if done.status is None:  # no error for asyncssh
            raise RefusedError(_LOST.format("it ended without an exit code"))
        if remedy := other_user(done.output):
            raise RefusedError(remedy)
        if done.status:
            text = done.errors.strip()[-2000:] or f"exit code {done.status}"
            raise RefusedError(f"its script could not {purpose}: {text}")
        return done.output

    async def _connect(self) -> asyncssh.SSHClientConnection:
        import asyncssh

        from components.nodes.connection import BastionError, Server, connect, has_another_host_key, private_key, reason

        document = self._server
        try:
            key = private_key(self._private_key.get_secret_value())
        except ValueError as error:
            raise RefusedError(f"{error}: set it again") from None
        try:
            limits = (document.dial_seconds, document.dial_attempts)
            through = document.bastion
            bastion = Server(through.host, through.port, through.user, through.host_key, *limits) if through else None
            server = Server(document.address, document.port, document.user, document.host_key, *limits, bastion)
            return await connect(server, key)
        except BastionError as error:  # the node may be alive: it is not abandoned for that
            raise RefusedError(f"{error}: start the bastion, or correct ssh.bastion, and run again") from None
        except asyncssh.PermissionDenied:
            raise RefusedError(
                f"it does not let {document.user} in with the stack's key: add the public key to authorized_keys there"
            ) from None
        except (TimeoutError, OSError, asyncssh.Error) as error:
            if has_another_host_key(error):
                raise UnansweredError("another machine answers at this address: its host key differs") from None
            if isinstance(error, asyncssh.KeyExchangeFailed):
                raise RefusedError(f"it has no SSH algorithm in common with us: {error.reason}") from None
            raise UnansweredError(reason(error)) from None


class NodeServer(NodeShell):
    """The server of a node that leaves."""

    def __init__(self, document: Decommission) -> None:
        super().__init__(document, document.private_key)
        self._document = document

    def remove(self) -> str:
        """What the script's `remove` printed. Raises UnansweredError or RefusedError."""
        from components.kubeadm import scripts as membership  # the models behind them take long to import
        from components.nodes.settings.script import RUN_SECONDS, command

        if script := self._document.leaving_script:
            leave = membership.command("remove")
            self.run(leave, script, seconds=membership.RUN_SECONDS, purpose="remove it from the cluster")
        return self.run(command("remove"), self._document.script, seconds=RUN_SECONDS, purpose="decommission it")
