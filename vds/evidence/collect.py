"""State and stack file, brought together into what the evidence says. Pure: the same two, the same answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network

from components.core import labels
from components.core.names import token
from components.core.untrusted import json_value
from components.kubeadm.model import Kubeadm
from components.nodes.preflight.facts import Kept
from components.residency.rules import place_of
from components.stackfile.spec import PlatformSpec
from vds.evidence.data_flows import Seen, declared, of_spec, of_state
from vds.evidence.model import SECURITY_SETTING, Evidence, Exempt, Place, PlaceStatus, PolicyResult, Tenant
from vds.evidence.node_facts import of_nodes, open_points, read_at
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
    kept: Kept | None = None,
) -> Evidence:
    """The evidence of `stack`.

    `backend` is where its state is; empty: as the program declared it. `kept` has what was read of the nodes.
    """
    backend = backend or _said_backend(state)
    seen = [*of_spec(spec), *of_state(state, backend), *(of_nodes(kept) if kept else ())]
    used = {(one.kind, place.name) for one in seen if (place := place_of(_address(one), spec.residency.places))}
    known = any(one.kind == "state" for one in seen)  # where it is counts, not where else it might be
    seen += [one for one in declared(spec) if (one.kind, one.name) not in used and not (known and one.kind == "state")]
    if "state" not in {one.kind for one in seen}:
        seen.append(Seen("state", "Pulumi's state", "", "its backend is not declared"))
    return Evidence(
        stack=stack,
        environment=spec.environment,
        allowed_countries=tuple(sorted(spec.residency.allowed_countries)),
        processing=spec.processing,
        places=tuple(sorted(_places(seen, spec))),
        tenants=_tenants(spec, state),
        policies=tuple(sorted(policies)),
        exempt=tuple(sorted(set(_exempt(spec, state)))),
        software=tuple(sorted(set(software(spec, state)))),
        open_points=(*_open_points(spec, state, seen), *(open_points(spec, kept) if kept else ())),
        nodes_read_at=read_at(kept) if kept else "",
        state_made_at=state.made_at,
        state_sha256=state.sha256,
        makes_cluster=isinstance(spec.cluster, Kubeadm),
        registers_tenants=spec.registrations is not None,
        secrets_provider=state.secrets_provider,
        versions=tuple(sorted({*versions, *_of_state(state)})),
    )


def _of_state(state: State) -> Iterator[tuple[str, str]]:
    yield "pulumi engine, as the state names it", state.engine
    yield from ((f"pulumi plugin {name}", version) for name, version in state.plugins)


def _said_backend(state: State) -> str:
    """The state's backend, as the program declared it."""
    backends = (r.inputs.get("stateBackend") for r in state.resources if r.type == token("Residency"))
    return next((backend for backend in backends if isinstance(backend, str)), "")


# --- places ----------------------------------------------------------------------------------------------


def _places(seen: Iterable[Seen], spec: PlatformSpec) -> Iterator[Place]:
    tenants = {tenant.name for tenant in spec.tenants}
    groups: dict[Seen, set[str]] = {}
    for one in seen:
        # What sources say alike is one place; what they say differently stays apart, for everyone to see.
        known = one._replace(seen_in="", tenant=one.tenant if one.tenant in tenants else "")
        groups.setdefault(_with_record(known, spec), set()).add(one.seen_in)
    for one, sources in groups.items():
        status = _status(one, spec)
        yield Place(
            *(one.kind, one.name, one.location, one.country, one.entity, one.entity_country),
            seen_in=tuple(sorted(sources)),
            status=status,
            tenant=one.tenant,
            excepted=_exception(one, spec) if status == "excepted" else "",
        )


def _address(seen: Seen) -> str:
    """What the record of places is asked for: of a range of addresses the first, as the policies do."""
    return seen.location.partition("-")[0] if seen.kind == "addresses" else seen.host or seen.location


def _with_record(seen: Seen, spec: PlatformSpec) -> Seen:
    """With the values of `residency.places`. The values of a node itself take precedence."""
    place = None if seen.kind == "node" else place_of(_address(seen), spec.residency.places)
    if place is None:
        return seen
    return seen._replace(country=place.country, entity=place.entity, entity_country=place.entity_country)


def _status(seen: Seen, spec: PlatformSpec) -> PlaceStatus:
    countries = [country for country in (seen.country, seen.entity_country) if country]
    abroad = set(countries) - set(spec.residency.allowed_countries)
    sources = spec.cluster.source_countries if isinstance(spec.cluster, Kubeadm) and seen.kind in _SOFTWARE else ()
    if abroad and _exception(seen, spec):
        return "excepted"
    if abroad.difference(sources) or (abroad and len(countries) == 2):
        return "refused"
    if len(countries) == 2:
        return "allowed"
    if seen.kind == "reference point":
        return "no data"
    return "own" if _is_own(seen, spec) else "undeclared"


def _exception(seen: Seen, spec: PlatformSpec) -> str:
    """The exception that the stack file has for the place; whether its day has come is the policies' to say."""
    if seen.kind == "node":
        return ""
    place = place_of(_address(seen), spec.residency.places)
    name = place.name if place else seen.name  # a row of the record itself has the place's name
    found = [item for item in spec.residency.exceptions if item.place == name]
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


# --- tenants ---------------------------------------------------------------------------------------------


def _tenants(spec: PlatformSpec, state: State) -> tuple[Tenant, ...]:
    groups = {tenant.name: {tenant.owner.group} for tenant in spec.tenants}
    sources = {tenant.name: {"stack file"} for tenant in spec.tenants}
    for name, bound in _bound(state).items():
        groups.setdefault(name, set()).update(bound)
        sources.setdefault(name, set()).add("state")
    return tuple(Tenant(name, tuple(sorted(groups[name])), tuple(sorted(sources[name]))) for name in sorted(groups))


def _bound(state: State) -> dict[str, set[str]]:
    """Tenants' namespaces in the state, with the groups that have rights in them."""
    found: dict[str, set[str]] = {}
    for resource in state.resources:
        marks = resource.metadata.get("labels")
        if resource.kubernetes == "core/v1/Namespace" and isinstance(marks, Mapping) and labels.TENANT in marks:
            found.setdefault(str(resource.metadata.get("name") or resource.name), set())
    for resource in state.resources:
        namespace, subjects = str(resource.metadata.get("namespace") or ""), resource.inputs.get("subjects")
        if resource.kubernetes.endswith("/RoleBinding") and namespace in found and isinstance(subjects, list):
            groups = [one for one in subjects if isinstance(one, Mapping) and one.get("kind") == "Group"]
            found[namespace] |= {str(group.get("name")) for group in groups}
    return found


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


def _open_points(spec: PlatformSpec, state: State, seen: Sequence[Seen]) -> Iterator[str]:
    if not state.resources:
        yield f"the state has no resources: nothing of the stack file is real yet: {_AGAIN}"
        return
    for operation in state.interrupted:
        yield f"{operation}: the engine was interrupted there: run vds recover, then make the evidence again"
    yield from _nodes_that_differ(seen)
    bound = _bound(state)
    for tenant in spec.tenants:
        if tenant.name not in bound:
            yield f"tenant {tenant.name}: in the stack file, not in the state: {_AGAIN}"
        elif bound[tenant.name] != {tenant.owner.group}:
            has = ", ".join(sorted(bound[tenant.name])) or "no group"
            difference = f"owned by {tenant.owner.group} in the stack file, by {has} in the state"
            yield f"tenant {tenant.name}: {difference}: {_AGAIN}"
    for name in sorted(set(bound) - {tenant.name for tenant in spec.tenants}):
        yield f"tenant {name}: in the state, not in the stack file: {_AGAIN}"


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
