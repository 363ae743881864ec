"""What a registered tenant may call, checked against the environment's residency record. Pure.

The rules are those of the policy `residency-destinations`. The environment's record is the auditor's: where it has a
place for a destination, that place counts, whatever the registration says.
"""

from collections.abc import Iterator
from datetime import date

from components.core.finding import Finding
from components.residency.model import Place, Residency, ResidencyException
from components.residency.rules import DataFlow, Record, data_flow_problems
from components.tenancy.registration.model import Egress, Registration


def registered_egress_problems(registration: Registration, residency: Residency, today: date) -> Iterator[Finding]:
    """Destinations in a country that is not allowed, or of an entity under such a country's law; registries that the
    record does not have."""
    record = Record(
        places=[_place(one) for one in registration.egress],
        exceptions=_exceptions(registration),
        allowed=residency.allowed_countries,
        today=today,
        audited=residency.places,
        approved=residency.exceptions,
    )
    taken = {place.name for place in residency.places}
    for one in registration.egress:
        if one.name in taken:
            said = "is the name of a place of the environment's residency record"
            yield Finding("residency-record", f"egress[{one.name}].name", said, "choose another", value=one.name)
        for endpoint in (*one.hosts, *map(str, one.networks)):
            yield from data_flow_problems(DataFlow(endpoint, "egress", f"egress[{one.name}]"), record)
    for registry in registration.registries:
        host = registry.partition("/")[0].partition(":")[0]
        yield from data_flow_problems(DataFlow(host, "image-registry", "registries"), record)


def registered_record(registration: Registration, residency: Residency) -> Residency:
    """The environment's record with what the tenant may call: the policies judge the tenant's stack by it."""
    return Residency(
        allowed_countries=residency.allowed_countries,
        places=(*residency.places, *(_place(one) for one in registration.egress)),
        exceptions=(*residency.exceptions, *_exceptions(registration)),
    )


def _exceptions(registration: Registration) -> list[ResidencyException]:
    return [
        ResidencyException(name=one.name, place=one.egress, until=one.until, reason=one.reason)
        for one in registration.exceptions
        if one.egress is not None
    ]


def _place(one: Egress) -> Place:
    return Place(
        name=one.name,
        hosts=one.hosts,
        networks=one.networks,
        country=one.country,
        entity=one.entity,
        entity_country=one.entity_country,
        purposes=("egress",),
    )
