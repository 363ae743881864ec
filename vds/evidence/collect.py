"""Stack file, registrations and their states, brought together into what the evidence says. Pure: the same input, the
same answer."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network

from components.core import labels
from components.core.untrusted import json_value
from components.kubeadm.model import Kubeadm
from components.nodes.preflight.facts import Kept
from components.residency.model import Residency
from components.residency.rules import place_of
from components.stackfile.spec import PlatformSpec
from vds.evidence.data_flows import Seen, declared, of_spec, of_state, said_backend
from vds.evidence.model import SECURITY_SETTING, Evidence, Exempt, Place, PlaceStatus, PolicyResult
from vds.evidence.node_facts import of_nodes, open_points, read_at
from vds.evidence.registered import Registered, exempt_of, open_points_of, seen_of, tenant_of
from vds.evidence.software import software
from vds.evidence.state import State

_AGAIN = "run pulumi up, then make the evidence again"
_SOFTWARE = ("chart-repository", "image-registry", "package-repository")
"""What only comes in: `cluster.sourceCountries` has countries of those who publish it, before a place is declared."""


def collect(
    stack: str,
    spec: PlatformSpec,
    state: State,
    *,
    backend: str,
    policies: Iterable[PolicyResult],
    versions: Iterable[tuple[str, str]],
    registered: Sequence[Registered] = (),
    kept: Kept | None = None,
) -> Evidence:
    """The evidence of `stack` and of the tenants that are `registered` in its environment.

    `backend` is where its state is; empty: as the program declared it. `kept` has what was read of the nodes.
    """
    own = [*of_spec(spec), *of_state(state, backend or said_backend(state)), *(of_nodes(kept) if kept else ())]
    seen = [one._replace(tenant="") for one in own]  # tenants have stacks of their own
    of_tenants = [(one, each.record(spec.residency)) for each in registered for one in seen_of(each)]
    every = [*seen, *(one for one, _ in of_tenants)]
    used = {(one.kind, place.name) for one in every if (place := place_of(_address(one), spec.residency.places))}
    known = any(one.kind == "state" for one in seen)  # where it is counts, not where else it might be
    seen += [one for one in declared(spec) if (one.kind, one.name) not in used and not (known and one.kind == "state")]
    if "state" not in {one.kind for one in seen}:
        seen.append(Seen("state", "Pulumi's state", "", "its backend is not declared"))
    return Evidence(
        stack=stack,
        environment=spec.environment,
        allowed_countries=tuple(sorted(spec.residency.allowed_countries)),
        processing=spec.processing,
        places=tuple(sorted(_places([*((one, spec.residency) for one in seen), *of_tenants], spec))),
        tenants=tuple(sorted(map(tenant_of, registered))),
        policies=tuple(sorted(policies)),
        exempt=tuple(sorted({*_exempt(spec, state), *(one for each in registered for one in exempt_of(each))})),
        software=tuple(sorted(set(software(spec, state)))),
        open_points=(
            *_open_points(state, seen),
            *(point for each in registered for point in open_points_of(each, spec.published)),
            *(open_points(spec, kept) if kept else ()),
        ),
        nodes_read_at=read_at(kept) if kept else "",
        state_made_at=state.made_at,
        state_sha256=_sha256(state, registered),
        makes_cluster=isinstance(spec.cluster, Kubeadm),
        secrets_provider=state.secrets_provider,
        versions=tuple(sorted({*versions, *_of_state(state)})),
    )


def _of_state(state: State) -> Iterator[tuple[str, str]]:
    yield "pulumi engine, as the state names it", state.engine
    yield from ((f"pulumi plugin {name}", version) for name, version in state.plugins)


def _sha256(state: State, registered: Iterable[Registered]) -> str:
    """That of the state, and with tenants that of all sums together."""
    sums = [f"{one.tenant} {one.state.sha256}" for one in registered if one.state]
    return hashlib.sha256("\n".join([state.sha256, *sorted(sums)]).encode()).hexdigest() if sums else state.sha256


# --- places ----------------------------------------------------------------------------------------------


def _places(seen: Iterable[tuple[Seen, Residency]], spec: PlatformSpec) -> Iterator[Place]:
    """What sources say alike is one place; what they say differently stays apart, for everyone to see."""
    groups: dict[Place, set[str]] = {}
    for one, record in seen:
        groups.setdefault(_place(one, record, spec), set()).add(one.seen_in)
    for place, sources in groups.items():
        yield replace(place, seen_in=tuple(sorted(sources)))


def _place(seen: Seen, record: Residency, spec: PlatformSpec) -> Place:
    one = _with_record(seen, record)
    status = _status(one, record, spec)
    return Place(
        *(one.kind, one.name, one.location, one.country, one.entity, one.entity_country),
        seen_in=(),
        status=status,
        tenant=one.tenant,
        excepted=_exception(one, record) if status == "excepted" else "",
    )


def _address(seen: Seen) -> str:
    """What the record of places is asked for: of a range of addresses the first, as the policies do."""
    return seen.location.partition("-")[0] if seen.kind == "addresses" else seen.host or seen.location


def _with_record(seen: Seen, record: Residency) -> Seen:
    """With the values of the record's places. The values of a node itself take precedence."""
    place = None if seen.kind == "node" else place_of(_address(seen), record.places)
    if place is None:
        return seen
    return seen._replace(country=place.country, entity=place.entity, entity_country=place.entity_country)


def _status(seen: Seen, record: Residency, spec: PlatformSpec) -> PlaceStatus:
    countries = [country for country in (seen.country, seen.entity_country) if country]
    abroad = set(countries) - set(record.allowed_countries)
    sources = spec.cluster.source_countries if isinstance(spec.cluster, Kubeadm) and seen.kind in _SOFTWARE else ()
    if abroad and _exception(seen, record):
        return "excepted"
    if abroad.difference(sources) or (abroad and len(countries) == 2):
        return "refused"
    if len(countries) == 2:
        return "allowed"
    if seen.kind == "reference point":
        return "no data"
    return "own" if _is_own(seen, spec) else "undeclared"


def _exception(seen: Seen, record: Residency) -> str:
    """The exception that the record has for the place; whether its day has come is the policies' to say."""
    if seen.kind == "node":
        return ""
    place = place_of(_address(seen), record.places)
    name = place.name if place else seen.name  # a row of the record itself has the place's name
    found = [item for item in record.exceptions if item.place == name]
    return "; ".join(f"{item.name} until {item.until}: {item.reason}" for item in found)


def _is_own(seen: Seen, spec: PlatformSpec) -> bool:
    """Whether it is in the stack's own networks, whose machines the record has."""
    if seen.kind == "addresses":
        return True  # the nodes answer for it, whichever network its addresses are of
    try:
        block = ip_network(seen.location)
    except ValueError:
        return False
    networks = (*spec.network.node_cidrs, spec.network.pod_cidr, spec.network.service_cidr)
    return seen.kind != "node" and block.version == 4 and any(block.subnet_of(network) for network in networks)


# --- exceptions -----------------------------------------------------------------------------------------


def _exempt(spec: PlatformSpec, state: State) -> Iterator[Exempt]:
    """The stack file's exceptions, and the state's plain-text listeners."""
    for item in spec.residency.exceptions:
        yield Exempt(f"residency of place {item.place}", str(item.until), item.reason)
    for off in spec.cluster.security.exceptions if isinstance(spec.cluster, Kubeadm) else ():
        yield Exempt(f"{SECURITY_SETTING}{off.setting}", str(off.until), off.reason)
    for check in spec.preflight.accept:
        on = ", ".join(check.nodes) or "all nodes"
        yield Exempt(f"preflight check {check.check} undecided on {on}", str(check.until), check.reason)
    for resource in state.resources:
        marks = resource.metadata.get("annotations")
        written = marks.get(labels.PLAIN_TEXT) if isinstance(marks, Mapping) else None
        try:
            listeners = json_value(written) if isinstance(written, str) else {}
        except ValueError:
            continue  # the policies say that it is no exception
        for name, entry in listeners.items() if isinstance(listeners, dict) else ():
            if isinstance(entry, dict):
                what = f"TLS of listener {name} of {resource.name}"
                yield Exempt(what, str(entry.get("until") or ""), str(entry.get("reason") or ""))


# --- what can't be decided -------------------------------------------------------------------------------


def _open_points(state: State, seen: Sequence[Seen]) -> Iterator[str]:
    if not state.resources:
        yield f"the state has no resources: nothing of the stack file is real yet: {_AGAIN}"
        return
    for operation in state.interrupted:
        yield f"{operation}: the engine was interrupted there: run vds recover, then make the evidence again"
    yield from _nodes_that_differ(seen)


def _nodes_that_differ(seen: Sequence[Seen]) -> Iterator[str]:
    nodes = [one for one in seen if one.kind == "node"]
    for name in sorted({one.name for one in nodes}):
        here = [one for one in nodes if one.name == name]
        written = [one for one in here if not one.seen_in.startswith("state:")]
        real = [one for one in here if one.seen_in.startswith("state:")]
        if not real:
            yield f"node {name}: in the stack file, not in the state: {_AGAIN}"
        elif not written:
            yield f"node {name}: in the state, not in the stack file: {_AGAIN}"
        else:
            for one in sorted(set(real)):
                for field in ("location", "country", "entity", "entity_country"):
                    declared, has = getattr(written[0], field), getattr(one, field)
                    if declared != has:
                        both = f"{declared} in the stack file, {has or 'nothing'} in the state"
                        yield f"node {name}: {field.replace('_', ' ')} is {both}: {_AGAIN}"
