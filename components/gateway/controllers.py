"""Whose data plane a GatewayClass names: one that nobody answers to is never accepted, and an update waits for it."""

from components.core.finding import Finding
from components.gateway.model import CILIUM_CONTROLLER, GatewaySpec, Traefik
from components.network.model import AnyCni, Calico
from components.network.unmanaged import Flannel, Unmanaged

TRAEFIK_CONTROLLER = "traefik.io/gateway-controller"
"""The one name that Traefik looks for: its Kubernetes Gateway provider has no option for it."""


def controller_problems(spec: GatewaySpec, cni: AnyCni) -> list[Finding]:
    """A controller's name that nobody of this stack answers to."""
    name, ciliums = spec.controller_name, spec.controller_name.partition("/")[0] == "io.cilium"
    if isinstance(spec.install, Traefik) and name != TRAEFIK_CONTROLLER:
        other = "install: { kind: existing } where Cilium is to be the gateway" if ciliums else "install kind: existing"
        return [_problem(f"{name}, but install is traefik: write {TRAEFIK_CONTROLLER}, or {other}")]
    if not ciliums:
        return []
    if name != CILIUM_CONTROLLER:
        return [_problem(f"{name} is no controller of Cilium's: write {CILIUM_CONTROLLER}")]
    if isinstance(cni, Unmanaged):
        return []  # nobody can see whose it is: the name says that it is Cilium, whose operator alone answers to it
    if isinstance(cni, Calico | Flannel):
        return [_problem(f"{name}, but cni.kind is {cni.kind}: write cni.kind: cilium, or whose gateway it is")]
    if not cni.gateway_api:
        return [_problem(f"{name}, but cni.gatewayApi is false: write cni.gatewayApi: true, or whose gateway it is")]
    return []


def _problem(says: str) -> Finding:
    return Finding("gateway-controller", "gateway.controllerName", says)
