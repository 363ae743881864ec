"""The questions that are asked from inside the lab's namespaces."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from http.server import HTTPServer

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
