"""Certificates of a private certificate authority, signed by the program.

The same authority, host names and period give the same bytes, in any process (ADR 18): nothing of them is drawn by
chance, and the clock only chooses the period.
"""

import datetime
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from components.gateway.issuers import PrivateCa

_PURPOSE = b"vds-platform gateway certificate 1"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256 (FIPS 186-5)."""


class KeyPair(NamedTuple):
    """A certificate with its chain, and its private key: both PEM, in clear."""

    certificate: str
    key: str

    def __repr__(self) -> str:
        return "KeyPair(…)"


class Period(NamedTuple):
    """When a certificate is valid. Both at 00:00 UTC."""

    begins: datetime.datetime
    ends: datetime.datetime


def period(issuer: PrivateCa, now: float) -> Period:
    """The period that contains `now`, in seconds since 1970; before the first one, the first one."""
    first = datetime.datetime.combine(issuer.valid_from, datetime.time(), datetime.UTC)
    step = issuer.days - issuer.renew_days
    passed = (datetime.datetime.fromtimestamp(now, datetime.UTC) - first).days
    begins = first + datetime.timedelta(days=max(0, passed // step) * step)
    ends = min(begins + datetime.timedelta(days=issuer.days), authority(issuer).not_valid_after_utc)
    return Period(begins, ends)


def authority(issuer: PrivateCa) -> x509.Certificate:
    """The authority's certificate."""
    return x509.load_pem_x509_certificate(issuer.ca_certificate.encode())


def signed(issuer: PrivateCa, issuer_key: str, names: Sequence[str], now: float) -> KeyPair:
    """The certificate for these host names, followed by the authority's.

    `issuer_key`: PEM, and known to belong to the authority's certificate. `now`: seconds since 1970.
    """
    names = sorted(set(names))
    when, ca = period(issuer, now), authority(issuer)
    signer = load_pem_private_key(issuer_key.encode(), password=None)
    about = b"\0".join([_PURPOSE, when.begins.isoformat().encode(), *(name.encode() for name in names)])
    secret = signer.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    key = ec.derive_private_key(_scalar(secret, about), ec.SECP256R1())
    serial = hashlib.sha256(ca.fingerprint(hashes.SHA256()) + about).digest()[:16]
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(serial) | 1)  # positive, at most 20 bytes (RFC 5280)
        .not_valid_before(when.begins)
        .not_valid_after(when.ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(_authority_identifier(ca), critical=False)
    )
    elliptic = isinstance(signer, ec.EllipticCurvePrivateKey)
    certificate = made.sign(
        signer,  # type: ignore[arg-type]  # an authority's key is ECDSA or RSA
        hashes.SHA256(),
        ecdsa_deterministic=True if elliptic else None,  # RFC 6979; RSA's signatures always are
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return KeyPair(certificate.public_bytes(Encoding.PEM).decode() + issuer.ca_certificate, pem)


def _scalar(secret: bytes, about: bytes) -> int:
    """A private key of P-256. 384 bits for a group of 256: no number is likelier than another (FIPS 186-5, A.2.1)."""
    derived = HKDF(algorithm=hashes.SHA256(), length=48, salt=None, info=about).derive(secret)
    return int.from_bytes(derived) % (_ORDER - 1) + 1


def _authority_identifier(ca: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    known = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known)
