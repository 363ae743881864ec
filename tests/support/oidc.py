"""A small OpenID Connect issuer: real tokens, which a real API server verifies. It has no log-in."""

import base64
import datetime
import http.server
import ipaddress
import json
import ssl
import tempfile
import threading
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from lab.layout import Layout


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@cache
def _key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Issuer:
    """Serves its keys over HTTPS for as long as it is entered; its certificate is its own authority."""

    def __init__(self, address: str, port: int) -> None:
        self.url = f"https://{address}:{port}"
        self.authority = self._certificate(address)
        numbers = _key("issuer").public_key().public_numbers()
        key = {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": "one",
            "n": _text(numbers.n.to_bytes(256)),
            "e": _text(numbers.e.to_bytes(3)),
        }
        about = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/authorize",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        answers = {"/.well-known/openid-configuration": about, "/keys": {"keys": [key]}}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = answers.get(self.path)
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing on the terminal."""

        self._server = http.server.ThreadingHTTPServer((address, port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "crt").write_text(self.authority)
            private = _key("tls").private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            (Path(folder) / "key").write_bytes(private)
            context.load_cert_chain(Path(folder) / "crt", Path(folder) / "key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @staticmethod
    def _certificate(address: str) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(_key("tls").public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(_key("tls"), hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, user: str, groups: list[str], *, audience: str = "kubernetes", key: str = "issuer") -> str:
        """A signed ID token, valid for ten minutes. `key`: the one that signs; another than `issuer` is a forgery."""
        now = int(time.time())
        head = {"alg": "RS256", "kid": "one", "typ": "JWT"}
        claims = {"iss": self.url, "aud": audience, "sub": user, "groups": groups, "iat": now, "exp": now + 600}
        signed = ".".join(_text(json.dumps(part).encode()) for part in (head, claims))
        return f"{signed}.{_text(_key(key).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def request(layout: Layout, url: str, token: str) -> int:
    """The HTTP status of a request with a token; the API server is verified with the cluster's authority."""
    context = ssl.create_default_context(cadata=(layout.pki / "cluster.crt").read_text())
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310  https
    try:
        with urllib.request.urlopen(asked, context=context, timeout=10) as answer:  # noqa: S310  https
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
