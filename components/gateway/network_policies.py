"""Network policies of the gateway's namespace and of cert-manager's: what their pods need.

Calls out of a pod are restricted with Cilium only, whose policies can name the API server. cert-manager's controller
may call everything: it asks ACME servers and name servers whose addresses follow from DNS.
"""

from typing import Any

from components.core import labels
from components.core.manifests import Manifest
from components.core.pod_policies import deny_ingress, egress, ingress, tcp, to_api_server
from components.gateway.cert_manager import SOLVER, SOLVER_PORT
from components.gateway.issuers import NAMESPACE, asks_the_gateway
from components.gateway.model import GatewayContext, GatewaySpec
from components.gateway.traefik import SELECTED

_TENANTS = {"namespaceSelector": {"matchExpressions": [{"key": labels.TENANT, "operator": "Exists"}]}}
_WEBHOOK_PORT = 10250
"""Of cert-manager's webhook (`webhook.securePort` of its chart)."""
WEBHOOK = {"app.kubernetes.io/name": "webhook", "app.kubernetes.io/component": "webhook"}
CA_INJECTOR = {"app.kubernetes.io/name": "cainjector", "app.kubernetes.io/component": "cainjector"}
"""Labels of cert-manager's pods."""


def gateway_policies(spec: GatewaySpec, context: GatewayContext) -> list[Manifest]:
    """For Traefik: requests in; pods of tenants and the API server out."""
    ports = sorted({listener.port for listener in spec.listeners})
    made = [deny_ingress(spec.namespace), ingress("gateway", spec.namespace, SELECTED, ports)]
    if asks_the_gateway(spec.issuer):
        by_traefik = {"podSelector": {"matchLabels": SELECTED}}
        made.append(ingress("acme-solver", spec.namespace, SOLVER, [SOLVER_PORT], peer=by_traefik))
    return [*made, *gateway_calls(spec, context)]


def gateway_calls(spec: GatewaySpec, context: GatewayContext) -> list[Manifest]:
    """What Traefik may call: pods of tenants, solvers of HTTP-01, and the API server. Nothing without Cilium."""
    if not context.on_cilium:
        return []
    called: list[dict[str, Any]] = [{"to": [_TENANTS]}]
    if asks_the_gateway(spec.issuer):
        called.append({"to": [{"podSelector": {"matchLabels": SOLVER}}], "ports": tcp(SOLVER_PORT)})
    return [
        egress("gateway-calls", spec.namespace, SELECTED, called),
        to_api_server("gateway-api-server", spec.namespace, SELECTED, context.api_ports),
    ]


def cert_manager_policies(context: GatewayContext) -> list[Manifest]:
    """For cert-manager: the API server's calls of its webhook in; for all but its controller, the API server out."""
    made = [deny_ingress(NAMESPACE), ingress("webhook", NAMESPACE, WEBHOOK, [_WEBHOOK_PORT])]
    if context.on_cilium:
        for pods in (WEBHOOK, CA_INJECTOR):
            name = pods["app.kubernetes.io/name"]
            made.append(egress(f"{name}-calls", NAMESPACE, pods, []))
            made.append(to_api_server(f"{name}-api-server", NAMESPACE, pods, context.api_ports))
    return made
