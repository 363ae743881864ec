"""What places and the use of them may not be: as the stack file declares them, and as anyone's resources use them."""

from collections.abc import Collection, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.core.names import FOR_DNS
from components.residency.model import Place, Residency, ResidencyException

EVERYWHERE = "0.0.0.0/0"
"""What a policy lets call that names no peer."""


class Use(NamedTuple):
    """Bytes that go somewhere, as a resource says it."""

    endpoint: str
    """A host, a CIDR, or a storage driver's name."""
    purpose: str
    where: str
    """The resource and the field: `Deployment agency/web: spec.template.spec.containers.0.image`."""
    otherwise: str = ""
    """What else to write, where the resource says it only by a guess that may be wrong: ends the message."""


class Record(NamedTuple):
    """What a judgement of uses is made by."""

    places: Sequence[Place]
    """The most precise that fits counts, among equals the first."""
    exceptions: Sequence[ResidencyException]
    allowed: Collection[str]
    today: str
    """ISO date."""
    audited: Sequence[Place] = ()
    """Those of `places` that whoever judges the program knows: they count before all others, however precise."""
    approved: Sequence[ResidencyException] = ()
    """Those of `exceptions` that whoever judges the program wrote: no other lets an audited place through."""


def residency_problems(spec: Residency) -> list[Finding]:
    """Everything wrong with the stack file's `residency`, whatever day it is."""
    return [*_names(spec), *_exceptions_of_nothing(spec.places, spec.exceptions), *_unexcepted(spec)]


def use_problems(use: Use, record: Record) -> list[Finding]:
    """A use of a place that nobody declared, or that the law does not reach."""
    otherwise = f"; {use.otherwise}" if use.otherwise else ""
    place = place_of(use.endpoint, record.audited)
    if place is not None:
        record = record._replace(exceptions=record.approved)
    else:
        place = place_of(use.endpoint, record.places)
    if place is None:
        enough = f"; {FOR_DNS}" if use.endpoint == EVERYWHERE else ""
        return [
            Finding(
                "residency-closure",
                use.where,
                f"bytes go to {use.endpoint} ({use.purpose}), which no declared place holds: write one in "
                f"residency.places, {{name, {_key(use.endpoint)}: [{use.endpoint}], entity, entityCountry, country, "
                f"purposes: [{use.purpose}]}}, or use one that is declared{enough}{otherwise}",
            )
        ]
    problems = []
    if use.purpose not in place.purposes:
        problems.append(
            Finding(
                "residency-closure",
                use.where,
                f"bytes go to {use.endpoint} for {use.purpose}, and place '{place.name}' is declared for "
                f"{', '.join(place.purposes)}: add the purpose to it, or use another place{otherwise}",
            )
        )
    return problems + [
        Finding("residency-closure", use.where, f"bytes go to {use.endpoint} ({use.purpose}): {why}{otherwise}")
        for why in unlawful(place, record)
    ]


def unlawful(place: Place, record: Record) -> list[str]:
    """Why the place may not be used today: location and control are judged apart."""
    allowed = ", ".join(sorted(record.allowed)) or "none"
    abroad = []
    if place.country not in record.allowed:
        abroad.append(f"place '{place.name}' is in {place.country}, allowed: {allowed}")
    if place.entity_country not in record.allowed:
        abroad.append(
            f"place '{place.name}' is controlled by {place.entity}, under the law of {place.entity_country}, "
            f"wherever it stands; allowed: {allowed}"
        )
    excepted = [item for item in record.exceptions if item.place == place.name]
    if not abroad or any(item.until >= record.today for item in excepted):
        return []
    ended = "".join(f" (exception '{item.name}' ended on {item.until})" for item in excepted)
    return [f"{why}{ended}: use another place, or write a dated exception" for why in abroad]


def expired_problems(exceptions: Sequence[ResidencyException], today: str) -> list[Finding]:
    """Exceptions that hold no more: whoever wrote them said that something would be different by now."""
    return [
        Finding(
            "residency-exceptions",
            f"exception '{item.name}'",
            # Not the day of today: the same state would give other evidence every morning.
            f"ended on {item.until}: take it out, and leave place '{item.place}', or have a new date approved",
        )
        for item in exceptions
        if item.until < today
    ]


def missing_purposes(places: Sequence[Place], demanded: Sequence[str]) -> list[Finding]:
    """Purposes for which every platform sends bytes somewhere, and this record says of none where."""
    said = {purpose for place in places for purpose in place.purposes}
    return [
        Finding(
            "residency-record",
            "residency.places",
            f"no place is declared for {purpose}, and bytes go somewhere for it: declare where",
        )
        for purpose in demanded
        if purpose not in said
    ]


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


def _key(endpoint: str) -> str:
    return "hosts" if _network(endpoint) is None else "networks"


def _names(spec: Residency) -> Iterator[Finding]:
    for what, names in (
        ("place", [place.name for place in spec.places]),
        ("exception", [item.name for item in spec.exceptions]),
    ):
        for name in duplicates(names):
            yield Finding("residency-record", f"residency {what} '{name}'", "occurs twice: rename one of them")
    for host in duplicates(host for place in spec.places for host in place.hosts):
        both = " and ".join(place.name for place in spec.places if host in place.hosts)
        yield Finding("residency-record", f"residency places {both}", f"both have {host}: leave it to one of them")


def _exceptions_of_nothing(places: Sequence[Place], exceptions: Sequence[ResidencyException]) -> Iterator[Finding]:
    names = sorted(place.name for place in places)
    for item in exceptions:
        if item.place not in names:
            yield Finding(
                "residency-exceptions",
                f"residency exception '{item.name}'",
                f"is for place '{item.place}', which is not one of {', '.join(names) or 'none'}: correct it",
            )


def _unexcepted(spec: Residency) -> Iterator[Finding]:
    record = Record(spec.places, spec.exceptions, spec.allowed_countries, today="")  # any date is still to come
    for place in spec.places:
        for why in unlawful(place, record):
            yield Finding("residency-record", f"residency place '{place.name}'", why)
