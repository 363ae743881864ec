"""Requests from inside a network of the lab: HTTP calls, load, DNS and DF pings, with one JSON answer.

It runs as a separate program with only Python's standard library and `ping`. Questions are JSON on standard input, so
one start answers many.
"""

import asyncio
import http.client
import json
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
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


def _call_once(host: str, port: int, timeout_seconds: float = 2) -> dict[str, Any]:
    """One GET of agnhost's `/clientip`, which echo-basic answers as well: who answered, and whom it saw asking."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    try:
        connection.request("GET", "/clientip", headers=_HEADERS)
        answer = connection.getresponse()
        body = answer.read().decode()
        said = json.loads(body) if body.startswith("{") else {"client": body.strip().rpartition(":")[0]}
        return {"answered": True, "status": answer.status, "pod": said.get("pod"), "client": said.get("client")}
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"answered": False, "error": f"{type(error).__name__}: {error}"}
    finally:
        connection.close()


def connect(host: str, port: int, protocol: str, timeout_seconds: float) -> bool:
    """Whether a server accepts a connection (TCP) or answers a packet (UDP); asked three times by UDP."""
    kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
    number = socket.IPPROTO_SCTP if protocol == "SCTP" else 0
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM if number else kind, number) as asked:
            asked.settimeout(timeout_seconds if kind == socket.SOCK_STREAM or number else timeout_seconds / 3)
            asked.connect((host, port))
            return protocol != "UDP" or any(_answers(asked) for _ in range(3))
    except OSError:
        return False


def _answers(asked: socket.socket) -> bool:
    try:
        asked.send(b"?")
        return bool(asked.recv(512))
    except TimeoutError:
        return False


def split(address: str, port: int, hostname: str, path: str, authority: str, requests: int) -> dict[str, Any]:
    """Ask the same question by HTTPS `requests` times: who answered how often, and which headers the last one saw.

    `authority` is the path of the certificate that must have signed the server's; the server's must be for `hostname`.
    """
    backends: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    headers: dict[str, str] = {}
    started = time.monotonic()
    connection = _Https(address, port, hostname, authority)
    for _ in range(requests):
        try:
            connection.request("GET", path, headers={**_HEADERS, "Host": hostname})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                failures[f"status {answer.status}"] += 1
                continue
            seen = json.loads(body)
            backends[_backend(seen)] += 1
            headers = {name: ", ".join(values) for name, values in seen["headers"].items()}
        except (OSError, http.client.HTTPException) as error:
            failures[f"{type(error).__name__}: {error}"] += 1
            connection.close()
    connection.close()
    return {
        "counts": dict(backends),
        "failures": dict(failures),
        "backend_headers": headers,
        "seconds": round(time.monotonic() - started, 2),
    }


def _backend(answer: dict[str, Any]) -> str:
    """The Deployment of the pod that answered; a pod's name is that, the hash of the template, and its own suffix."""
    return str(answer["pod"]).rsplit("-", 2)[0]


def load(address: str, port: int, hostname: str, path: str, authority: str, seconds: float) -> dict[str, Any]:
    """Ask by HTTPS again and again: how many requests were answered, and the longest time in seconds without one."""
    answered, longest = 0, 0.0
    failures: Counter[str] = Counter()
    connection = _Https(address, port, hostname, authority, timeout=2)
    began = last = time.monotonic()
    while time.monotonic() < began + seconds:
        try:
            status, _ = _asked(connection, path, hostname)
            if status == 200:
                longest, last, answered = max(longest, time.monotonic() - last), time.monotonic(), answered + 1
            else:
                failures[f"status {status}"] += 1
        except (OSError, http.client.HTTPException) as error:
            failures[f"{type(error).__name__}: {error}"] += 1
            connection.close()
        time.sleep(0.02)
    connection.close()
    longest = max(longest, time.monotonic() - last)
    return {"answered": answered, "failures": dict(failures), "longest_gap": round(longest, 1)}


def paced(
    address: str, port: int, hostname: str, path: str, per_second: int, seconds: float, within_seconds: float = 2
) -> dict[str, Any]:
    """GETs by HTTP at fixed times, each on a new connection, whether or not those before it have an answer.

    Returns how many were sent and answered (a status below 400), why the others were not, the longest time in seconds
    without an answer, and when each lost request was sent: by the monotonic clock, which all processes share.
    """
    return asyncio.run(_paced((address, port), hostname, path, per_second, seconds, within_seconds))


async def _paced(
    server: tuple[str, int], hostname: str, path: str, per_second: int, seconds: float, within_seconds: float
) -> dict[str, Any]:
    request = f"GET {path} HTTP/1.1\r\nHost: {hostname}\r\nConnection: close\r\n\r\n".encode()
    failures: Counter[str] = Counter()
    lost: list[float] = []
    answers = [began := time.monotonic()]

    async def send() -> None:
        sent = time.monotonic()
        try:
            status = await asyncio.wait_for(_first_line(server, request), within_seconds)
        except (OSError, ValueError) as error:
            failures[type(error).__name__] += 1
        else:
            if status < 400:
                answers.append(time.monotonic())
                return
            failures[f"status {status}"] += 1
        lost.append(sent)

    tasks = []
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
        tasks.append(asyncio.create_task(send()))
    ended = time.monotonic()
    await asyncio.gather(*tasks)
    moments = [*answers, max(ended, answers[-1])]
    return {
        "sent": len(tasks),
        "answered": len(answers) - 1,
        "failures": dict(failures),
        "longest_gap": max(after - before for before, after in pairwise(moments)),
        "lost_at": sorted(lost),
    }


async def _first_line(server: tuple[str, int], request: bytes) -> int:
    """The status of an answer, whose rest is not read."""
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(request)
        return int((await reader.readline()).split()[1:2][0])
    except IndexError:
        raise ConnectionError("closed without an answer") from None
    finally:
        writer.transport.abort()


def runs(
    address: str, port: int, hostname: str, path: str, authority: str, seconds: float, pause: float = 0
) -> list[list[Any]]:
    """Ask by HTTPS again and again: rows of who answered, when the first of such requests was sent, when the last of
    them was answered, and how many there were. A row ends when somebody else answers.

    Times are seconds since 1970; `pause` is the time between two requests. Who: a Deployment, or the status or error
    of a request that no pod of the lab's own answered.
    """
    found: list[list[Any]] = []
    connection = _Https(address, port, hostname, authority, timeout=5)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        asked = time.time()
        try:
            status, body = _asked(connection, path, hostname)
            who = _backend(json.loads(body)) if status == 200 and body.startswith(b"{") else f"status {status}"
        except (OSError, http.client.HTTPException) as error:
            who = f"{type(error).__name__}: {error}"
            connection.close()
        if not found or found[-1][0] != who:
            found.append([who, asked, 0.0, 0])
        found[-1][2:] = time.time(), found[-1][3] + 1
        time.sleep(pause)
    connection.close()
    return found


def _asked(connection: http.client.HTTPConnection, path: str, hostname: str) -> tuple[int, bytes]:
    """The status and the body of an answer.

    A server may close a connection that waits for the next request. As other clients do, this one then asks again on a
    new connection, once (RFC 9112, 9.3.1).
    """
    waited = connection.sock is not None
    try:
        return _get(connection, path, hostname)
    except (ConnectionError, ssl.SSLEOFError):
        connection.close()
        if not waited:
            raise
    return _get(connection, path, hostname)


def _get(connection: http.client.HTTPConnection, path: str, hostname: str) -> tuple[int, bytes]:
    connection.request("GET", path, headers={**_HEADERS, "Host": hostname})
    answer = connection.getresponse()
    return answer.status, answer.read()


class _Https(http.client.HTTPSConnection):
    """To an address, with another name in the TLS handshake: the lab's client asks no name server."""

    def __init__(self, address: str, port: int, hostname: str, authority: str, timeout: float = 5) -> None:
        context = ssl.create_default_context(cafile=authority)
        super().__init__(address, port, timeout=timeout, context=context)
        self._context, self._hostname = context, hostname

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self._hostname)


def redirect(address: str, port: int, hostname: str, path: str) -> dict[str, Any]:
    """What plain HTTP is answered: its status, and where it sends the client."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", path, headers={**_HEADERS, "Host": hostname})
        answer = connection.getresponse()
        answer.read()
        return {"status": answer.status, "location": answer.getheader("Location", "")}
    except (OSError, http.client.HTTPException) as error:
        return {"status": 0, "location": "", "error": f"{type(error).__name__}: {error}"}
    finally:
        connection.close()


def resolve(server: str, name: str, port: int = 53, within_seconds: float = 0) -> dict[str, Any]:
    """The first IPv4 address that a name server gives for a name, asked by UDP with a query of our own.

    A pod's resolv.conf is in its own file system, which the probe does not see: it is asked what a pod would ask, again
    until `within_seconds` have passed.
    """
    return _again(lambda: _resolve_once(server, name, port), lambda answer: bool(answer["address"]), within_seconds)


def _resolve_once(server: str, name: str, port: int) -> dict[str, Any]:
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    query = struct.pack("!6H", 0x1A2B, 0x0100, 1, 0, 0, 0) + question + struct.pack("!2H", 1, 1)  # RFC 1035, 4.1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.settimeout(5)
        try:
            asked.sendto(query, (server, port))
            answer = asked.recv(4096)
        except OSError as error:
            return {"address": "", "error": f"{type(error).__name__}: {error}"}
    code, answers = answer[3] & 0x0F, struct.unpack("!H", answer[6:8])[0]
    if code or not answers:
        return {"address": "", "error": f"response code {code}, {answers} answers"}
    return {"address": socket.inet_ntoa(answer[-4:])}


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


QUESTIONS: dict[str, Callable[..., Any]] = {
    "call": call,
    "connect": connect,
    "load": load,
    "paced": paced,
    "path_mtu": path_mtu,
    "redirect": redirect,
    "resolve": resolve,
    "route_mtu": route_mtu,
    "runs": runs,
    "split": split,
}


def main() -> None:
    """Answer every question of the standard input, at once: most of their time is waiting for what never comes."""
    questions = json.load(sys.stdin)
    with ThreadPoolExecutor(len(questions) or 1) as pool:
        json.dump(list(pool.map(lambda q: QUESTIONS[q.pop("ask")](**q), questions)), sys.stdout)


if __name__ == "__main__":
    main()
