"""Rules for places and data flows, in a stack file and in the resources of any program."""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from components.core.duplicates import duplicates
from components.core.endpoints import outside_of
from components.core.finding import Finding
from components.core.messages import did_you_mean
from components.core.names import FOR_DNS
from components.residency.model import Place, Residency, ResidencyException, endpoint_name
from components.residency.processing import Processing

_COMMON_DOMAINS = ("com", "net", "org", "edu", "gov", "int", "biz", "info", "dev", "app", "cloud")
"""Top-level domains that are never taken for a namespace: a namespace `com` would hide every host of .com."""
EVERYWHERE = "0.0.0.0/0"
"""What a network policy lets pods call when it names no peer."""
NOT_KNOWN = ""
"""The endpoint of a data flow whose value is not known yet."""
UNDECIDED = "cannot be decided at preview"


class DataFlow(NamedTuple):
    """Bytes that go somewhere, as a field of a resource says."""

    endpoint: str
    """A host, a CIDR, or a storage driver's name."""
    purpose: str
    field: str
    """`spec.template.spec.containers.0.image`."""
    subject: str = ""
    """The resource, as messages name it: `Deployment agency/web`."""
    remedy: str = ""
    """What else to write: where a chart is assumed to use the endpoint, or where `unknown` has a reason."""
    unknown: str = ""
    """Why the endpoint is not known, where it is not simply a value that comes later."""
    written: str = ""
    """The whole value, where the endpoint is a part of it: a range of addresses."""
    secret: bool = False
    """Whether a Secret has the endpoint, so that only its hash may be shown."""

    @property
    def shown(self) -> str:
        """The endpoint as messages and records have it."""
        return (
            f"sha256:{hashlib.sha256(self.endpoint.encode()).hexdigest()[:16]}"
            if self.secret and self.endpoint
            else self.endpoint
        )

    @property
    def where(self) -> str:
        """The resource and the field."""
        return ": ".join(part for part in (self.subject, self.field) if part)


class Record(NamedTuple):
    """What data flows are checked against."""

    places: Sequence[Place]
    """The most precise that fits counts, among equals the first."""
    exceptions: Sequence[ResidencyException]
    allowed: Collection[str]
    today: date
    audited: Sequence[Place] = ()
    """Those of `places` that the auditor configured: they count before all others, however precise."""
    approved: Sequence[ResidencyException] = ()
    """Those of `exceptions` that the auditor configured: no other lets an audited place through."""
    namespaces: Collection[str] = ()
    """Those of the program: SERVICE.NAMESPACE stays in the cluster, although `storage` and others are top-level
    domains too."""


def residency_problems(spec: Residency) -> list[Finding]:
    """Everything wrong with the stack file's `residency`, whatever day it is."""
    return [*_names(spec), *_exceptions_of_nothing(spec.places, spec.exceptions), *_unexcepted(spec)]


def data_flow_problems(flow: DataFlow, record: Record) -> Iterator[Finding]:
    """An undeclared destination, one for another purpose than declared, or a residency violation."""

    if flow.endpoint == NOT_KNOWN:
        why = flow.unknown or f"where bytes go ({flow.purpose}) is not known yet"
        remedy = flow.remedy or "write it as a plain value"
        yield Finding("residency-destinations", flow.where, f"{UNDECIDED}: {why}", remedy, decided=False)
        return

    def finding(message: str, remedy: str) -> Finding:
        return Finding(
            "residency-destinations", flow.where, message, f"{remedy}; {flow.remedy}" if flow.remedy else remedy
        )

    if flow.purpose == "addresses" and outside_of(flow.endpoint) is None:
        return  # a pool of private addresses needs no place
    service, _, namespace = flow.endpoint.partition(".")
    if service and namespace in record.namespaces and namespace not in _COMMON_DOMAINS and len(namespace) > 2:
        return
    to = f"bytes go to {flow.shown}"
    place = place_of(flow.endpoint, record.audited)
    if place is not None:
        record = record._replace(exceptions=record.approved)
    else:
        place = place_of(flow.endpoint, record.places)
    if place is None:
        entry = "hosts: [the name with this hash]" if flow.secret else _entry(flow.endpoint)
        remedy = (
            f"write one in residency.places, {{name, {entry}, entity, entityCountry, country, "
            f"purposes: [{flow.purpose}]}}, or use one that is declared{_instead(flow)}"
            if entry
            else "no place can hold it: write names, or a pattern below one domain, as in *.example.no"
        )
        yield finding(f"{to} ({flow.purpose}), which no declared place holds", remedy)
        return
    if flow.purpose not in (*place.purposes, "unclassified"):  # of what has no known purpose, the place counts alone
        purposes = ", ".join(place.purposes)
        message = f"{to} for {flow.purpose}, and place '{place.name}' is declared for {purposes}"
        yield finding(message, "add the purpose to it, or use another place")
    for why in residency_violations(place, record):
        yield finding(f"{to} ({flow.purpose}): {why}", _OTHER_PLACE)


def _instead(flow: DataFlow) -> str:
    """What else the endpoint may be, for the end of a remedy."""
    if flow.endpoint == EVERYWHERE:
        return f"; {FOR_DNS}"
    if flow.secret:
        return "; `printf %s NAME | sha256sum` gives a name's hash"
    short = re.fullmatch(r"[a-z][^./*]*\.([^./]{3,})", flow.endpoint)
    maybe = short and short[1] not in _COMMON_DOMAINS
    return f"; if it is a Service, write {flow.endpoint}.svc" if maybe else ""


_OTHER_PLACE = "use another place, or write a dated exception"


def residency_violations(place: Place, record: Record) -> Iterator[str]:
    """Why the place may not be used today: its country and its entity's are checked separately."""
    allowed = ", ".join(sorted(record.allowed)) or "none"
    excepted = [item for item in record.exceptions if item.place == place.name]
    if any(not item.ended(record.today) for item in excepted):
        return
    ended = "".join(f" (exception '{item.name}' ended on {item.until})" for item in excepted)
    if place.country not in record.allowed:
        yield f"place '{place.name}' is in {place.country}, allowed: {allowed}{ended}"
    if place.entity_country not in record.allowed:
        yield (
            f"place '{place.name}' is controlled by {place.entity}, under the law of {place.entity_country}, "
            f"in whichever country it is; allowed: {allowed}{ended}"
        )


def expired_problems(exceptions: Sequence[ResidencyException], today: date) -> Iterator[Finding]:
    """Exceptions whose last day is over."""
    for item in exceptions:
        if item.ended(today):
            yield Finding(
                "residency-exceptions",
                f"exception '{item.name}'",
                # Not the day of today: the same state would give other evidence every morning.
                f"ended on {item.until}",
                f"remove it, and leave place '{item.place}', or have a new date approved",
            )


def missing_purposes(places: Sequence[Place], demanded: Sequence[str]) -> Iterator[Finding]:
    """Purposes of `demanded` for which no place is declared."""
    said = {purpose for place in places for purpose in place.purposes}
    for purpose in demanded:
        if purpose not in said:
            yield Finding(
                "residency-record",
                "residency.places",
                f"no place is declared for {purpose}, and every node sends bytes somewhere for it",
                "declare the place",
            )


def place_of(endpoint: str, places: Sequence[Place]) -> Place | None:
    """The place that says most precisely that it holds the endpoint: an exact name before a wildcard, a small
    network before a large one; among equals the first."""
    fits = [(fit, -order, place) for order, place in enumerate(places) if (fit := _fit(endpoint, place)) is not None]
    return max(fits, key=lambda found: found[:2])[2] if fits else None


def _fit(endpoint: str, place: Place) -> int | None:
    network = _network(endpoint)
    if network is not None:
        holding = [held.prefixlen for held in place.networks if _within(network, held)]
        return max(holding, default=None)
    if endpoint in place.hosts:
        return 10_000
    wide = [len(host) for host in place.hosts if host.startswith("*.") and endpoint.endswith(host[1:])]
    return max(wide, default=None)


def _network(endpoint: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(endpoint, strict=False)
    except ValueError:
        return None


def _within(network: IPv4Network | IPv6Network, held: IPv4Network | IPv6Network) -> bool:
    return network.version == held.version and network.network_address in held and network.broadcast_address in held


def _entry(endpoint: str) -> str:
    """What a place needs to hold the endpoint, as a place takes it; empty where none can."""
    if network := _network(endpoint):
        return f"networks: [{network}]"
    host = re.sub(r"^.*\*[^.]*", "*", endpoint)  # s3.*.example.no → *.example.no
    try:
        return f"hosts: [{endpoint_name(host)}]" if "." in host.removeprefix("*.") or host == endpoint else ""
    except ValueError:
        return ""


def _names(spec: Residency) -> Iterator[Finding]:
    for what, names in (
        ("place", [place.name for place in spec.places]),
        ("exception", [item.name for item in spec.exceptions]),
    ):
        for name in duplicates(names):
            yield Finding("residency-record", f"residency {what} '{name}'", "occurs twice", "rename one of them")
    for host in duplicates(host for place in spec.places for host in place.hosts):
        both = " and ".join(place.name for place in spec.places if host in place.hosts)
        yield Finding("residency-record", f"residency places {both}", f"both have {host}", "leave it to one of them")


def _exceptions_of_nothing(places: Sequence[Place], exceptions: Sequence[ResidencyException]) -> Iterator[Finding]:
    names = sorted(place.name for place in places)
    for item in exceptions:
        if item.place not in names:
            yield Finding(
                "residency-exceptions",
                f"residency exception '{item.name}'",
                f"is for place '{item.place}', which is not one of {', '.join(names) or 'none'}",
                did_you_mean(item.place, names) or "correct it",
                value=item.place,
                fields=(f"residency.exceptions[{item.name}].place",),
            )


def _unexcepted(spec: Residency) -> Iterator[Finding]:
    record = Record(spec.places, spec.exceptions, spec.allowed_countries, today=date.min)  # no exception has ended
    names = [place.name for place in spec.places]
    meant = {did_you_mean(item.place, names) for item in spec.exceptions if item.place not in names}
    found = {
        place.name: why
        for place in spec.places
        # Of one whose exception has a misspelt name, that is reported.
        if f"did you mean {place.name}?" not in meant and (why := list(residency_violations(place, record)))
    }
    if not spec.exceptions and len(found) > 1:
        said = f"is missing, and {len(found)} places need one: {'; '.join(map('; '.join, found.values()))}"
        yield Finding("residency-record", "residency.exceptions", said, _OTHER_PLACE, fields=("residency",))
        return
    for name, why in found.items():
        yield Finding("residency-record", f"residency place '{name}'", "; ".join(why), _OTHER_PLACE)


def processing_problems(processing: Processing) -> Iterator[Finding]:
    """Two controllers for one tenant."""
    for name in duplicates(one.tenant for one in processing.controllers):
        yield Finding(
            "processing-controller",
            f"controller of {name}",
            "occurs twice",
            "write joint controllers to `jointControllers`",
        )
