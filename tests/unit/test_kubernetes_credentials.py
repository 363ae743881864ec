"""A certificate that has expired is reported with a remedy, on either side."""

import base64
import datetime
import http.server
import re
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

from components import kubernetes_api
from components.kubernetes_api import Cluster, CredentialsError
from tests.support import kubeconfigs
from tests.support.api import kubeconfig, serving

DAY = datetime.timedelta(days=1)
ENDED = datetime.datetime.now(datetime.UTC) - DAY
YESTERDAY = ENDED.date()
RENEW = re.escape(kubernetes_api.RENEW)


@pytest.fixture
def expired(tmp_path: Path) -> Iterator[str]:
    """A kubeconfig of an API server whose certificate ended yesterday; its authority is the certificate itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ENDED - DAY)
        .not_valid_after(ENDED)
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
    with pytest.raises(CredentialsError, match=f"its certificate ended on {YESTERDAY}: {RENEW}"):
        Cluster(expired).text("GET", "/version")


def test_an_api_server_that_refuses_the_kubeconfig_is_said_with_the_remedy() -> None:
    with (
        serving([], status=401) as url,
        pytest.raises(CredentialsError, match=f"refuses the kubeconfig: if its certificate has expired: {RENEW}"),
    ):
        Cluster(kubeconfig(url)).text("GET", "/api/v1/namespaces")


def test_an_api_server_that_does_not_run_without_its_certificates_is_said_by_that_of_the_kubeconfig() -> None:
    """An API server whose certificate for etcd has ended does not start: its port refuses connections."""
    text = kubeconfigs.kubeconfig({"server": "https://127.0.0.1:1"}, kubeconfigs.client_user(ENDED))
    said = f"Connection refused; the kubeconfig's client certificate of CN=kubernetes-admin ended on {YESTERDAY}: "
    with pytest.raises(CredentialsError, match=said + RENEW):
        Cluster(text).text("GET", "/version")
