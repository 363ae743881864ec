"""Certificates of the tests' own, made anew in every run."""

import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

BEGAN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
ENDS = datetime.datetime(2126, 1, 1, tzinfo=datetime.UTC)


@cache
def made(*names: str, issuer: str = "an authority", ends: datetime.datetime = ENDS) -> tuple[str, str]:
    """Certificate and private key, PEM, for these host names; the first is its subject."""
    key = Ed25519PrivateKey.generate()
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(names[0] if names else "nobody"))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(BEGAN)
        .not_valid_after(ends)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    certificate = builder.sign(Ed25519PrivateKey.generate(), algorithm=None)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM).decode(), private.decode()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
