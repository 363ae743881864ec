"""The gateway from outside: a real TLS server on loopback, with certificates that end when the test says."""

import datetime
import json
import socket
import ssl
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from components.stackfile.parsing import parse
from tests.support.stacks import ROOT, stack, stack_data
from vds.doctor.gateway import certificate_finding, examine

NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)


def certificate(folder: Path, days: int) -> Path:
    """A self-signed certificate that ends `days` after now, with its key."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "butikk.example.no")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - datetime.timedelta(days=90))
        .not_valid_after(NOW + datetime.timedelta(days=days))
        .sign(key, None)
    )
    file = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    return file


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def serve(server: socket.socket, file: Path | None, clients: int = 1) -> None:
    """Answer each client: with TLS, or without a word."""

    def work() -> None:
        for _ in range(clients):
            answer()

    def answer() -> None:
        plain, _ = server.accept()
        with plain:
            if file:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(file)
                with suppress(OSError):  # a client that only asks whether the port answers
                    context.wrap_socket(plain, server_side=True).close()

    threading.Thread(target=work, daemon=True).start()


@pytest.mark.parametrize(
    ("days", "state", "said"),
    [(60, "ok", "60 more days"), (20, "advice", "20 more days (limit 21)"), (-3, "fails", "expired 3 days ago")],
)
def test_a_certificate_is_judged_by_how_long_it_is_good(tmp_path, listener, days, state, said):
    serve(listener, certificate(tmp_path, days))
    found = certificate_finding("butikk.example.no", "127.0.0.1", listener.getsockname()[1], NOW)
    assert found.state == state
    assert said in found.measured


def test_a_port_without_tls_is_a_finding_and_no_error(listener):
    serve(listener, None)
    found = certificate_finding("butikk.example.no", "127.0.0.1", listener.getsockname()[1], NOW)
    assert found.state == "fails"
    assert "no TLS" in found.measured


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: made-up}}]
"""


@pytest.mark.parametrize("kubeconfig", [KUBECONFIG, "not: a kubeconfig", "{", "", "1", "{contexts: 3}", "[1]"])
def test_a_cluster_that_cannot_be_asked_is_unknown_and_no_error(kubeconfig):
    [found] = examine(stack("lab"), kubeconfig, NOW)
    assert found.state == "unknown"
    assert "kubeconfig" in found.remedy
    assert "made-up" not in found.measured


def test_a_cluster_that_the_stack_has_not_made_yet_is_no_failure():
    [found] = examine(stack("lab"), None, NOW)
    assert (found.state, found.measured) == ("advice", "no cluster yet")


class Answers(BaseHTTPRequestHandler):
    answer = (200, b"")
    routes: bytes | None = None

    def do_GET(self) -> None:
        status, text = (200, self.routes) if self.routes and self.path.endswith("/httproutes") else self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        ((200, b'{"status": {}}'), "fails", "it has no address"),
        ((404, b'{"message": "not found"}'), "fails", "it does not exist"),
        ((403, b'{"message": "forbidden"}'), "unknown", "did not answer (forbidden)"),
        ((200, b"<html>"), "unknown", "does not answer as a Kubernetes API server"),
        ((200, b"3"), "unknown", "does not answer as a Kubernetes API server"),
    ],
)
def test_what_the_cluster_answers_is_a_finding_and_never_an_error(answer, state, said):
    handler = type("Once", (Answers,), {"answer": answer})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        at = f"http://127.0.0.1:{server.server_port}"
        [found] = examine(stack("lab"), KUBECONFIG.replace("https://127.0.0.1:1", at), NOW)
        server.shutdown()
    assert (found.state, said in found.measured) == (state, True), found


def test_the_certificate_of_a_listener_without_a_host_is_asked_for_the_routes_in_the_cluster(tmp_path, listener):
    """Agencies write routes: no file of the platform has them."""

    def route(host: str, name: str, section: str | None = None) -> dict[str, Any]:
        parent = {"name": name, "namespace": "gateway-system", **({"sectionName": section} if section else {})}
        return {"metadata": {"name": "r"}, "spec": {"parentRefs": [parent], "hostnames": [host]}}

    serve(listener, certificate(tmp_path, 60), clients=2)
    data = stack_data("lab")
    port = listener.getsockname()[1]
    data["gateway"]["listeners"] = [{"name": "https", "port": port, "protocol": "HTTPS", "certificateSecret": "x"}]
    spec = stack("lab").model_copy(update={"gateway": parse(data, base_dir=ROOT).gateway})
    name = spec.gateway.name
    routes = [route("a.example.no", name), route("b.example.no", "other"), route("c.example.no", name, "http")]
    made = json.dumps({"status": {"addresses": [{"value": "127.0.0.1"}]}}).encode()
    answers = {"answer": (200, made), "routes": json.dumps({"items": routes}).encode()}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Once", (Answers,), answers)) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        at = f"http://127.0.0.1:{server.server_port}"
        found = examine(spec, KUBECONFIG.replace("https://127.0.0.1:1", at), NOW)
        server.shutdown()
    assert [(one.item, one.state) for one in found[1:]] == [("a.example.no", "ok")], found
