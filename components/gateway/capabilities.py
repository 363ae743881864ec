"""What a gateway's controller and the installed CRDs can do. What they can't is refused, never dropped.

Read in the controllers' sources: Traefik's pkg/provider/kubernetes/gateway (v3.7.9: features.go, httproute.go), and
Cilium's operator/pkg/gateway-api/gatewayclass_status.go (v1.18.2, v1.20.2). A controller that is neither is not known,
and refuses by itself what it can't do: `pulumi up` waits until it has accepted each route.
"""

from collections.abc import Iterator

from components.core.finding import Finding
from components.core.versions import parse
from components.gateway.model import CILIUM_CONTROLLER, GatewaySpec, GrpcRoute, Route, Traefik
from components.network.model import AnyCni, Calico, Cilium, Flannel


def limit_problems(spec: GatewaySpec) -> Iterator[Finding]:
    """Limits that the data plane does not have."""
    written = [name for name, value in spec.limits.model_dump(by_alias=True).items() if value is not None]
    if written and not isinstance(spec.install, Traefik):
        if spec.controller_name == CILIUM_CONTROLLER:
            why = "Cilium has no limit of bodies, and its timeouts are values of its chart (envoy) or a route's"
            remedy = "remove it, and let agencies write timeouts at their routes"
        else:
            why, remedy = "the platform does not run this data plane", "remove it, and set it where it runs"
        for name in written:
            yield Finding("gateway-capability", f"gateway.limits.{name}", why, remedy)
    if spec.address is not None and spec.controller_name == CILIUM_CONTROLLER:
        yield from release_problems("gateway.address", "the Gateway's infrastructure", "1.2", spec.bundle_version)


def route_problems(item: str, route: Route | GrpcRoute, version: str | None) -> Iterator[Finding]:
    """What this release of Gateway API's CRDs does not take of a route."""
    if isinstance(route, GrpcRoute):
        yield from release_problems(item, "a GRPCRoute", "1.1", version)
        return
    if route.redirect is not None and route.redirect.status not in (301, 302):
        yield from release_problems(item, f"redirect.status {route.redirect.status}", "1.5", version)
    if route.timeouts is not None:
        yield from release_problems(item, "timeouts", "1.2", version)
    if route.mirror is not None and route.mirror.percent != 100:
        yield from release_problems(item, "mirror.percent", "1.3", version)


def release_problems(item: str, what: str, since: str, version: str | None) -> Iterator[Finding]:
    """Something that the standard channel of Gateway API's CRDs has since a release."""
    if version is None:
        said = f"{what} needs Gateway API {since}, and which release is in the cluster is not known"
        remedy = "write gateway.crds kind bundle, or gateway.bundleVersion, in the environment's stack file"
        yield Finding("gateway-capability", item, said, remedy)
    elif parse(version) < parse(since):
        said = f"{what} needs Gateway API {since}, and this is {version}"
        yield Finding("gateway-capability", item, said, "write a newer one, or remove it")


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
