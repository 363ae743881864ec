"""Ask from inside a namespace of the lab: calls, loads and DF pings, as one JSON answer.

Run there as `python -m lab.probe`, the questions as JSON on standard input, so that one start serves many questions.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
_ROUTE_SECONDS = 10
_HEADERS = {"Accept": "application/json", "User-Agent": "vds-platform-lab"}


def call(host: str, port: int, within_seconds: float = 0) -> dict[str, Any]:
    """An HTTP GET: whether it was answered, and by whom or why not; asked again until `within_seconds` have passed.

    By time and not by a number of tries: a refused connection fails at once, and ten of them are no wait at all.
    """
    return _again(lambda: _call_once(host, port), lambda answer: bool(answer["answered"]), within_seconds)


def _again(ask: Callable[[], T], is_good: Callable[[T], bool], seconds: float) -> T:
    """The first good answer, or the last one when the time is up; asked at least once."""
    deadline = time.monotonic() + seconds
    while not is_good(answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def _call_once(host: str, port: int, path: str = "/", timeout_seconds: float = 2) -> dict[str, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    try:
        connection.request("GET", path, headers=_HEADERS)
        answer = connection.getresponse()
        body = answer.read()
        said = json.loads(body) if body else {}
        return {"answered": True, "status": answer.status, "pod": said.get("pod"), "client": said.get("client")}
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"answered": False, "error": f"{type(error).__name__}: {error}"}
    finally:
        connection.close()


def split(host: str, port: int, path: str, hostname: str, requests: int) -> dict[str, Any]:
    """Ask the same question `requests` times; count which track answered, and keep the last headers seen there."""
    tracks: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    headers: dict[str, str] = {}
    started = time.monotonic()
    connection = http.client.HTTPConnection(host, port, timeout=5)
    for _ in range(requests):
        try:
            connection.request("GET", path, headers={**_HEADERS, "Host": hostname})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                failures[f"status {answer.status}"] += 1
                continue
            seen = json.loads(body)
            tracks[seen["track"]] += 1
            headers = seen["headers"]
        except (OSError, http.client.HTTPException) as error:
            failures[f"{type(error).__name__}: {error}"] += 1
            connection.close()
    connection.close()
    return {
        "counts": dict(tracks),
        "failures": dict(failures),
        "backend_headers": headers,
        "seconds": round(time.monotonic() - started, 2),
    }


def path_mtu(host: str, expected: int) -> int:
    """The largest IPv4 packet, in bytes, that reaches `host` unfragmented; 0 if none does.

    One ping that passes at `expected` and one that doesn't a byte above it are proof; else it is searched for.
    """
    low, high = 576, 9200
    if _passes(host, expected):
        if not _df_ping(host, expected + 1):
            return expected
        low = expected + 1
    else:
        high = expected - 1
        if not _df_ping(host, low):
            return 0
    while low < high:
        middle = (low + high + 1) // 2
        if _df_ping(host, middle):
            low = middle
        else:
            high = middle - 1
    return low


def _passes(host: str, packet_bytes: int) -> bool:
    """Asked again for some time: a route that is not there yet refuses at once, a busy machine loses a packet."""
    return _again(lambda: _df_ping(host, packet_bytes), bool, _ROUTE_SECONDS)


def _df_ping(host: str, packet_bytes: int) -> bool:
    payload = packet_bytes - 28  # IPv4 header 20 + ICMP header 8
    command = ["ping", "-n", "-q", "-c", "1", "-W", "1", "-M", "do", "-s", str(payload), host]
    return subprocess.run(command, capture_output=True).returncode == 0


def route_mtu(host: str) -> int:
    """The MTU, in bytes, that this namespace's own kernel uses towards `host`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))
        ip_mtu = 14  # linux/in.h; not in the socket module before Python 3.14
        return probe.getsockopt(socket.IPPROTO_IP, ip_mtu)


QUESTIONS: dict[str, Callable[..., Any]] = {"call": call, "split": split, "path_mtu": path_mtu, "route_mtu": route_mtu}


def main() -> None:
    """Answer every question of the standard input, at once: most of their time is waiting for what never comes."""
    questions = json.load(sys.stdin)
    with ThreadPoolExecutor(len(questions) or 1) as pool:
        json.dump(list(pool.map(lambda q: QUESTIONS[q.pop("ask")](**q), questions)), sys.stdout)


if __name__ == "__main__":
    main()
