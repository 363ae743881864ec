"""Requests at a steady rate, and what is counted of them."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lab import probe
from tests.support.ports import free_port


@contextmanager
def served(answers: list[bytes]) -> Iterator[int]:
    """A server that gives each connection the next of these answers; the last one again and again."""
    loop, begun, port = asyncio.new_event_loop(), threading.Event(), free_port()

    async def serve() -> None:
        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(answers.pop(0) if len(answers) > 1 else answers[0])
            writer.close()

        async with await asyncio.start_server(one, "127.0.0.1", port):
            begun.set()
            await ended.wait()

    ended = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        begun.wait()
        yield port
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def test_each_request_is_answered_or_lost() -> None:
    answers = [b"HTTP/1.1 301 Moved\r\n\r\n", b"HTTP/1.1 503 No\r\n\r\n", b"", b"odd\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
    with served(answers) as port:
        said = probe.paced("127.0.0.1", port, "a.example.no", "/", per_second=100, seconds=0.1, within_seconds=60)
    assert said["failures"] == {"status 503": 1, "ConnectionError": 2}
    assert (said["sent"], said["answered"], len(said["lost_at"])) == (10, 7, 3)
    assert said["longest_gap"] > 0


def test_without_a_server_all_are_lost() -> None:
    said = probe.paced("127.0.0.1", free_port(), "a.example.no", "/", per_second=100, seconds=0.05)
    assert said["failures"] == {"ConnectionRefusedError": 5}
    assert said["answered"] == 0
    assert said["lost_at"] == sorted(said["lost_at"])
