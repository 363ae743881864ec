"""The questions that are asked from inside the lab's namespaces."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from http.server import HTTPServer
from itertools import chain, repeat

import pytest

from lab import probe
from lab.node.echo import Echo
from lab.probe import call


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return int(found.getsockname()[1])


def test_a_server_that_is_still_starting_is_asked_again_until_it_answers() -> None:
    port, served = free_port(), threading.Event()

    def serve_late() -> None:
        served.wait(0.3)  # long after ten refusals, which take no time at all
        with HTTPServer(("127.0.0.1", port), Echo) as server:
            server.handle_request()

    late = threading.Thread(target=serve_late)
    late.start()
    try:
        answer = call("127.0.0.1", port, within_seconds=20)
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
