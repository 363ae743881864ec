"""Keys and certificates that a customer would provide: a certificate authority, server certificates, the cluster's CA.

They are made once for each lab. cert-manager is in no package registry, so nothing renews them.
"""

import base64
import datetime
import ipaddress
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.layout import BUCKETS_NAME, PACKAGES_ADDRESS, PACKAGES_NAME, REGISTRY_NAME, SITE, Layout

_LIFETIME = datetime.timedelta(days=365)
# File name of a certificate → its names and addresses.
_SERVERS: dict[str, tuple[str, ...]] = {
    "registry": (REGISTRY_NAME, BUCKETS_NAME, SITE.address),
    "packages": (PACKAGES_NAME, PACKAGES_ADDRESS),
}


def ensure(layout: Layout) -> None:
    """Make everything under `pki`, once: what machines trust already must stay."""
    done = layout.pki / "cluster.key"  # written last
    if done.exists():
        return
    layout.pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority, key = _authority("vds-platform lab")
    _write_pair(layout.authority.with_suffix(""), authority, key)
    for name, hosts in _SERVERS.items():
        server_key = ec.generate_private_key(ec.SECP256R1())
        _write_pair(layout.pki / name, _server(hosts, server_key, authority, key), server_key)
    _write(layout.pki / "encryption-key", base64.b64encode(secrets.token_bytes(32)))
    _write_pair(layout.pki / "cluster", *_authority("kubernetes"))


def _authority(name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return made, key


def _server(
    hosts: Sequence[str],
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _builder(subject, authority.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        key_encipherment=False,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_pair(stem: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(stem.with_suffix(".crt"), certificate.public_bytes(serialization.Encoding.PEM))
    _write(stem.with_suffix(".key"), pem)


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
