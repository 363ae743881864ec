"""What a change of one registration does: its objects, what the tenant may do, and what it may use. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from components.core import labels
from components.core.manifests import Manifest, manifest
from components.core.quantities import quantity_value
from components.nodes.preflight import facts
from components.stackfile.registration import Published, claims, problems_of, read_registration
from components.stackfile.spec import PlatformSpec
from components.tenancy.bundle import cluster_manifests, namespace_manifests, registered_namespace
from components.tenancy.model import Quota
from components.tenancy.registration.contract import contract
from components.tenancy.registration.environment import Environment
from components.tenancy.registration.model import SIZES, Registration
from components.tenancy.registration.rules import removed_namespaces
from vds.preview_comment.objects import compared
from vds.preview_comment.report import ATTENTION, StackReport, difference

_REMOVED = "the file is removed. Its namespaces stay in the cluster: run `vds tenant retire` first"


class Capacity(NamedTuple):
    """What the workers of an environment have."""

    cpus: int
    memory: int
    """Bytes."""


def capacity_of(text: str, spec: PlatformSpec, *, now: float) -> Capacity | None:
    """What the workers have by a facts file. None for one that is of another environment, too old, or incomplete."""
    workers = {node.name for node in spec.nodes if "worker" in node.roles}
    try:
        kept = facts.load(text, environment=spec.environment, now=now, max_hours=spec.preflight.max_facts_hours)
        found = [survey.facts for survey in kept.surveys if survey.node in workers]
        known = [(int(one["system"]["cpus"]), int(one["memory"]["bytes"])) for one in found]
    except (facts.FactsError, KeyError, TypeError):
        return None
    cpus, memory = (sum(parts) for parts in zip(*known, strict=True)) if known else (0, 0)
    return Capacity(cpus, memory) if len(known) == len(workers) else None


def registration_report(
    report: StackReport,
    before: str | None,
    texts: Mapping[str, str],
    spec: PlatformSpec | None,
    capacity: Capacity | None,
    today: date,
) -> StackReport:
    """The report on the registration in the file `report.stack`.

    `before`: its text before the change. `texts`: of every registration after the change, by file. `spec`: its
    environment's, None if the stack file is not there or has mistakes. `capacity`: of its workers, None if no facts
    were given.
    """
    files = {name: read_registration(Path(name), text) for name, text in texts.items()}
    file = files.get(report.stack)
    old = read_registration(Path(report.stack), before).registration if before is not None else None
    if file is None:
        return replace(report, unavailable=_REMOVED)
    others = [one for name, one in files.items() if name != report.stack and one.environment == file.environment]
    known = Published(spec.published, spec.residency) if spec else None
    found = problems_of(file, claims(others, file.environment), today, known)
    new = file.registration
    if new and old:
        found += map(file.located, removed_namespaces(new, old.namespace_names))
    report = replace(
        report,
        problems=tuple(str(one) for one in found if not one.advice),
        allowed=(*difference(set(_allowed(old)), set(_allowed(new))), *_ceiling(old, new)) if new else (),
    )
    if new is None or spec is None:
        said = f"Pulumi.{file.environment}.yaml of its environment can't be used"
        return replace(report, unavailable=said if new else "the registration must be corrected first")
    environment = spec.published
    registered = [one.registration for one in others if one.registration]
    around = [
        *cluster_manifests(environment),
        *_places(environment),
        *(item for one in registered for item in _objects(one, environment)),
    ]
    was = _objects(old, environment) if old else []
    preview, reach = compared(was, _objects(new, environment), around, {"all": {"today": today.isoformat()}})
    quota = (*_sizes(old, new), *_together([new, *registered], spec, capacity))
    return replace(report, preview=preview, reach=reach, quota=quota)


def environment_of(text: str) -> str | None:
    """Name of the environment that a registration's text has."""
    return read_registration(Path("Pulumi.yaml"), text).environment


def _objects(registration: Registration, environment: Environment) -> list[Manifest]:
    return [
        item
        for name in registration.namespace_names
        for item in (
            registered_namespace(registration, name),
            contract(registration, name, environment),
            *namespace_manifests(registration, name, environment),
        )
    ]


def _places(environment: Environment) -> Iterator[Manifest]:
    if environment.gateway.data_plane_namespace:
        yield manifest("v1", "Namespace", environment.gateway.data_plane_namespace)


def _allowed(registration: Registration | None) -> Iterator[str]:
    """What a registration lets its tenant do, each as a sentence."""
    if registration is None:
        return
    for one in registration.egress:
        ports = ", ".join(f"{port}/TCP" for port in one.ports)
        where = f"in {one.country}, of {one.entity} ({one.entity_country}), for {one.purpose}"
        for place in (*one.hosts, *one.networks):
            yield f"pods with the label {labels.EGRESS}{one.name} may call {place} at {ports}, {where}"
    for domain in registration.domains:
        yield f"routes may have {domain} and names below it"
    for who in (*registration.owner.groups, *registration.owner.ci):
        yield f"{who} may change what runs in the namespaces"
    for registry in registration.registries:
        yield f"images may come from {registry}"
    for waiver in registration.exceptions:
        of = f" for egress {waiver.egress}" if waiver.egress else ""
        yield f"rule {waiver.rule} does not hold{of} until {waiver.until}: {waiver.reason}"


def _ceiling(old: Registration | None, new: Registration) -> Iterator[str]:
    percent = new.canary_ceiling_percent
    if old is None or percent > old.canary_ceiling_percent:
        yield f"➕ a canary may get {percent} % of the requests"


def _sizes(old: Registration | None, new: Registration) -> Iterator[str]:
    for name in new.namespace_names:
        size = new.size_of(name)
        was = old.size_of(name) if old and name in old.namespace_names else None
        if was != size:
            yield f"{name}: {f'{was} → ' if was else ''}{size}, {_amounts([SIZES[size][0]])}"


def _together(registered: Sequence[Registration], spec: PlatformSpec, capacity: Capacity | None) -> Iterator[str]:
    quotas = [SIZES[one.size][0] for each in registered for one in each.namespaces.values()]
    yield f"all tenants of {spec.environment} together: {_amounts(quotas)}"
    if capacity is None:
        yield "not compared with the nodes, because their facts are not known"
        return
    for what, asked, there in (
        ("processors", _sum(quotas, "requests_cpu"), Decimal(capacity.cpus)),
        ("GiB of memory", _sum(quotas, "requests_memory") / 1024**3, Decimal(capacity.memory) / 1024**3),
    ):
        if asked > there:
            yield f"{ATTENTION} the quotas request {asked.normalize():f} {what}, and the workers have {there:.1f}"


def _amounts(quotas: Sequence[Quota]) -> str:
    memory = _sum(quotas, "requests_memory") / 1024**3
    storage = _sum(quotas, "storage") / 1024**3
    return (
        f"{sum(one.pods for one in quotas)} pods, {_sum(quotas, 'requests_cpu').normalize():f} processors, "
        f"{memory.normalize():f} GiB of memory, {storage.normalize():f} GiB of volumes"
    )


def _sum(quotas: Sequence[Quota], field: str) -> Decimal:
    return sum((quantity_value(getattr(one, field)) for one in quotas), Decimal())
