"""Certificates that the stack brings for its HTTPS listeners: what is wrong with them, and the Secrets they become."""

import base64
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from components.core.finding import Finding
from components.core.manifests import Manifest, manifest
from components.core.names import PROJECT
from components.core.types import RefusedError
from components.gateway.model import GatewaySpec, HttpsListener

CERTIFICATES = "certificates"
"""The secret's name, in `vds-platform:`."""

_Wrong = tuple[str, str]
"""What is wrong, and the remedy."""
_FORM = "set an object, {<name of the Secret>: {certificate: <PEM chain>, key: <PEM>}}"


class KeyPair(NamedTuple):
    """A certificate with its chain, and its private key: both PEM, in clear."""

    certificate: str
    key: str

    def __repr__(self) -> str:
        return "KeyPair(…)"


def key_pairs(text: str | None) -> dict[str, KeyPair]:
    """By name of the Secret, what the stack's secret says. Raises RefusedError, whose text has none of it."""
    if text is None:
        return {}
    try:
        return {str(name): _key_pair(value) for name, value in json.loads(text).items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise RefusedError("has the wrong form", _FORM) from None


def _key_pair(value: Mapping[str, Any]) -> KeyPair:
    if set(value) != {"certificate", "key"} or not all(isinstance(part, str) for part in value.values()):
        raise ValueError
    return KeyPair(value["certificate"], value["key"])


def certificate_problems(text: str | None, spec: GatewaySpec | None, now: float) -> list[Finding]:
    """What is wrong with the certificates that are there; `spec` None: the listeners aren't known.

    `now`: seconds since 1970. No message has a value of the secret but host names and days.
    """
    try:
        given = key_pairs(text)
    except RefusedError as error:
        return [_problem(None, error.reason, error.remedy)]
    return [
        _problem(name, said, remedy)
        for name, pair in sorted(given.items())
        for said, remedy in (*_of_pair(pair, spec, name, now), *_of_owner(spec, name))
    ]


def _of_owner(spec: GatewaySpec | None, name: str) -> Iterator[_Wrong]:
    if spec is None:
        return
    if not _listeners(spec, name):
        names = sorted({item.certificate_secret for item in spec.listeners if isinstance(item, HttpsListener)})
        yield f"no listener has this certificateSecret (existing: {', '.join(names) or 'none'})", "correct its name"
    if spec.cluster_issuer is not None:
        said = f"cert-manager ({spec.cluster_issuer}) writes the same Secret"
        yield said, "remove clusterIssuer, or this certificate"


def _of_pair(pair: KeyPair, spec: GatewaySpec | None, name: str, now: float) -> Iterator[_Wrong]:
    try:
        chain = x509.load_pem_x509_certificates(pair.certificate.encode())
    except ValueError:
        yield "its certificate is not PEM", "set it with its chain, from BEGIN CERTIFICATE to the last END line"
        return
    own = chain[0]
    try:
        fits = load_pem_private_key(pair.key.encode(), password=None).public_key() == own.public_key()
    except (TypeError, ValueError, UnsupportedAlgorithm):
        yield "its key is not an unencrypted private key in PEM", "set one without a passphrase"
    else:
        if not fits:
            yield "its key does not belong to its first certificate", "set the two that were made together"
    for before, after in pairwise(chain):
        if before.issuer != after.subject:
            yield "its chain is not in order", "set each certificate before the one that signed it"
            break
    if own.not_valid_after_utc.timestamp() <= now:
        yield f"it expired on {own.not_valid_after_utc.date()}", "set a new one"
    elif own.not_valid_before_utc.timestamp() > now:
        yield f"it is valid from {own.not_valid_before_utc.date()}", "set one that is valid now"
    names = _names(own)
    for listener in _listeners(spec, name) if spec else ():
        if listener.hostname and not any(_covers(item, listener.hostname) for item in names):
            yield (
                f"it is for {', '.join(names) or 'no host name'}, and listener '{listener.name}' takes "
                f"{listener.hostname}",
                "set one with that name among its alternative names",
            )


def _listeners(spec: GatewaySpec, name: str) -> list[HttpsListener]:
    return [item for item in spec.listeners if isinstance(item, HttpsListener) and item.certificate_secret == name]


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.DuplicateExtension, x509.ExtensionNotFound, ValueError):
        return []
    return [name.lower() for name in found.get_values_for_type(x509.DNSName)]


def _covers(name: str, hostname: str) -> bool:
    """RFC 6125: a wildcard stands for one label, and itself."""
    return name == hostname or (name.startswith("*.") and hostname.partition(".")[2] == name[2:])


def tls_secret(name: str, namespace: str, pair: KeyPair) -> Manifest:
    """A certificate as a Gateway looks for it."""
    data = {"tls.crt": _encoded(pair.certificate), "tls.key": _encoded(pair.key)}
    return manifest("v1", "Secret", name, namespace=namespace, type="kubernetes.io/tls", data=data)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _problem(name: str | None, said: str, remedy: str) -> Finding:
    item = f"{PROJECT}:{CERTIFICATES}" + (f" {name}" if name else "")
    return Finding("gateway-certificate", item, said, remedy)
