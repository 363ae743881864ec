"""SSH servers on loopback that run what they are asked with a PATH of a test's own."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import asyncssh


class Servers(NamedTuple):
    """Servers that listen."""

    port: int
    host_key: str
    private_key: str
    """What lets in."""


class _Forwards(asyncssh.SSHServer):
    def connection_requested(self, *_: Any) -> bool:
        return True


async def _pass_on(source: asyncio.StreamReader, target: Any) -> None:
    while piece := await source.read(65536):
        target.write(piece)


@contextmanager
def listening(
    addresses: Sequence[str], path: str, *, key: str = "", forced: str = "", forwards: bool = False
) -> Iterator[Servers]:
    """A server on each loopback address, all on one port.

    `key` lets in, or a new one; `forced` is run instead of what is asked, as `command=` in authorized_keys does;
    `forwards` makes it a bastion.
    """
    host = asyncssh.generate_private_key("ssh-ed25519")
    user = asyncssh.import_private_key(key) if key else asyncssh.generate_private_key("ssh-ed25519")
    authorized = asyncssh.import_authorized_keys(user.export_public_key().decode())

    shells: list[Any] = []

    async def end(shell: Any) -> None:
        if shell.returncode is None:
            shell.kill()
            shell._transport.close()  # what it printed is not read to its end
        await shell.wait()

    async def answer(process: Any) -> None:
        shell: Any = await asyncio.create_subprocess_shell(
            forced or process.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": path},
        )
        shells.append(shell)
        shell.stdin.write(await process.stdin.read())
        shell.stdin.close()
        await asyncio.gather(_pass_on(shell.stdout, process.stdout), _pass_on(shell.stderr, process.stderr))
        process.exit(await shell.wait())

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def on_loop(waited_for: Any) -> Any:
        async def work() -> Any:
            return await waited_for

        return asyncio.run_coroutine_threadsafe(work(), loop).result(30)

    async def close(server: Any) -> None:
        server.close()  # on the loop's own thread: it also closes itself there when its last connection goes
        await server.wait_closed()

    opened: list[Any] = []
    port = 0
    try:
        for address in addresses:
            options: dict[str, Any] = {
                "server_host_keys": [host],
                "authorized_client_keys": authorized,
                "encoding": None,
            }
            if forwards:
                options["server_factory"] = _Forwards
            server = on_loop(asyncssh.listen(address, port, process_factory=answer, **options))
            opened.append(server)
            port = server.get_port()
        public = " ".join(host.export_public_key().decode().split()[:2])
        yield Servers(port, public, user.export_private_key().decode())
    finally:
        for server in opened:
            on_loop(close(server))
        for shell in shells:
            on_loop(end(shell))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
