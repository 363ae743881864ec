"""Registered tenants: what their registrations say, and what the states of their stacks have. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from components.core import labels
from components.residency.model import Residency
from components.residency.registered_egress import registered_record
from components.stackfile.parsing import stack_of
from components.stackfile.registration import RegistrationFile
from components.tenancy.registration.contract import GROUP, KIND, VERSION, contract
from components.tenancy.registration.environment import Environment
from components.tenancy.registration.model import Registration
from vds.evidence.data_flows import Seen, of_state, said_backend
from vds.evidence.model import Exempt, Tenant
from vds.evidence.state import State


class Registered(NamedTuple):
    """A tenant with a registration in the environment."""

    file: RegistrationFile
    state: State | None
    """Of the tenant's stack; None: it was not read."""
    why: str = ""
    """Why it was not read."""
    backend: str = ""
    """Where the state is; empty: as the program declared it."""

    @property
    def tenant(self) -> str:
        """The name of the tenant, and of its stack."""
        return stack_of(self.file.name) or self.file.name

    def record(self, residency: Residency) -> Residency:
        """The environment's residency record, with what the registration adds."""
        known = self.file.registration
        return registered_record(known, residency) if known else residency


def seen_of(one: Registered) -> Iterator[Seen]:
    """Every place that the tenant's registration and state name."""
    for egress in one.file.registration.egress if one.file.registration else ():
        for place in (*egress.hosts, *map(str, egress.networks)):
            yield Seen("egress", place, place, f"registration {one.tenant}: egress.{egress.name}", tenant=one.tenant)
    if one.state:
        for seen in of_state(one.state, one.backend or said_backend(one.state)):
            yield seen._replace(tenant=one.tenant if seen.tenant else "")


def tenant_of(one: Registered) -> Tenant:
    """The tenant for the record: groups and namespaces of the registration, and those of the state."""
    known, bound = one.file.registration, _bound(one.state) if one.state else {}
    groups = {*(known.owner.groups if known else ()), *(group for each in bound.values() for group in each)}
    return Tenant(
        one.tenant,
        tuple(sorted(groups)),
        tuple(sorted({*(known.namespace_names if known else ()), *bound})),
        tuple(name for name, there in (("registration", known), ("state", one.state)) if there),
        one.state.made_at if one.state else "",
        one.state.sha256 if one.state else "",
    )


def exempt_of(one: Registered) -> Iterator[Exempt]:
    """Rules that do not hold for the tenant."""
    for waiver in one.file.registration.exceptions if one.file.registration else ():
        of = f" for egress {waiver.egress}" if waiver.egress else ""
        yield Exempt(f"rule {waiver.rule} for tenant {one.tenant}{of}", str(waiver.until), waiver.reason)


def open_points_of(one: Registered, environment: Environment) -> Iterator[str]:
    """What is not known of the tenant, and what its state has in another way than its registration says."""
    said, again = f"tenant {one.tenant}:", f"run `vds tenant up {one.tenant}`, then make the evidence again"
    known, state = one.file.registration, one.state
    if known is None:
        yield f"{said} its registration has mistakes: run `vds tenant check {one.tenant}`"
    if state is None:
        yield f"{said} the state of its stack was not read: {one.why}"
    if known is None or state is None:
        return
    for operation in state.interrupted:
        yield f"{said} {operation}: the engine was interrupted there: run vds recover, then make the evidence again"
    bound, contracts = _bound(state), _contracts(state)
    for name in sorted(set(bound) - set(known.namespace_names)):
        yield f"{said} namespace {name} is in the state, not in the registration: {again}"
    for name in known.namespace_names:
        if name not in bound:
            yield f"{said} namespace {name} is in the registration, not in the state: {again}"
            continue
        if bound[name] != set(known.owner.groups):
            has = ", ".join(sorted(bound[name])) or "no group"
            written = ", ".join(sorted(known.owner.groups))
            yield f"{said} namespace {name} is owned by {written} in the registration, by {has} in the state: {again}"
        if differ := _differences(known, name, environment, contracts.get(name, {})):
            both = f"in another way than registration and stack file: {', '.join(differ)}"
            yield f"{said} the contract of {name} has {both}: {again}"


def _differences(known: Registration, namespace: str, environment: Environment, has: Mapping[str, Any]) -> list[str]:
    """Fields of a contract that the state has in another way. Only the cluster knows the gateway's address."""
    wanted = contract(known, namespace, environment)["spec"]
    both = [{**spec, "gateway": {**spec.get("gateway", {}), "address": ""}} for spec in (wanted, has)]
    return sorted(key for key in {*both[0], *both[1]} if both[0].get(key) != both[1].get(key))


def _bound(state: State) -> dict[str, set[str]]:
    """The tenant's namespaces in the state, each with the groups that have rights in it."""
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


def _contracts(state: State) -> dict[str, Mapping[str, Any]]:
    """`spec` of the contracts in the state, by namespace."""
    return {
        str(resource.metadata.get("namespace")): spec
        for resource in state.resources
        if resource.kubernetes == f"{GROUP}/{VERSION}/{KIND}"
        and isinstance(spec := resource.inputs.get("spec"), Mapping)
    }
