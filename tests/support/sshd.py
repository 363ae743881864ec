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


@contextmanager
def listening(addresses: Sequence[str], path: str) -> Iterator[Servers]:
    """A server on each loopback address, all on one port."""
    host, user = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    authorized = asyncssh.import_authorized_keys(user.export_public_key().decode())

    async def answer(process: Any) -> None:
        shell = await asyncio.create_subprocess_shell(
            process.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": path},
        )
        output, errors = await shell.communicate(await process.stdin.read())
        process.stdout.write(output)
        process.stderr.write(errors)
        process.exit(shell.returncode)

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
            options = {"server_host_keys": [host], "authorized_client_keys": authorized, "encoding": None}
            server = on_loop(asyncssh.listen(address, port, process_factory=answer, **options))
            opened.append(server)
            port = server.get_port()
        public = " ".join(host.export_public_key().decode().split()[:2])
        yield Servers(port, public, user.export_private_key().decode())
    finally:
        for server in opened:
            on_loop(close(server))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
