"""Small requests and answers between two pods, one at a time, and how long each took.

Its text is run by the image's own python3 (3.8 or newer): standard library only, and nothing of this project.
"""

import json
import math
import socket
import sys
import time
from typing import Any, Dict, Sequence

BYTES = 64
_WARM_UP = 20  # the first ones pay for ARP, connection tracking and a cold cache
_PAUSE_SECONDS = 0.001  # so that it asks of the network and not of two busy loops
_CONNECT_SECONDS = 20
_ANSWER_SECONDS = 10


def serve(port: int) -> None:
    """Answer every request with itself, one connection after the other, for ever."""
    if socket.has_dualstack_ipv6():
        server = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        server = socket.create_server(("", port))
    while True:
        connection, _ = server.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while data := connection.recv(BYTES):
                    connection.sendall(data)
            except OSError:
                pass  # the client is gone


def ask(host: str, port: int, seconds: float) -> Dict[str, Any]:
    """Ask for so long; milliseconds of every round trip after the warm-up, or why there are none."""
    try:
        with _connect(host, port) as connection:
            for _ in range(_WARM_UP):
                _once(connection)
            taken, end = [], time.monotonic() + seconds
            while time.monotonic() < end:
                taken.append(_once(connection))
                time.sleep(_PAUSE_SECONDS)
    except OSError as error:
        return {"error": str(error) or type(error).__name__}
    return summary(taken)


def summary(milliseconds: Sequence[float]) -> Dict[str, Any]:
    """Count and percentiles by nearest rank: each is a round trip that really happened."""
    ranked = sorted(milliseconds)

    def percentile(percent: int) -> float:
        return round(ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)], 4)

    return {
        "round_trips": len(ranked),
        "p50_ms": percentile(50),
        "p99_ms": percentile(99),
        "max_ms": percentile(100),
    }


def _connect(host: str, port: int) -> socket.socket:
    end = time.monotonic() + _CONNECT_SECONDS
    while True:
        try:
            connection = socket.create_connection((host, port), timeout=_ANSWER_SECONDS)
        except OSError:  # its Python may still be loading
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def _once(connection: socket.socket) -> float:
    start = time.perf_counter()
    connection.sendall(b"." * BYTES)
    left = BYTES
    while left:
        part = connection.recv(left)
        if not part:
            raise ConnectionError("the other pod closed the connection")
        left -= len(part)
    return (time.perf_counter() - start) * 1000


def main(words: Sequence[str]) -> int:
    """`serve PORT`, or `ask HOST PORT SECONDS FILE`, which writes JSON to the file."""
    if words[0] == "serve":
        serve(int(words[1]))
    result = ask(words[1], int(words[2]), float(words[3]))
    with open(words[4], "w", encoding="utf-8") as file:  # noqa: PTH123 (the reader is any Python, in any image)
        json.dump(result, file)
    return 1 if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
