"""What a gateway's controller and the installed CRDs can do. What they can't is refused, never dropped.

Read in the controllers' sources: Traefik's pkg/provider/kubernetes/gateway (v3.7.9: features.go, httproute.go), and
Cilium's operator/pkg/gateway-api/gatewayclass_status.go (v1.18.2, v1.20.2). A controller that is neither is not known,
and refuses by itself what it can't do: `pulumi up` waits until it has accepted each route.
"""

from collections.abc import Iterator
from typing import NamedTuple

from components.core.finding import Finding
from components.core.versions import parse
from components.gateway.model import CILIUM_CONTROLLER, GatewaySpec, Route, Traefik
from components.network.model import AnyCni, Calico, Cilium, Flannel


class _Use(NamedTuple):
    """Something that a stack file asks of Gateway API."""

    item: str
    what: str
    since: str
    """The first release with it in the standard channel."""


def capability_problems(spec: GatewaySpec) -> list[Finding]:
    """Everything that this controller, or this release of the CRDs, does not do."""
    return [
        *_limit_problems(spec),
        *(problem for route in spec.routes for problem in _traefik_problems(route, spec)),
        *(problem for use in _uses(spec) for problem in _bundle_problems(use, spec)),
    ]


def _limit_problems(spec: GatewaySpec) -> Iterator[Finding]:
    written = [name for name, value in spec.limits.model_dump(by_alias=True).items() if value is not None]
    if written and not isinstance(spec.install, Traefik):
        if spec.controller_name == CILIUM_CONTROLLER:
            why = "Cilium has no limit of bodies, and its timeouts are values of its chart (envoy) or a route's"
            remedy = "remove it, and write timeouts at the routes"
        else:
            why, remedy = "the platform does not run this data plane", "remove it, and set it where it runs"
        for name in written:
            yield Finding("gateway-capability", f"gateway.limits.{name}", why, remedy)
    if spec.limits.body_mebibytes and spec.grpc_routes:
        names = ", ".join(route.name for route in spec.grpc_routes)
        said = f"with grpcRoutes ({names}): Traefik stores a request until it is complete, and a stream has no end"
        yield Finding("gateway-capability", "gateway.limits.bodyMebibytes", said, "remove one of them")


def _traefik_problems(route: Route, spec: GatewaySpec) -> Iterator[Finding]:
    if spec.controller_name != TRAEFIK_CONTROLLER:
        return
    item = f"route '{route.name}'"
    if route.timeouts is not None:
        said = "has timeouts, and Traefik ignores those of a route"
        yield Finding("gateway-capability", item, said, "write gateway.limits, which are for all routes")
    if route.mirror is not None:
        said = "has a mirror, and Traefik answers every request of such a route with 500"
        yield Finding("gateway-capability", item, said, "remove it, or let Cilium be the gateway (cni.gatewayApi)")


def _uses(spec: GatewaySpec) -> Iterator[_Use]:
    for route in spec.routes:
        item = f"route '{route.name}'"
        if route.redirect is not None and route.redirect.status not in (301, 302):
            yield _Use(item, f"redirect.status {route.redirect.status}", "1.5")
        if route.timeouts is not None:
            yield _Use(item, "timeouts", "1.2")
        if route.mirror is not None and route.mirror.percent != 100:
            yield _Use(item, "mirror.percent", "1.3")
    for grpc in spec.grpc_routes:
        yield _Use(f"route '{grpc.name}'", "a GRPCRoute", "1.1")
    if spec.address is not None and spec.controller_name == CILIUM_CONTROLLER:
        yield _Use("gateway.address", "the Gateway's infrastructure", "1.2")


def _bundle_problems(use: _Use, spec: GatewaySpec) -> Iterator[Finding]:
    version = spec.bundle_version
    if version is None:
        said = f"{use.what} needs Gateway API {use.since}, and which release is in the cluster is not known"
        yield Finding("gateway-capability", use.item, said, "write gateway.crds kind bundle, or gateway.bundleVersion")
    elif parse(version) < parse(use.since):
        said = f"{use.what} needs Gateway API {use.since}, and this is {version}"
        yield Finding("gateway-capability", use.item, said, "write a newer one, or remove it")


TRAEFIK_CONTROLLER = "traefik.io/gateway-controller"
"""Traefik's controller name. Its Kubernetes Gateway provider has no option for another one."""


def controller_problems(spec: GatewaySpec, cni: AnyCni) -> Iterator[Finding]:
    """A controller name that nothing in this stack implements. What an unmanaged CNI has is not visible here."""
    name, ciliums = spec.controller_name, spec.controller_name.partition("/")[0] == "io.cilium"
    said, remedy = "", "or your gateway's controllerName"
    if isinstance(spec.install, Traefik) and name != TRAEFIK_CONTROLLER:
        other = "install: { kind: existing } if Cilium is the gateway" if ciliums else "install kind: existing"
        said, remedy = ", but install is traefik", f"{TRAEFIK_CONTROLLER}, or {other}"
    elif ciliums and name != CILIUM_CONTROLLER:
        said, remedy = " is not a controller of Cilium", CILIUM_CONTROLLER
    elif ciliums and isinstance(cni, Calico | Flannel):
        said, remedy = f", but cni.kind is {cni.kind}", f"cni.kind: cilium, {remedy}"
    elif ciliums and isinstance(cni, Cilium) and not cni.gateway_api:
        said, remedy = ", but cni.gatewayApi is false", f"cni.gatewayApi: true, {remedy}"
    if said:
        yield Finding("gateway-controller", "gateway.controllerName", f"{name}{said}", f"write {remedy}")
