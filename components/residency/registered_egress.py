"""What a registered tenant may call, held against the environment's residency record. Pure.

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
    exceptions = [
        ResidencyException(name=one.name, place=one.egress, until=one.until, reason=one.reason)
        for one in registration.exceptions
        if one.egress is not None
    ]
    record = Record(
        places=[_place(one) for one in registration.egress],
        exceptions=exceptions,
        allowed=residency.allowed_countries,
        today=today,
        audited=residency.places,
        approved=residency.exceptions,
    )
    for one in registration.egress:
        for endpoint in (*one.hosts, *map(str, one.networks)):
            yield from data_flow_problems(DataFlow(endpoint, "egress", f"egress[{one.name}]"), record)
    for registry in registration.registries:
        host = registry.partition("/")[0].partition(":")[0]
        yield from data_flow_problems(DataFlow(host, "image-registry", "registries"), record)


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
