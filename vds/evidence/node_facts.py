"""What nodes really ask, of a facts file: resolvers, time servers, package sources, registries. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime

from components.core.types import RefusedError
from components.nodes.preflight import facts
from components.nodes.preflight.facts import Kept
from components.residency.asked import ASKED, hosts_of
from components.residency.rules import place_of
from components.stackfile.spec import PlatformSpec
from vds.evidence.data_flows import Seen
from vds.shared.errors import OperationError

_ANY_AGE = 24 * 366 * 100
"""Hours. Evidence is of the past, and says when the nodes were read."""


def read_facts(text: str, file: str, *, environment: str, now: float) -> Kept:
    """The facts of this stack's nodes. Raises OperationError if the file is damaged or of another stack."""
    try:
        return facts.load(text, environment=environment, now=now, max_hours=_ANY_AGE)
    except RefusedError as error:
        raise OperationError(f"--facts {file}: {error}") from None


def read_at(kept: Kept) -> str:
    """When the nodes were read."""
    return datetime.fromtimestamp(kept.made_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_nodes(kept: Kept) -> Iterator[Seen]:
    """Every host outside the node that a node asks."""
    for survey in kept.surveys:
        for asked in ASKED:
            for host in hosts_of(survey.get(asked.fact), asked):
                yield Seen(asked.purpose, host, host, f"node {survey.node}: read of it")


def open_points(spec: PlatformSpec, kept: Kept) -> Iterator[str]:
    """Nodes and facts that were not read, and hosts whose place is declared for other purposes."""
    surveys = {survey.node: survey for survey in kept.surveys}
    for node in spec.nodes:
        if node.name not in surveys:
            yield f"node {node.name}: the facts have nothing of it: run vds doctor --facts again"
            continue
        for fact in (asked.fact for asked in ASKED):
            if reason := surveys[node.name].get(fact).get("unknown"):
                yield f"node {node.name}: its {fact.replace('_', ' ')} are not known: {reason}"
    for one in of_nodes(kept):
        place = place_of(one.location, spec.residency.places)
        if place and one.kind not in place.purposes:
            purposes = ", ".join(place.purposes)
            said = f"asks {one.location} for {one.kind}, and place '{place.name}' is declared for {purposes}"
            yield f"{one.seen_in.partition(':')[0]}: {said}: add the purpose to it, or configure another server"
