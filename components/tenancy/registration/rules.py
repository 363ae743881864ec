"""Rules for a registration, beside other tenants and within its environment. Pure.

What it may call is checked against the residency record by `components.residency.registered_egress`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from ipaddress import IPv4Network
from typing import NamedTuple

from components.core.duplicates import duplicates
from components.core.endpoints import is_public_name
from components.core.finding import Finding
from components.core.messages import did_you_mean
from components.tenancy.admission_policies import holds_contracts
from components.tenancy.admission_rules import IDS
from components.tenancy.namespaces import PLATFORM_NAMESPACES
from components.tenancy.network import egress_problems
from components.tenancy.registration.contract import ContractSpec, takes
from components.tenancy.registration.environment import Environment
from components.tenancy.registration.model import RESIDENCY_RULE, Egress, Registration
from components.tenancy.rights import EXEC

_EXCEPTIONS = sorted({*IDS, EXEC, RESIDENCY_RULE})
_LABEL = 63
"""Characters of a namespace's name (RFC 1123)."""
_WIDEST = 8
"""Prefix of the widest network of an egress: no country holds a wider one."""
_NEVER = tuple(
    IPv4Network(cidr)
    for cidr in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")  # RFC 6890
)
"""This host, loopback, link-local (cloud metadata), multicast, reserved."""


class Claim(NamedTuple):
    """What another tenant has already."""

    tenant: str
    namespaces: tuple[str, ...]
    domains: tuple[str, ...]


def claim_of(other: Registration | ContractSpec) -> Claim:
    """What a tenant has, by its registration or by a contract in the cluster."""
    names = other.namespace_names if isinstance(other, Registration) else other.namespaces
    return Claim(other.tenant, tuple(names), tuple(other.domains))


def registration_problems(registration: Registration, others: Iterable[Claim] = ()) -> Iterator[Finding]:
    """What is wrong with a registration in any environment. `others`: tenants of the same environment."""
    yield from _names(registration)
    for domain in duplicates(registration.domains):
        yield _finding("domains", f"{domain} occurs twice", "remove one of them", domain)
    for domain in registration.domains:
        if not is_public_name(domain):
            said = f"{domain} is no name below a domain that somebody registered"
            yield _finding("domains", said, "write one, as in butikk.example.no", domain)
    for name in duplicates(one.name for one in registration.egress):
        yield _finding(f"egress[{name}]", "occurs twice", "rename one of them", name)
    for name in duplicates(one.name for one in registration.exceptions):
        yield _finding(f"exceptions[{name}]", "occurs twice", "rename one of them", name)
    known = {one.name for one in registration.egress}
    for waiver in registration.exceptions:
        if waiver.rule not in _EXCEPTIONS:
            said = f"{waiver.rule} is no rule that has exceptions"
            remedy = did_you_mean(waiver.rule, _EXCEPTIONS) or f"write one of {', '.join(_EXCEPTIONS)}"
            yield _finding(f"exceptions[{waiver.name}].rule", said, remedy, waiver.rule)
        if waiver.egress is not None and waiver.egress not in known:
            said = f"is for egress '{waiver.egress}', which is not registered"
            yield _finding(f"exceptions[{waiver.name}].egress", said, "correct it", waiver.egress)
    for one in registration.egress:
        yield from _egress_problems(one)
    for other in others:
        if other.tenant != registration.tenant:
            yield from _shared_with(registration, other)


def environment_problems(registration: Registration, environment: Environment) -> Iterator[Finding]:
    """What of a registration its environment can't give."""
    tenant = registration.tenant
    if not environment.enforces_policies:
        said = f"{environment.cni} of environment {environment.environment} enforces no NetworkPolicy"
        remedy = "register it in an environment with Cilium or Calico"
        yield _finding("tenant", f"{said}, so nothing keeps tenants apart", remedy, tenant)
    if not holds_contracts(environment.versions.kubernetes):
        said = f"Kubernetes {environment.versions.kubernetes} of environment {environment.environment} refuses nothing"
        remedy = "upgrade it to 1.30 or newer, and run `pulumi up` there"
        yield _finding("tenant", f"{said} that a contract does not allow", remedy, tenant)
    for namespace in registration.namespace_names:
        if namespace in environment.namespaces:
            yield _finding("namespaces", f"{namespace} exists in environment {environment.environment}", _RENAME)
    listeners = environment.gateway.listeners
    for domain in registration.domains:
        if not any(takes(one, tenant, domain) for one in listeners):
            hosts = ", ".join(
                sorted({one.hostname or "every host" for one in listeners if one.tenant in (None, tenant)})
            )
            said = f"no listener of the gateway takes {domain} (they have {hosts or 'none'})"
            yield _finding("domains", said, "write a name below one of them, or add a listener", domain)
    ceiling = environment.canary_ceiling_percent
    if registration.canary_ceiling_percent > ceiling:
        said = f"{registration.canary_ceiling_percent} is more than the environment's ceiling of {ceiling}"
        yield _finding("canaryCeilingPercent", said, f"write at most {ceiling}")
    yield from egress_problems(registration, environment)
    own = {
        "pods": environment.pod_networks,
        "Services": environment.service_networks,
        "nodes": environment.node_networks,
    }
    for one in registration.egress:
        for network in one.networks:
            for what, networks in own.items():
                if any(network.overlaps(held) for held in networks):
                    said = f"{network} has addresses of the cluster's {what}"
                    yield _finding(f"egress[{one.name}].networks", said, "write addresses outside of the cluster")


def exception_problems(registration: Registration, today: date) -> Iterator[Finding]:
    """Exceptions whose last day is over."""
    for one in registration.exceptions:
        if one.ended(today):
            said = f"ended on {one.until}"
            yield _finding(f"exceptions[{one.name}].until", said, "remove it, or have a new date approved")


def removed_namespaces(registration: Registration, existing: Sequence[str]) -> Iterator[Finding]:
    """Namespaces in the cluster that have left the registration. `existing`: those with the tenant's label."""
    for name in sorted(set(existing) - set(registration.namespace_names)):
        said = f"{name} is in the cluster, with everything in it, and not in the registration"
        remedy = f"write it again, or run `vds tenant retire {registration.tenant} --namespace {name}` first"
        yield _finding("namespaces", said, remedy, name)


_RENAME = "choose another name"
_ONE_OWNER = "a host name has one owner; remove it from one of them"


def _names(registration: Registration) -> Iterator[Finding]:
    tenant = registration.tenant
    if tenant in PLATFORM_NAMESPACES or tenant.startswith("kube-"):
        yield _finding("tenant", "is the name of a namespace that is the platform's own", _RENAME, tenant)
    for namespace in registration.namespace_names:
        if namespace in PLATFORM_NAMESPACES or namespace.startswith("kube-"):
            yield _finding("namespaces", f"{namespace} is a namespace of the platform's own", _RENAME, namespace)
        if len(namespace) > _LABEL:
            said = f"{namespace} has {len(namespace)} characters, at most {_LABEL}"
            yield _finding("namespaces", said, "shorten the tenant's name or the key", namespace)


def _shared_with(registration: Registration, other: Claim) -> Iterator[Finding]:
    for namespace in sorted(set(registration.namespace_names) & set(other.namespaces)):
        yield _finding("namespaces", f"{namespace} belongs to tenant '{other.tenant}'", _RENAME, namespace)
    for domain in registration.domains:
        for theirs in other.domains:
            if _overlap(domain, theirs):
                over = "" if domain == theirs else f" (as {theirs})"
                said = f"{domain} belongs to tenant '{other.tenant}' too{over}"
                yield _finding("domains", said, _ONE_OWNER, domain)


def _overlap(one: str, other: str) -> bool:
    """Whether two domains have a host in common: each has its host and all names below it."""
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _egress_problems(one: Egress) -> Iterator[Finding]:
    for host in one.hosts:
        if not is_public_name(host.removeprefix("*.")):
            said = f"{host} is no name below a domain that somebody registered"
            yield _finding(f"egress[{one.name}].hosts", said, "write one, as in api.example.no or *.example.no", host)
    for network in one.networks:
        if network.prefixlen < _WIDEST:
            said = f"{network} is wider than /{_WIDEST}"
            yield _finding(f"egress[{one.name}].networks", said, "write the networks that are called")
        elif any(network.overlaps(never) for never in _NEVER):
            said = f"{network} is no network of another machine (loopback, link-local, multicast or reserved)"
            yield _finding(f"egress[{one.name}].networks", said, "write the networks that are called")


def _finding(subject: str, message: str, remedy: str, value: str = "") -> Finding:
    return Finding("tenancy-registration", subject, message, remedy, value=value)
