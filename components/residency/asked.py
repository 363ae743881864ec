"""Checks of the hosts that a node really asks: each must be at a place of `residency.places`, as any destination.

What a node asks stands in no resource: its resolvers, time servers, package sources and the registries in the
configuration of its container runtime. The survey reads them.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from components.core.endpoints import image_registry, outside_of
from components.nodes.model import NodeSpec
from components.nodes.preflight.checks import Check, Measurement, MissingFactError, check
from components.nodes.preflight.facts import Fact, Survey
from components.nodes.preflight.verdict import CheckResult, judged
from components.residency.model import Residency
from components.residency.rules import DataFlow, Record, data_flow_problems

LIMIT = "declared places"
SOURCE = "GDPR art. 30 and 44: `residency.places`"


class Declared(NamedTuple):
    """What a stack file says of hosts that nodes ask."""

    residency: Residency
    networks: Sequence[str]
    """The nodes' networks: a private address in one of them is the stack's own."""
    sources: Collection[str] = ()
    """Hosts of the packages and images that kubeadm installs; `cluster` has their country."""


class Context(NamedTuple):
    """Everything that a judge may use."""

    survey: Survey
    record: Record
    declared: Declared

    def fact(self, name: str) -> Fact:
        """A fact of the node by its name in `survey.FACTS`. Raises MissingFactError."""
        fact = self.survey.get(name)
        if "unknown" in fact:
            raise MissingFactError(str(fact["unknown"]))
        return fact


class Asked(NamedTuple):
    """Hosts that nodes ask, and for what."""

    fact: str
    """Its name in the survey."""
    field: str
    purpose: str
    """As places have it."""


RESOLVERS = Asked("dns_servers", "servers", "dns")
TIME_SERVERS = Asked("time_servers", "servers", "time")
PACKAGES = Asked("package_hosts", "hosts", "package-repository")
REGISTRIES = Asked("image_hosts", "hosts", "image-registry")
ASKED = (RESOLVERS, TIME_SERVERS, PACKAGES, REGISTRIES)


def hosts_of(fact: Fact, asked: Asked) -> list[str]:
    """The hosts of a fact outside the node, as places have them."""
    found = [host.rstrip(".").lower() for host in fact.get(asked.field, ())]
    if asked is REGISTRIES:  # Docker Hub has several names
        found = [image_registry(f"{host}/image") for host in found]
    return list(dict.fromkeys(host for host in found if host and not _is_loopback(host)))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _judged(context: Context, asked: Asked) -> Measurement:
    hosts = hosts_of(context.fact(asked.fact), asked)
    outside = [host for host in hosts if not _is_own(host, context.declared)]
    found = [
        problem for host in outside for problem in data_flow_problems(DataFlow(host, asked.purpose, ""), context.record)
    ]
    if not found:
        return Measurement(", ".join(hosts) or "none", limit=LIMIT)
    said = "; ".join(dict.fromkeys(problem.message.removeprefix("bytes go to ") for problem in found))
    remedy = "; ".join(dict.fromkeys(problem.remedy for problem in found))
    return Measurement(said, good=False, limit=LIMIT, remedy=f"{remedy}; or configure another host on the node")


def _is_own(host: str, declared: Declared) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return host in declared.sources
    return outside_of(host) is None and any(address in ip_network(network) for network in declared.networks)


def _check(title: str, **about: str) -> Callable[[Callable[[Context], Measurement]], Check]:
    remedy = "declare the place, or configure another host on the node"
    return check(title, limit=LIMIT, source=SOURCE, remedy=remedy, **about)


@_check("resolvers", known_by="name a server in /etc/resolv.conf, or in systemd-resolved")
def declared_resolvers(context: Context) -> Measurement:
    return _judged(context, RESOLVERS)


@_check("time servers")
def declared_time_servers(context: Context) -> Measurement:
    try:
        return _judged(context, TIME_SERVERS)
    except MissingFactError as reason:
        # Not undecided: the first run switches the time service on, and would be stopped for ever.
        remedy = "run the doctor after `pulumi up`, which switches the time service on"
        return Measurement(f"not known: {reason}", good=False, limit=LIMIT, remedy=remedy, advisory=True)


@_check("package sources", known_by="the survey reads apt's sources: accept the check on another distribution")
def declared_packages(context: Context) -> Measurement:
    return _judged(context, PACKAGES)


@_check("registries of the container runtime", known_by="make containerd's configuration readable")
def declared_registries(context: Context) -> Measurement:
    return _judged(context, REGISTRIES)


CHECKS = tuple(found for found in list(vars().values()) if isinstance(found, Check))
"""In the order of the report."""


def asked_findings(
    surveys: Sequence[Survey], nodes: Sequence[NodeSpec], declared: Declared, today: date
) -> list[CheckResult]:
    """Every check of every node that answered. `today` is the day that exceptions are compared with."""
    by_name = {survey.node: survey for survey in surveys if not survey.failure}
    said = declared.residency
    record = Record(said.places, said.exceptions, said.allowed_countries, today)
    return [
        judged(node.name, one, Context(by_name[node.name], record, declared))
        for node in nodes
        if node.name in by_name
        for one in CHECKS
    ]
