"""Certificate authorities that the operator makes, so that others know them beforehand: certificate and key."""

import hashlib
import ipaddress
from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import AfterValidator, WithJsonSchema

from components.core.types import RefusedError

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_LEAST_RSA_BITS = 2048
"""NIST SP 800-57 part 1, table 2: what has less than 112 bits of security is disallowed."""
_MAKE = "make one with ECDSA P-256, P-384 or P-521, or RSA of 2048 bits or more, and SHA-2"


def certificate(pem: str) -> str:
    """The certificate in its normal form. Raises ValueError with a remedy."""
    if "PRIVATE KEY" in pem:
        raise RefusedError(
            "has a private key", "write only the certificate here, and set the secret vds-platform:caKey or issuerKey"
        )
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        found = []
    if len(found) != 1:
        raise ValueError("write one certificate, from its BEGIN CERTIFICATE line to its END line")
    if wrong := _wrong(found[0]):
        raise RefusedError(*wrong)
    return found[0].public_bytes(Encoding.PEM).decode()


AuthorityCertificate = Annotated[
    str, AfterValidator(certificate), WithJsonSchema({"type": "string", "pattern": "BEGIN CERTIFICATE"})
]
"""A certificate authority's certificate, PEM; it is not secret."""


def _wrong(found: x509.Certificate) -> tuple[str, str] | None:
    """What is wrong with an authority whenever it is used, and the remedy (RFC 5280, and what kubeadm and Go take)."""
    try:
        key, hashed = found.public_key(), found.signature_hash_algorithm
        extensions = {one.oid: one for one in found.extensions}
    except (UnsupportedAlgorithm, ValueError, x509.DuplicateExtension):
        return "can't be read as X.509 version 3", _MAKE
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return "has a key that is neither ECDSA nor RSA, which kubeadm and browsers do not take", _MAKE
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, _CURVES):
        return f"has a key on the curve {key.curve.name}, which TLS in Go does not take", _MAKE
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        return f"has an RSA key of {key.key_size} bits, too short to be safe", _MAKE
    if not isinstance(hashed, _HASHES):
        return f"is signed with {hashed.name.upper() if hashed else 'an unknown hash'}, which is not SHA-2", _MAKE
    constraints, usage = (extensions.get(one.oid) for one in (x509.BasicConstraints, x509.KeyUsage))
    if not (constraints and usage and constraints.value.ca and usage.value.key_cert_sign):
        return "is not allowed to sign certificates", "make one with CA:TRUE and keyCertSign"
    if not constraints.critical:
        return "does not mark basicConstraints as critical (RFC 5280, 4.2.1.9)", _MAKE
    if x509.SubjectKeyIdentifier.oid not in extensions:
        said = "has no subject key identifier (RFC 5280, 4.2.1.2): strict clients refuse what it signs"
        return said, "make it with subjectKeyIdentifier=hash"
    return None


def period_problem(pem: str, now: float, least_days: int = 30) -> tuple[str, str] | None:
    """Why an authority can't be used now, and the remedy. `now`: seconds since 1970. `least_days` must be left."""
    found = x509.load_pem_x509_certificate(pem.encode())
    if found.not_valid_before_utc.timestamp() > now:
        return (
            f"is valid from {found.not_valid_before_utc.date()} on",
            "make one that is valid now",
        )
    if found.not_valid_after_utc.timestamp() <= now:
        return f"expired on {found.not_valid_after_utc.date()}", "make a new authority"
    if found.not_valid_after_utc.timestamp() <= now + least_days * 86_400:
        return f"ends on {found.not_valid_after_utc.date()}, in less than {least_days} days", "make a new authority"
    return None


def is_root(pem: str) -> bool:
    """Whether the authority has signed its own certificate."""
    found = x509.load_pem_x509_certificate(pem.encode())
    try:
        found.verify_directly_issued_by(found)
    except (InvalidSignature, TypeError, ValueError, UnsupportedAlgorithm):
        return False
    return True


def names_outside(pem: str, names: Iterable[str]) -> list[str]:
    """Names and addresses that the authority's name constraints (RFC 5280, 4.2.1.10) do not let it sign for."""
    try:
        found = x509.load_pem_x509_certificate(pem.encode()).extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return []
    return [name for name in names if _is_outside(found.value, name)]


def _is_outside(constraints: x509.NameConstraints, name: str) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        kind, inside = x509.DNSName, partial(_is_below, name.removeprefix("*."))
    else:
        kind, inside = x509.IPAddress, partial(_has, address)  # type: ignore[assignment]
    permitted = [one.value for one in constraints.permitted_subtrees or () if isinstance(one, kind)]
    excluded = [one.value for one in constraints.excluded_subtrees or () if isinstance(one, kind)]
    return any(map(inside, excluded)) or (bool(permitted) and not any(map(inside, permitted)))


def _is_below(name: str, domain: str) -> bool:
    return f".{name}".lower().endswith(f".{domain.lstrip('.')}".lower())


def _has(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: Any) -> bool:
    return address in network


def discovery_hash(pem: str) -> str:
    """`sha256:…` of the certificate's public key (SubjectPublicKeyInfo), by which kubeadm recognises a cluster."""
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    return "sha256:" + hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def key_problem(key: str, pem: str | None, *, of: str) -> str:
    """What is wrong with the authority's private key; empty if nothing. `pem` None: the certificate isn't known.

    `of`: where the certificate is written, as in `cluster.caCertificate`."""
    try:
        public = load_pem_private_key(key.encode(), password=None).public_key()
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return "is not an unencrypted private key in PEM"
    same = pem is None or public == x509.load_pem_x509_certificate(pem.encode()).public_key()
    return "" if same else f"is not the key of {of}"
