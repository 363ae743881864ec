"""Certificates that the stack brings for its HTTPS listeners: what is wrong with them, and the Secrets they become."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from components.core.authority import key_problem, names_outside
from components.core.finding import Finding
from components.core.manifests import Manifest, manifest
from components.core.names import PROJECT
from components.core.types import RefusedError
from components.core.untrusted import json_value
from components.gateway.issuers import CertManager, Dns01, PrivateCa, Rfc2136, Secrets
from components.gateway.model import GatewaySpec, HttpsListener
from components.gateway.signing import KeyPair, authority, period, signed

CERTIFICATES = "certificates"
"""The secret with certificates and keys, in `vds-platform:`."""
ISSUER_KEY = "issuerKey"
"""The secret with the private key of `gateway.issuer.caCertificate`."""
DNS_KEY = "dnsKey"
"""The secret with the TSIG key of `gateway.issuer.acme.solver.by`, in base64."""

_Wrong = tuple[str, str]
"""What is wrong, and the remedy."""
_FORM = "set an object, {<name of the Secret>: {certificate: <PEM chain>, key: <PEM>}}"


def key_pairs(text: str | None) -> dict[str, KeyPair]:
    """By name of the Secret, what the stack's secret says. Raises RefusedError, whose text has none of it."""
    if text is None:
        return {}
    try:
        return {str(name): _key_pair(value) for name, value in json_value(text).items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise RefusedError("has the wrong form", _FORM) from None


def _key_pair(value: Mapping[str, Any]) -> KeyPair:
    if set(value) != {"certificate", "key"} or not all(isinstance(part, str) for part in value.values()):
        raise ValueError
    return KeyPair(value["certificate"], value["key"])


def secrets_of(spec: GatewaySpec) -> tuple[str, ...]:
    """The secrets that the gateway's issuer needs."""
    issuer = spec.issuer
    if isinstance(issuer, Secrets):
        return (CERTIFICATES,) if spec.https else ()
    if isinstance(issuer, PrivateCa):
        return (ISSUER_KEY,)
    return (DNS_KEY,) if _tsig(issuer) else ()


def _tsig(issuer: Any) -> Rfc2136 | None:
    solver = issuer.acme.solver if isinstance(issuer, CertManager) else None
    return solver.by if isinstance(solver, Dns01) and isinstance(solver.by, Rfc2136) else None


def issuer_problems(given: Mapping[str, str], spec: GatewaySpec, now: float) -> list[Finding]:
    """What is wrong with the secrets of the gateway's issuer. No message has a value of one but host names and days.

    `given`: by name, those that are there. `now`: seconds since 1970. A certificate that is missing is said here: the
    Gateway would wait for it until its limit.
    """
    needed = secrets_of(spec)
    found = [
        Finding("gateway-issuer", f"{PROJECT}:{name}", *_missing(name, spec)) for name in needed if name not in given
    ]
    found += [
        Finding("gateway-issuer", f"{PROJECT}:{name}", f"is not used with issuer kind {spec.issuer.kind}", "remove it")
        for name in (CERTIFICATES, ISSUER_KEY, DNS_KEY)
        if name in given and name not in needed
    ]
    if CERTIFICATES in given and CERTIFICATES in needed:
        found += certificate_problems(given[CERTIFICATES], spec, now)
        found += _without(given[CERTIFICATES], spec)
    if isinstance(spec.issuer, PrivateCa):
        if ISSUER_KEY in given:
            said = key_problem(given[ISSUER_KEY], spec.issuer.ca_certificate, of="gateway.issuer.caCertificate")
            remedy = "set the key that was made together with the certificate"
            found += [Finding("gateway-issuer", f"{PROJECT}:{ISSUER_KEY}", said, remedy)] if said else []
        found += _authority_problems(spec.issuer, [one.hostname for one in spec.https if one.hostname], now)
    if DNS_KEY in given and DNS_KEY in needed and not _is_base64(given[DNS_KEY]):
        said, remedy = "is not base64", "set it as the name server's configuration has it"
        found.append(Finding("gateway-issuer", f"{PROJECT}:{DNS_KEY}", said, remedy))
    return found


def _missing(name: str, spec: GatewaySpec) -> _Wrong:
    wanted = ", ".join(sorted({item.certificate_secret for item in spec.https}))
    why = {CERTIFICATES: f"is missing, and listeners need certificates: {wanted}"}.get(name, "is missing")
    others = ", or choose another gateway.issuer" if name == CERTIFICATES else ""
    return why, f"run `pulumi config set --secret {PROJECT}:{name}`{others}"


def _without(text: str, spec: GatewaySpec) -> Iterator[Finding]:
    """Listeners whose certificate is not among those of the secret."""
    try:
        given = key_pairs(text)
    except RefusedError:
        return  # said already
    for name in sorted({item.certificate_secret for item in spec.https} - set(given)):
        listeners = ", ".join(item.name for item in _listeners(spec, name))
        yield _problem(name, f"is missing, and listener {listeners} needs it", "add it")


def _authority_problems(issuer: PrivateCa, hosts: Sequence[str], now: float) -> Iterator[Finding]:
    item, ca = "gateway.issuer.caCertificate", authority(issuer)
    begins = period(issuer, now).begins
    if outside := names_outside(issuer.ca_certificate, hosts):
        said = f"has name constraints that do not let it sign for {', '.join(outside)}"
        yield Finding("gateway-issuer", item, said, "make one without name constraints, or for these names")
    if ca.not_valid_after_utc.timestamp() <= now + issuer.renew_days * 86_400:
        said = f"the authority ends on {ca.not_valid_after_utc.date()}, less than renewDays from now"
        yield Finding("gateway-issuer", item, said, "make a new one, and give it to the clients first")
    elif begins < ca.not_valid_before_utc.replace(hour=0, minute=0, second=0, microsecond=0):
        said = f"the authority begins on {ca.not_valid_before_utc.date()}, after the certificate"
        yield Finding("gateway-issuer", "gateway.issuer.validFrom", said, f'write "{ca.not_valid_before_utc.date()}"')
    if begins.timestamp() > now:
        said = f"{issuer.valid_from} is in the future"
        yield Finding("gateway-issuer", "gateway.issuer.validFrom", said, "write today or an earlier day")


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text.strip(), validate=True))
    except ValueError:
        return False


def served(given: Mapping[str, str], spec: GatewaySpec, now: float) -> dict[str, KeyPair]:
    """By name of the Secret, the certificates that the program itself brings, after `issuer_problems` found none."""
    if isinstance(spec.issuer, Secrets):
        return key_pairs(given.get(CERTIFICATES))
    if not isinstance(spec.issuer, PrivateCa):
        return {}
    names = names_by_secret(spec)
    return {name: signed(spec.issuer, given[ISSUER_KEY], hosts, now) for name, hosts in names.items()}


def names_by_secret(spec: GatewaySpec) -> dict[str, list[str]]:
    """The host names of each certificate that an issuer makes, sorted."""
    return {
        name: sorted({item.hostname for item in _listeners(spec, name) if item.hostname})
        for name in sorted({item.certificate_secret for item in spec.https})
    }


def last_day(pair: KeyPair) -> str:
    """The day on which a certificate ends, as in 2027-02-24."""
    return str(x509.load_pem_x509_certificates(pair.certificate.encode())[0].not_valid_after_utc.date())


def certificate_problems(text: str, spec: GatewaySpec | None, now: float) -> list[Finding]:
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
    if spec is not None and not _listeners(spec, name):
        names = sorted({item.certificate_secret for item in spec.https})
        yield f"no listener has this certificateSecret (existing: {', '.join(names) or 'none'})", "correct its name"


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
    return [item for item in spec.https if item.certificate_secret == name]


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
