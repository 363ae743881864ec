"""The questions that are asked from inside the lab's namespaces."""

import http.client
import json
import socket
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import chain, repeat

import pytest

from lab import probe
from lab.probe import call
from tests.support.ports import free_port


class ClientIp(BaseHTTPRequestHandler):
    """Answers as agnhost does: with the client's address and port."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.client_address[0]}:{self.client_address[1]}".encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_a_server_that_is_still_starting_is_asked_again_until_it_answers() -> None:
    port, served = free_port(), threading.Event()

    def serve_late() -> None:
        served.wait(0.3)  # long after ten refusals, which take no time at all
        with HTTPServer(("127.0.0.1", port), ClientIp) as server:
            server.handle_request()

    late = threading.Thread(target=serve_late)
    late.start()
    try:
        answer = call("127.0.0.1", port, within_seconds=240)
    finally:
        late.join()
    assert (answer["answered"], answer["client"]) == (True, "127.0.0.1")


def test_a_call_without_time_is_made_once() -> None:
    answer = call("127.0.0.1", free_port())
    assert (answer["answered"], answer["error"].split(":")[0]) == (False, "ConnectionRefusedError")


def test_a_route_that_comes_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = chain([False] * 4, repeat(True))  # a ping without a route fails at once
    monkeypatch.setattr(probe, "_df_ping", lambda _, size: size <= 1450 and next(answers))
    assert probe.path_mtu("10.244.1.1", 1450) == 1450


def test_a_path_that_carries_less_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_ROUTE_SECONDS", 0)
    monkeypatch.setattr(probe, "_df_ping", lambda _, size: size <= 1400)
    assert probe.path_mtu("10.244.1.1", 1450) == 1400


def answering(*, code: int, address: str) -> tuple[int, threading.Thread]:
    """A name server on a port of this machine that gives one answer."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve() -> None:
        with closing(server):
            query, asker = server.recvfrom(512)
            header = query[:2] + bytes([0x81, 0x80 | code]) + query[4:6] + bytes([0, 0 if code else 1, 0, 0, 0, 0])
            record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x1e\x00\x04" + socket.inet_aton(address)
            server.sendto(header + query[12:] + (b"" if code else record), asker)

    thread = threading.Thread(target=serve)
    thread.start()
    return int(server.getsockname()[1]), thread


def test_a_name_whose_answer_is_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([{"address": "", "error": "TimeoutError"}, {"address": "10.96.0.7"}])
    monkeypatch.setattr(probe, "_resolve_once", lambda *_: next(answers))
    assert probe.resolve("127.0.0.1", "web", within_seconds=240) == {"address": "10.96.0.7"}


@pytest.mark.parametrize(("code", "expected"), [(0, "10.96.0.7"), (3, "")])
def test_a_name_is_resolved_by_asking_the_server_itself(code: int, expected: str) -> None:
    port, server = answering(code=code, address="10.96.0.7")
    try:
        assert probe.resolve("127.0.0.1", "web.butikk.svc.cluster.local", port)["address"] == expected
    finally:
        server.join()


def closing_server(answers: int) -> tuple[int, threading.Event, threading.Thread]:
    """A server that gives some answers on each connection, and then closes it when the next request comes."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.1)
    ended = threading.Event()

    def serve() -> None:
        with closing(server):
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with closing(connection):
                    connection.settimeout(60)
                    for _ in range(answers):
                        if not connection.recv(4096):
                            break
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    connection.recv(4096)

    thread = threading.Thread(target=serve)
    thread.start()
    return int(server.getsockname()[1]), ended, thread


class Plain(http.client.HTTPConnection):
    """A connection without TLS in place of the probe's own."""

    def __init__(self, address: str, port: int, *_: str, timeout: float) -> None:
        super().__init__(address, port, timeout=timeout)


@pytest.mark.parametrize(("answers", "fails"), [(2, False), (0, True)])
def test_only_a_connection_that_waited_may_be_closed(
    monkeypatch: pytest.MonkeyPatch, answers: int, fails: bool
) -> None:
    monkeypatch.setattr(probe, "_Https", Plain)
    port, ended, server = closing_server(answers)
    try:
        found = probe.load("127.0.0.1", port, "shop.example.no", "/", "", 1)
    finally:
        ended.set()
        server.join()
    assert bool(found["failures"]) is fails
    assert bool(found["answered"]) is not fails


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_a_connection_is_tried_by_both_protocols(protocol: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(60)
        port = server.getsockname()[1]

        def answer() -> None:
            if protocol == "TCP":
                server.listen()
            else:
                server.sendto(b"here", server.recvfrom(16)[1])

        serving = threading.Thread(target=answer)
        serving.start()
        if protocol == "TCP":
            serving.join()
        assert probe.connect("127.0.0.1", port, protocol, 60)
        serving.join()
    assert not probe.connect("127.0.0.1", port, protocol, 0.3)


class Versions(BaseHTTPRequestHandler):
    """Two requests are answered by one version, then one by the other, one fails, and so on."""

    protocol_version = "HTTP/1.1"
    asked = 0

    def do_GET(self) -> None:
        number, Versions.asked = Versions.asked, Versions.asked + 1
        pod = ["api-5c-x", "api-5c-y", "api-canary-7b-z", ""][number % 4]
        body = json.dumps({"pod": pod}).encode()
        self.send_response(200 if pod else 502)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_answers_are_told_in_rows_of_who_answered_and_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_Https", Plain)
    ends = chain([100.0], repeat(100.0, 8), repeat(200.0))
    monkeypatch.setattr(probe.time, "monotonic", lambda: next(ends))
    began = time.time()
    with HTTPServer(("127.0.0.1", 0), Versions) as server:
        served = threading.Thread(target=server.serve_forever)
        served.start()
        try:
            rows = probe.runs("127.0.0.1", server.server_port, "butikk.example.no", "/", "", 10)
        finally:
            server.shutdown()
            served.join()
    assert [(row[0], row[3]) for row in rows] == [("api", 2), ("api-canary", 1), ("status 502", 1)] * 2
    times = [time for row in rows for time in row[1:3]]
    assert times == sorted(times)
    assert began <= times[0]
    assert times[-1] <= time.time()


def test_a_server_that_is_not_there_is_told_by_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_Https", Plain)
    ends = chain([100.0], repeat(100.0, 3), repeat(200.0))
    monkeypatch.setattr(probe.time, "monotonic", lambda: next(ends))
    [row] = probe.runs("127.0.0.1", free_port(), "butikk.example.no", "/", "", 10)
    assert row[0].startswith("ConnectionRefusedError")
    assert row[3] == 3
