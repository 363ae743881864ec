"""What a change of one stack of an agency does, in the agency's own repository. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from components.agency.model import AnyRoute, App
from components.agency.project import File, Parts, contract_in, read_project
from components.agency.reading import AgencyError
from components.agency.render import app_manifests, route_manifest
from components.agency.rules import quota_use
from components.core import labels
from components.core.manifests import Manifest, manifest, secured_namespace
from components.tenancy.network import contract_manifests
from components.tenancy.registration.contract import ContractSpec
from vds.preview_comment.objects import compared
from vds.preview_comment.report import ATTENTION, StackReport, difference

PROJECT_FILE = "Pulumi.yaml"
CONTRACT_FILE = "contract.yaml"


class Texts(NamedTuple):
    """The files of a stack on one side of a change; None: it is not there."""

    project: str | None
    stack: str | None
    contract: str | None


def agency_report(report: StackReport, before: Texts, after: Texts) -> StackReport:
    """The report on the stack with the file `report.stack`. The contract is the one that the repository has saved."""
    if after.project is None or after.stack is None:
        return replace(report, unavailable="the stack's file or its project is removed: what runs stays")
    try:
        new_contract = contract_in(File(CONTRACT_FILE, after.contract or ""))
    except AgencyError as error:
        return replace(report, unavailable="the contract can't be read", problems=tuple(map(str, error.findings)))
    try:
        old_contract = contract_in(File(CONTRACT_FILE, before.contract or ""))
    except AgencyError:
        old_contract = new_contract
    old, new = _parts(report.stack, before, old_contract), _parts(report.stack, after, new_contract)
    preview, reach = compared(
        _objects(old, old_contract),
        _objects(new, new_contract),
        list(_around(new_contract)),
        {"tenancy-contract": {"contracts": _contracts(new_contract)}},
    )
    allowed = difference(set(_allowed(old, old_contract)), set(_allowed(new, new_contract)))
    if before.contract != after.contract:
        allowed = (*allowed, f"{ATTENTION} {CONTRACT_FILE} changes; the one in the cluster is what counts")
    return replace(
        report,
        problems=tuple(str(one) for one in new.findings if not one.advice),
        preview=preview,
        reach=reach,
        allowed=allowed,
        quota=tuple(map(str, quota_use(new.apps, new_contract))),
    )


def _parts(stack: str, texts: Texts, contract: ContractSpec) -> Parts:
    if texts.project is None or texts.stack is None:
        return Parts()
    return read_project(File(PROJECT_FILE, texts.project), File(stack, texts.stack), contract)


def _objects(parts: Parts, contract: ContractSpec) -> list[Manifest]:
    apps = [item for app in parts.apps for item in app_manifests(app, contract)]
    return [*apps, *(route_manifest(route, contract) for route in parts.routes)]


def _around(contract: ContractSpec) -> Iterator[Manifest]:
    """What the contract says of the platform's own objects, and the gateway."""
    for name in contract.namespaces:
        yield secured_namespace(name, labels={labels.TENANT: contract.tenant, labels.REGISTERED: "true"})
        yield from contract_manifests(name, contract)
    if contract.gateway.data_plane_namespace:
        yield manifest("v1", "Namespace", contract.gateway.data_plane_namespace)


def _contracts(contract: ContractSpec) -> dict[str, object]:
    spec = contract.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dict.fromkeys(contract.namespaces, spec)


def _allowed(parts: Parts, contract: ContractSpec) -> Iterator[str]:
    """What the apps and routes do, each as a sentence."""
    known = {one.name: one for one in contract.egress}
    for app in parts.apps:
        yield from _images(app)
        for name in app.egress:
            if one := known.get(name):
                ports = ", ".join(f"{port}/TCP" for port in one.ports)
                yield f"{app.name} calls {', '.join((*one.hosts, *one.networks))} at {ports} ({name})"
    for route in parts.routes:
        yield from _requests(route)


def _images(app: App) -> Iterator[str]:
    yield f"{app.name} runs {app.image}"
    if app.canary:
        yield f"the canary of {app.name} runs {app.canary.image}"


def _requests(route: AnyRoute) -> Iterator[str]:
    hosts = ", ".join(route.hostnames)
    if route.app:
        yield f"requests for {hosts} go to {route.app}"
    if route.canary:
        steps = getattr(route.canary, "steps", ())
        share = f"in steps {', '.join(f'{one} %' for one in steps)}" if steps else f"{route.canary.percent} %"
        yield f"{share} of the requests for {hosts} go to the canary of {route.app}"
