"""A certificate that has expired is reported with a remedy, on either side."""

import base64
import datetime
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from components.kubernetes_api import Cluster, CredentialsError
from components.network import data_path_change
from tests.support.api import kubeconfig, serving
from tests.support.stacks import stack


@pytest.fixture
def expired(tmp_path: Path) -> Iterator[str]:
    """A kubeconfig of an API server whose certificate ended yesterday; its authority is the certificate itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now - datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path / "server.pem"
    file.write_bytes(pem + made)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    text = yaml.safe_load(kubeconfig(f"https://localhost:{server.server_port}"))
    text["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(made).decode()
    try:
        yield yaml.safe_dump(text)
    finally:
        server.shutdown()
        server.server_close()


def test_an_api_server_whose_certificate_has_expired_is_said_with_the_remedy(expired: str) -> None:
    with pytest.raises(CredentialsError, match=r"its certificate has expired: run `kubeadm certs renew all`"):
        Cluster(expired).text("GET", "/version")


def test_an_api_server_that_refuses_the_kubeconfig_is_said_with_the_remedy() -> None:
    with (
        serving([], status=401) as url,
        pytest.raises(CredentialsError, match=r"if its certificate has expired, run `kubeadm certs renew all`"),
    ):
        Cluster(kubeconfig(url)).text("GET", "/api/v1/namespaces")


def test_a_preview_does_not_go_on_to_what_would_fail_anyway(expired: str) -> None:
    spec = stack("oslo")
    with pytest.raises(CredentialsError):
        data_path_change._read(expired, spec.cni, spec.network)  # type: ignore[arg-type]  # Oslo has Cilium
