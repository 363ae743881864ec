"""Servers on loopback that answer what a hostile or broken one would."""

import datetime
import http.server
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vds.shared import https
from vds.shared.https import MOST_REDIRECTS, Https, HttpsError

TOKEN = {"Authorization": "Bearer registry-token"}
Answers = Callable[[str], tuple[int, dict[str, str], bytes]]


class Server:
    """Answers by path, and what it was asked: the path and the token that came with it."""

    def __init__(self, certificate: Path | None, host: str, answers: Answers) -> None:
        self.asked: list[tuple[str, str | None]] = []
        own = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self) -> None:
                own.asked.append((self.path, self.headers.get("Authorization")))
                status, headers, body = answers(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _answer  # noqa: N815

            def log_message(self, *_: Any) -> None: ...

        self._server = http.server.ThreadingHTTPServer((host, 0), Handler)
        self._server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://{host}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    addresses = [x509.IPAddress(ipaddress.ip_address(host)) for host in ("127.0.0.1", "127.0.0.2")]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.KeyUsage(True, False, False, False, False, True, False, False, False), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path_factory.mktemp("https") / "both.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def serve(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made: list[Server] = []

    def start(answers: Answers, *, host: str = "127.0.0.1", tls: bool = True) -> Server:
        made.append(Server(certificate if tls else None, host, answers))
        return made[-1]

    yield start
    for server in made:
        server.end()


def page(text: bytes) -> Answers:
    return lambda _: (200, {}, text)


def to(url: str, status: int = 302) -> Answers:
    return lambda _: (status, {"Location": url}, b"")


def test_an_answer_is_read(serve):
    server = serve(page(b"chart"))
    assert Https().request("GET", f"{server.url}/a?b=c", credentials=TOKEN).body == b"chart"
    assert server.asked == [("/a?b=c", TOKEN["Authorization"])]


def test_a_redirect_to_clear_text_is_refused_and_nobody_there_gets_the_token(serve):
    """The finding: a registry behind TLS sent the command to http, and it took the token along."""
    clear = serve(page(b"evil"), tls=False)
    registry = serve(to(f"{clear.url}/latest/meta-data"))
    with pytest.raises(HttpsError, match="/latest/meta-data is not https"):
        Https().request("GET", registry.url, credentials=TOKEN)
    assert clear.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_server_gets_no_credentials(serve, status):
    """A registry whose blobs are behind signed addresses of a bucket: it also refuses two ways to log in."""
    bucket = serve(page(b"blob"))
    registry = serve(to(f"{bucket.url}/blob?signature=1", status))
    assert Https().request("GET", registry.url, credentials=TOKEN).body == b"blob"
    assert bucket.asked == [("/blob?signature=1", None)]


def test_the_same_server_still_gets_them(serve):
    def answers(path: str) -> tuple[int, dict[str, str], bytes]:
        return (302, {"Location": "/second"}, b"") if path == "/first" else (200, {}, b"x")

    server = serve(answers)
    Https().request("GET", f"{server.url}/first", credentials=TOKEN)
    assert server.asked == [("/first", TOKEN["Authorization"]), ("/second", TOKEN["Authorization"])]


def test_redirects_are_counted(serve):
    server = serve(to("/again"))
    with pytest.raises(HttpsError, match=f"redirects more than {MOST_REDIRECTS} times"):
        Https().request("GET", server.url)
    assert len(server.asked) == MOST_REDIRECTS + 1


def test_what_changes_something_is_not_sent_on(serve):
    other = serve(page(b""))
    server = serve(to(other.url, 307))
    with pytest.raises(HttpsError, match="redirects a POST"):
        Https().request("POST", server.url, body=b"comment")
    assert other.asked == []


def test_an_answer_has_a_largest_size(serve):
    server = serve(page(b"x" * 2_000_000))
    with pytest.raises(HttpsError, match="is larger than 1000000 bytes"):
        Https(largest_bytes=1_000_000).request("GET", server.url)


def test_a_public_server_leads_into_no_private_network(serve, monkeypatch):
    """An index's `urls` and a redirect may name anything: here 127.0.0.2 is the private network."""
    monkeypatch.setattr(https, "is_public", lambda address: address != "127.0.0.2")
    inside = serve(page(b"metadata"), host="127.0.0.2")
    server = serve(to(inside.url))
    with pytest.raises(HttpsError, match=r"127\.0\.0\.2 has a private address, and a public server named it"):
        Https().request("GET", server.url)
    session = Https()
    session.request("GET", serve(page(b"index")).url)
    with pytest.raises(HttpsError, match="has a private address"):
        session.request("GET", inside.url)
    assert inside.asked == []
    outside = serve(page(b"blob"))
    assert Https().request("GET", serve(to(outside.url), host="127.0.0.2").url).body == b"blob"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f::1", True),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:169.254.169.254", False),
    ],
)
def test_which_addresses_are_public(address, public):
    assert https.is_public(address) is public


def test_through_a_proxy_an_address_is_checked_too(serve, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    session = Https(_public=True)
    with pytest.raises(HttpsError, match="has a private address"):
        session.request("GET", "https://169.254.169.254/latest/meta-data")


@pytest.mark.parametrize(
    "url", ["http://a.example.no", "ftp://a.example.no", "//a.example.no", "https://", "https://u:pw@a.example.no/x"]
)
def test_an_address_that_is_not_one_of_a_server_behind_tls_is_refused(url):
    with pytest.raises(HttpsError) as caught:
        Https().request("GET", url)
    assert "pw" not in str(caught.value)


def test_the_query_of_a_signed_address_is_in_no_message(serve):
    server = serve(to("http://x.example.no/blob?signature=hunter2"))
    with pytest.raises(HttpsError) as caught:
        Https().request("GET", server.url)
    assert "hunter2" not in str(caught.value)


def test_a_server_that_is_not_there_or_not_trusted_is_named(serve, monkeypatch):
    server = serve(page(b""))
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(HttpsError, match=r"can't be reached \(.*(?i:certificate)"):
        Https().request("GET", server.url)
    with pytest.raises(HttpsError, match=r"https://127\.0\.0\.1:1/ can't be reached"):
        Https().request("GET", "https://127.0.0.1:1/")
