"""What the lab reads of live objects, of which a part may be missing for a moment."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Cluster, condition, rolled_out
from lab.processes import LabError

_DONE: dict[str, Any] = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
_ON_NODES: dict[str, Any] = {
    "observedGeneration": 2,
    "desiredNumberScheduled": 3,
    "updatedNumberScheduled": 3,
    "numberReady": 3,
}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (_DONE, True),
        (None, False),
        ({}, False),
        ({**_DONE, "observedGeneration": 1}, False),
        ({**_DONE, "availableReplicas": 0}, False),
        ({**_DONE, "replicas": 2}, False),
        ({"observedGeneration": 2, "unavailableReplicas": 1}, False),
    ],
)
def test_a_deployment_is_rolled_out_when_its_newest_pods_alone_are_there(status: Any, expected: bool) -> None:
    assert rolled_out({"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": status}) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (_ON_NODES, True),
        ({}, False),
        ({**_ON_NODES, "observedGeneration": 1}, False),
        ({**_ON_NODES, "numberReady": 2}, False),
        ({**_ON_NODES, "updatedNumberScheduled": 2}, False),
    ],
)
def test_a_daemon_set_is_rolled_out_when_its_newest_pods_are_on_every_node(status: Any, expected: bool) -> None:
    assert rolled_out({"metadata": {"generation": 2}, "spec": {}, "status": status}) is expected


def test_a_deployment_without_pods_is_rolled_out() -> None:
    assert rolled_out({"metadata": {"generation": 1}, "spec": {"replicas": 0}, "status": {"observedGeneration": 1}})


@pytest.mark.parametrize("item", [{}, {"status": None}, {"status": {"conditions": None}}])
def test_a_condition_that_is_not_written_yet_is_unknown(item: dict[str, Any]) -> None:
    assert condition(item, "Ready") == "Unknown"


class Server:
    """An API server that answers the first requests with these statuses, and then with 200."""

    def __init__(self) -> None:
        self.first: list[int] = []
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                outer.asked.append(self.command)
                status = outer.first.pop(0) if outer.first else 200
                text = json.dumps({"message": "etcdserver: leader changed"} if status >= 400 else {"items": []})
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = answer  # noqa: N815  names of http.server

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    threading.Thread(target=made.http.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.http.shutdown()
        made.http.server_close()


@pytest.fixture
def cluster(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(Cluster, "retries", Cluster.retries.new(backoff_factor=0))
    file = tmp_path / "kubeconfig"
    named = {"name": "it", "cluster": {"server": f"http://127.0.0.1:{server.http.server_port}"}}
    context = {"name": "it", "context": {"cluster": "it", "user": "it"}}
    made = {"current-context": "it", "clusters": [named], "users": [{"name": "it", "user": {}}], "contexts": [context]}
    file.write_text(json.dumps(made))
    return Cluster(file)


def test_a_read_is_sent_again_while_the_api_server_starts(server: Server, cluster: Cluster) -> None:
    server.first = [500, 503]
    assert cluster.request("GET", "/api/v1/pods") == {"items": []}
    assert server.asked == ["GET"] * 3


def test_a_read_that_is_never_answered_well_ends(server: Server, cluster: Cluster) -> None:
    server.first = [503] * 50
    with pytest.raises(LabError, match="the API server answered 503 to GET /api/v1/pods: etcdserver: leader changed"):
        cluster.request("GET", "/api/v1/pods")


def test_a_write_is_sent_once(server: Server, cluster: Cluster) -> None:
    server.first = [503]
    with pytest.raises(LabError, match="answered 503 to POST"):
        cluster.request("POST", "/api/v1/namespaces/default/pods", {})
    assert server.asked == ["POST"]
