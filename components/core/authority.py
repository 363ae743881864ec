"""Certificate authorities that the operator makes, so that others know them beforehand: certificate and key."""

import hashlib
from typing import Annotated

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import AfterValidator, WithJsonSchema

from components.core.types import RefusedError


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
    if not _may_sign(found[0]):
        raise RefusedError("is not allowed to sign certificates", "make one with CA:TRUE and keyCertSign")
    return found[0].public_bytes(Encoding.PEM).decode()


AuthorityCertificate = Annotated[
    str, AfterValidator(certificate), WithJsonSchema({"type": "string", "pattern": "BEGIN CERTIFICATE"})
]
"""A certificate authority's certificate, PEM; it is not secret."""


def _may_sign(found: x509.Certificate) -> bool:
    try:
        constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.DuplicateExtension, x509.ExtensionNotFound, ValueError):
        return False
    return constraints.ca and usage.key_cert_sign


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
