"""The client, against a server on the loopback interface."""

import base64
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from components import kubernetes_api
from components.kubernetes_api import ApiError, Cluster, KubeconfigError, UnreachableError, get, list_items
from lab.layout import REGISTRY_NAME, Layout
from lab.services import certificates
from tests.support.bootstraps import authority
from tests.support.stacks import ROOT

STARTING, CUT = 429, 0


class _Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        self.server.tokens.append(self.headers.get("Authorization"))  # type: ignore[attr-defined]
        self.server.seen.append((self.command, self.path, self.headers.get("Content-Type"), body))  # type: ignore[attr-defined]
        status, answer = self.server.answers.pop(0)  # type: ignore[attr-defined]
        if status == CUT:
            self.close_connection = True
            return
        text = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        if status == STARTING:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815  the base class's names

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    made.seen, made.tokens, made.answers = [], [], []
    threading.Thread(target=made.serve_forever, args=[0.01], daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def kubeconfig(port: int) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "c", "user": {"token": "hunter2hunter2"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        }
    )


@pytest.fixture
def cluster(server: Any) -> Cluster:
    return Cluster(kubeconfig(server.server_port))


def test_a_list_is_asked_for_with_its_selector(server, cluster):
    server.answers = [(200, {"items": [{"metadata": {"name": "a"}}]}), (200, {"items": None})]
    assert list_items(cluster, "/api/v1/pods", query=[("fieldSelector", "spec.nodeName=osl-3")]) == [
        {"metadata": {"name": "a"}}
    ]
    assert list_items(cluster, "/api/v1/nodes") == []
    assert server.seen[0][1] == "/api/v1/pods?fieldSelector=spec.nodeName%3Dosl-3"


def test_the_kubeconfigs_token_is_sent(server, cluster):
    server.answers = [(200, {})]
    cluster.request("GET", "/api/v1/nodes")
    assert server.tokens == ["Bearer hunter2hunter2"]


def test_what_is_not_there_is_none_and_any_other_refusal_an_error(server, cluster):
    server.answers = [(404, {"message": "not found"}), (403, {"message": "nodes is forbidden"}), (502, "<html>")]
    assert get(cluster, "/api/v1/nodes/x") is None
    with pytest.raises(ApiError, match="nodes is forbidden"):
        get(cluster, "/api/v1/nodes/x")
    with pytest.raises(ApiError, match="status 502"):
        get(cluster, "/api/v1/nodes/x")


def test_a_patch_is_merged(server, cluster):
    server.answers = [(200, {})]
    cluster.request("PATCH", "/api/v1/nodes/x", {"spec": {"unschedulable": None}})
    assert server.seen == [
        ("PATCH", "/api/v1/nodes/x", "application/merge-patch+json", '{"spec": {"unschedulable": null}}')
    ]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_what_a_starting_api_server_has_not_taken_is_sent_again(server: Any, cluster: Cluster, method: str) -> None:
    starting = (STARTING, {"message": "storage is (re)initializing"})
    server.answers = [starting, starting, (200, {"items": []})]
    assert cluster.request(method, "/apis/metallb.io/v1beta1/bfdprofiles", {}) == {"items": []}
    server.answers = [starting] * 20
    with pytest.raises(ApiError, match=re.escape("storage is (re)initializing")):
        cluster.request(method, "/apis/metallb.io/v1beta1/bfdprofiles", {})
    assert len(server.seen) == 3 + 11


def test_what_is_read_on_a_connection_that_was_cut_is_read_again(server: Any, cluster: Cluster, monkeypatch) -> None:
    """A load balancer cuts those to an API server that restarts. A write may have been done."""
    monkeypatch.setattr(kubernetes_api, "_CUT_PAUSE_SECONDS", 0)
    server.answers = [(CUT, ""), (CUT, ""), (200, {"items": []})]
    assert cluster.request("GET", "/api/v1/nodes") == {"items": []}
    for method, tries in (("GET", 3), ("PATCH", 1), ("POST", 1)):
        server.seen.clear()
        server.answers = [(CUT, "")] * tries
        with pytest.raises(UnreachableError, match="Remote end closed connection without response"):
            cluster.request(method, "/api/v1/nodes/a", {})
        assert len(server.seen) == tries


def test_a_connection_that_is_cut_before_tls_is_opened_again(monkeypatch) -> None:
    monkeypatch.setattr(kubernetes_api, "_CUT_PAUSE_SECONDS", 0)
    certificate, key = authority()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted = []

        def cut() -> None:
            while len(accepted) < 3:
                accepted.append(listener.accept()[0])
                accepted[-1].recv(1000)
                accepted[-1].shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=cut, daemon=True)
        thread.start()
        with pytest.raises(UnreachableError, match="EOF"):
            Cluster(with_keys(listener.getsockname()[1], certificate, certificate, key)).text("GET", "/readyz")
        thread.join(5)
        assert len(accepted) == 3
        for one in accepted:
            one.close()


def test_an_eviction_that_is_refused_is_not_sent_again(server: Any, cluster: Cluster) -> None:
    server.answers = [(STARTING, {"message": "it would violate the pod's disruption budget"}), (200, {})]
    with pytest.raises(ApiError, match="disruption budget"):
        cluster.request("POST", "/api/v1/namespaces/butikk-prod/pods/api-0/eviction", {})


def test_who_keeps_a_pod_is_in_the_causes(server, cluster):
    causes = [{"reason": "DisruptionBudget", "message": "The disruption budget api needs 2 healthy pods"}]
    server.answers = [(429, {"message": "Cannot evict pod", "details": {"causes": causes}})]
    with pytest.raises(ApiError, match="Cannot evict pod") as caught:
        cluster.request("POST", "/api/v1/namespaces/shop/pods/a/eviction", {"kind": "Eviction"})
    assert caught.value.status == 429
    assert caught.value.causes == ("The disruption budget api needs 2 healthy pods",)
    assert len(server.seen) == 1, "whether to ask again is the caller's to say"


KEEPS = """
import sys
from components.kubernetes_api import Cluster
kept = Cluster(sys.stdin.read())
print("ready", flush=True)
sys.stdin.close()
import time
time.sleep(60)
"""


def with_keys(port: int, authority: str, certificate: str, key: str) -> str:
    found = yaml.safe_load(kubeconfig(port).replace("http:", "https:"))
    found["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(authority.encode()).decode()
    found["users"][0]["user"] = {
        "client-certificate-data": base64.b64encode(certificate.encode()).decode(),
        "client-key-data": base64.b64encode(key.encode()).decode(),
    }
    return yaml.safe_dump(found)


def test_a_process_that_is_killed_leaves_no_key_on_a_disk(tmp_path):
    certificate, key = authority()
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    process.stdin.write(with_keys(1, certificate, certificate, key))
    process.stdin.close()
    assert process.stdout.readline() == "ready\n"
    assert list(tmp_path.rglob("*")) == []
    process.kill()
    process.wait()
    process.stdout.close()
    assert list(tmp_path.rglob("*")) == []


def test_the_clients_certificate_is_shown_to_a_server_that_its_authority_verifies(server, tmp_path):
    layout = Layout(tmp_path)
    certificates.ensure(layout)
    client, key = authority()
    (tmp_path / "client.crt").write_text(client)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(layout.pki / "registry.crt", layout.pki / "registry.key")
    context.load_verify_locations(tmp_path / "client.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.answers = [(200, {"gitVersion": "v1"}), (200, {})]
    text = with_keys(server.server_port, layout.authority.read_text(), client, key)
    found = yaml.safe_load(text)
    found["clusters"][0]["cluster"]["tls-server-name"] = REGISTRY_NAME
    for _ in range(2):  # a new connection for each
        made = Cluster(yaml.safe_dump(found))
        made.request("GET", "/version")
    with pytest.raises(UnreachableError):
        Cluster(with_keys(server.server_port, client, client, key)).request("GET", "/version")


def test_nobody_there_is_said_at_once_with_the_address(server):
    port = server.server_port
    server.shutdown()
    server.server_close()
    with pytest.raises(UnreachableError, match=rf"^http://127.0.0.1:{port}: .*[Cc]onnection refused") as caught:
        Cluster(kubeconfig(port)).request("GET", "/api/v1/nodes")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "hunter2hunter2", "[1]", "a: [", "apiVersion: v1"])
def test_a_text_that_is_no_kubeconfig_is_not_repeated(text):
    with pytest.raises(KubeconfigError, match="config set --secret vds-platform:kubeconfig") as caught:
        Cluster(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("answer", ["<html>", "3", '"text"', "[1]"])
def test_a_server_that_is_no_api_server_is_unreachable_and_no_traceback(server, cluster, answer):
    server.answers = [(200, answer)]
    with pytest.raises(UnreachableError, match="does not answer as a Kubernetes API server"):
        cluster.request("GET", "/api/v1/nodes")


RESOURCES = {
    "resources": [
        {"name": "networkpolicies/status", "kind": "NetworkPolicy", "namespaced": False},
        {"name": "networkpolicies", "kind": "NetworkPolicy", "namespaced": True},
        {"name": "gatewayclasses", "kind": "GatewayClass", "namespaced": False},
    ]
}


def test_the_api_server_knows_the_path_of_an_object(server, cluster):
    server.answers = [(200, RESOURCES), (200, RESOURCES), (200, {"resources": []})]
    group = "networking.k8s.io/v1"
    policy = {"apiVersion": group, "kind": "NetworkPolicy", "metadata": {"name": "x", "namespace": "a"}}
    assert cluster.path_of(policy) == f"/apis/{group}/namespaces/a/networkpolicies/x"
    assert cluster.path_of({**policy, "metadata": {"name": "y"}}).endswith("/namespaces/default/networkpolicies/y")
    assert cluster.path_of({**policy, "kind": "GatewayClass"}) == f"/apis/{group}/gatewayclasses/x"
    assert len(server.seen) == 1, "it is asked once for each group"
    with pytest.raises(ApiError, match="no kind Gateway in v1") as caught:
        cluster.path_of({**policy, "apiVersion": "v1", "kind": "Gateway"})
    assert caught.value.status == 404


@pytest.mark.parametrize(
    "answer",
    [
        "5",
        "[]",
        "[" * 200_000,
        {"items": 5},
        {"items": [5]},
        {"items": [{}]},
        {"items": [{"metadata": {"name": 5}}]},
        {"items": [{"metadata": {"name": "a", "labels": ["x"]}}]},
        {"items": [{"metadata": {"name": "a"}, "spec": "x"}]},
        {"items": [{"metadata": {"name": "a"}, "status": {"conditions": ["Ready"]}}]},
        {"items": [{"metadata": {"name": "a"}, "status": {"conditions": [{"type": "Ready"}]}}]},
    ],
)
def test_an_answer_of_another_form_is_no_answer(server: Any, cluster: Cluster, answer: Any) -> None:
    server.answers = [(200, answer)]
    with pytest.raises(UnreachableError, match="does not answer as a Kubernetes API server"):
        list_items(cluster, "/api/v1/nodes")


def test_an_answer_without_end_is_cut_off(server: Any, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.kubernetes_api.LARGEST_ANSWER", 1000)
    server.answers = [(200, {"items": [], "x": "a" * 2000})]
    with pytest.raises(UnreachableError, match="answers with more than 1000 bytes"):
        list_items(cluster, "/api/v1/nodes")


def test_an_answer_has_no_escape_sequences(server: Any, cluster: Cluster) -> None:
    server.answers = [(200, {"spec": {"a": "\x1b[2K\nb\tc"}}), (400, {"message": "no\x1b[2K"})]
    assert get(cluster, "/x") == {"spec": {"a": "\ufffd[2K\nb\tc"}}
    with pytest.raises(ApiError, match=re.escape("no\ufffd[2K")):
        get(cluster, "/x")
