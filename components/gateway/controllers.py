"""Rules for `controllerName`. A GatewayClass without a matching controller is never accepted; the update would wait."""

from components.core.finding import Finding
from components.gateway.model import CILIUM_CONTROLLER, GatewaySpec, Traefik
from components.network.model import AnyCni, Calico, Flannel, Unmanaged

TRAEFIK_CONTROLLER = "traefik.io/gateway-controller"
"""Traefik's controller name. Its Kubernetes Gateway provider has no option for another one."""


def controller_problems(spec: GatewaySpec, cni: AnyCni) -> list[Finding]:
    """A controller name that nothing in this stack implements."""
    name, ciliums = spec.controller_name, spec.controller_name.partition("/")[0] == "io.cilium"
    if isinstance(spec.install, Traefik) and name != TRAEFIK_CONTROLLER:
        other = "install: { kind: existing } if Cilium is the gateway" if ciliums else "install kind: existing"
        return [_problem(f"{name}, but install is traefik", f"write {TRAEFIK_CONTROLLER}, or {other}")]
    if not ciliums:
        return []
    if name != CILIUM_CONTROLLER:
        return [_problem(f"{name} is not a controller of Cilium", f"write {CILIUM_CONTROLLER}")]
    if isinstance(cni, Unmanaged):
        return []  # the CNI is not visible here; the name says that it is Cilium
    if isinstance(cni, Calico | Flannel):
        return [
            _problem(f"{name}, but cni.kind is {cni.kind}", "write cni.kind: cilium, or your gateway's controllerName")
        ]
    if not cni.gateway_api:
        return [
            _problem(
                f"{name}, but cni.gatewayApi is false", "write cni.gatewayApi: true, or your gateway's controllerName"
            )
        ]
    return []


def _problem(says: str, remedy: str) -> Finding:
    return Finding("gateway-controller", "gateway.controllerName", says, remedy)
