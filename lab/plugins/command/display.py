"""Send lines of a running command to the engine's display, in their order."""

import asyncio
from typing import Any


class Display:
    """One channel to the engine; lines wait in a queue, so that a command never waits for the display."""

    def __init__(self, engine: str) -> None:
        self._address = engine
        self._lines: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None

    def show(self, urn: str, line: str) -> None:
        """Show a line under the resource of that URN."""
        if self._sender is None:
            self._sender = asyncio.create_task(self._send())
        self._lines.put_nowait((urn, line))

    async def drained(self) -> None:
        """Wait until every line so far is with the engine."""
        await self._lines.join()

    async def _send(self) -> None:
        import grpc.aio  # type: ignore[import-untyped]
        from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

        engine: Any = engine_pb2_grpc.EngineStub(grpc.aio.insecure_channel(self._address))
        while True:
            urn, line = await self._lines.get()
            try:
                await engine.Log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line, urn=urn))
            except grpc.aio.AioRpcError:
                pass  # the engine has ended
            finally:
                self._lines.task_done()
