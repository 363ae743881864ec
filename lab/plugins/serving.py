"""Common to all plugins: serve on a free port, print it for the engine, and end with the engine."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc.aio  # type: ignore[import-untyped]

_PARENT_CHECK_SECONDS = 1.0
_MESSAGE_LIMIT_BYTES = 400 * 1024 * 1024  # the engine's own limit, sdk/go/common/util/rpcutil


def serve(
    add_to: Callable[[Any], None],
    *,
    stop: Callable[[], Awaitable[None]],
    interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
) -> None:
    """Serve what `add_to` adds to the server, until SIGINT, SIGTERM or the death of the engine."""
    logging.getLogger("grpc").setLevel(logging.CRITICAL)  # aborted calls are normal
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(add_to, stop, interceptors))
    # Threads that wait for a server or a name must not keep the plugin from ending.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _serve(
    add_to: Callable[[Any], None],
    stop: Callable[[], Awaitable[None]],
    interceptors: Sequence[grpc.aio.ServerInterceptor],
) -> None:
    options = [
        ("grpc.max_receive_message_length", _MESSAGE_LIMIT_BYTES),
        ("grpc.max_send_message_length", -1),
    ]
    server = grpc.aio.server(interceptors=list(interceptors), options=options)
    add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    orphaned = asyncio.create_task(_end_with_engine(os.getppid(), ended))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await ended.wait()
    orphaned.cancel()
    await stop()
    await server.stop(grace=0)


async def _end_with_engine(engine: int, ended: asyncio.Event) -> None:
    """A killed engine sends no message; then we get another parent.

    PR_SET_PDEATHSIG would not do: it fires when the *thread* that started us ends, and Go ends threads.
    """
    while os.getppid() == engine:
        await asyncio.sleep(_PARENT_CHECK_SECONDS)
    ended.set()
