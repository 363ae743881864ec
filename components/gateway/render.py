"""Gateway API objects of the platform: namespace, GatewayClass and Gateway; network policies of the namespace."""

import json
from typing import Any

from components.core import labels
from components.core.labels import WAIT_FOR
from components.core.manifests import Manifest, manifest
from components.core.names import MONITORING_SYSTEM, PROMETHEUS_PODS
from components.core.pod_policies import deny_ingress, egress, ingress, tcp, to_api_server
from components.gateway.cert_manager import SOLVER, SOLVER_PORT
from components.gateway.issuers import NAMESPACE, asks_the_gateway
from components.gateway.listener_sets import listener_manifest, own_listeners
from components.gateway.model import (
    CILIUM_CONTROLLER,
    METRICS_PORT,
    GatewayContext,
    GatewaySpec,
    HttpListener,
)
from components.gateway.traefik import SELECTED
from components.gateway.waits import ADDRESS, API, PROGRAMMED


def gateway_class(spec: GatewaySpec, context: GatewayContext) -> Manifest:
    """The GatewayClass. A running data plane with this controller name accepts it."""
    body: dict[str, Any] = {"controllerName": spec.controller_name}
    if context.by_cilium:
        reference = {"group": "cilium.io", "kind": "CiliumGatewayClassConfig"}
        body["parametersRef"] = {**reference, "name": spec.class_name, "namespace": spec.namespace}
    return manifest(API, "GatewayClass", spec.class_name, annotations={WAIT_FOR: "condition=Accepted"}, spec=body)


def cilium_class_config(spec: GatewaySpec, context: GatewayContext) -> Manifest:
    """How Cilium makes the gateway's Service: without node ports, which would be open on every node.

    The kind came with Cilium 1.18 (its CRDs), the oldest minor of a stack file.
    """
    service = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, **context.service_class}
    return manifest(
        "cilium.io/v2alpha1",
        "CiliumGatewayClassConfig",
        spec.class_name,
        namespace=spec.namespace,
        spec={"service": service},
    )


def gateway(spec: GatewaySpec, context: GatewayContext) -> Manifest:
    """The Gateway. It is ready when its listeners are programmed and it has an address.

    Where certificates need the Gateway first, it waits only for the address: the wait for certificates is their own.
    """
    annotations = {WAIT_FOR: ADDRESS if asks_the_gateway(spec.issuer) else PROGRAMMED}
    plain = {
        listener.name: listener.plain_text.model_dump(mode="json", by_alias=True)
        for listener in spec.listeners
        if isinstance(listener, HttpListener) and listener.plain_text
    }
    if plain:
        annotations[labels.PLAIN_TEXT] = json.dumps(plain, sort_keys=True, ensure_ascii=False)
    listeners = own_listeners(spec, context)
    body: dict[str, Any] = {
        "gatewayClassName": spec.class_name,
        "listeners": [listener_manifest(listener) for listener in listeners],
    }
    if len(listeners) < len(spec.listeners):
        body["allowedListeners"] = {"namespaces": {"from": "Same"}}
    if spec.address is not None and spec.controller_name == CILIUM_CONTROLLER:  # Traefik's Service asks for it itself
        body["infrastructure"] = {"annotations": context.address_annotation(spec.address)}
    return manifest(API, "Gateway", spec.name, namespace=spec.namespace, annotations=annotations, spec=body)


_TENANTS = {"namespaceSelector": {"matchExpressions": [{"key": labels.TENANT, "operator": "Exists"}]}}
_WEBHOOK_PORT = 10250
"""Of cert-manager's webhook (`webhook.securePort` of its chart)."""
WEBHOOK = {"app.kubernetes.io/name": "webhook", "app.kubernetes.io/component": "webhook"}
CA_INJECTOR = {"app.kubernetes.io/name": "cainjector", "app.kubernetes.io/component": "cainjector"}
"""Labels of cert-manager's pods."""


def gateway_policies(spec: GatewaySpec, context: GatewayContext) -> list[Manifest]:
    """For Traefik: requests in; pods of tenants and the API server out.

    Calls out of a pod are restricted with Cilium only, whose policies can name the API server. cert-manager's
    controller may call everything: it asks ACME servers and name servers whose addresses follow from DNS.
    """
    ports = sorted({listener.port for listener in spec.listeners})
    made = [deny_ingress(spec.namespace), ingress("gateway", spec.namespace, SELECTED, ports)]
    if asks_the_gateway(spec.issuer):
        by_traefik = {"podSelector": {"matchLabels": SELECTED}}
        made.append(ingress("acme-solver", spec.namespace, SOLVER, [SOLVER_PORT], peer=by_traefik))
    if context.monitored:
        place = {"matchLabels": {labels.NAMESPACE_NAME: MONITORING_SYSTEM}}
        by_prometheus = {"namespaceSelector": place, "podSelector": {"matchLabels": PROMETHEUS_PODS}}
        made.append(ingress("gateway-metrics", spec.namespace, SELECTED, [METRICS_PORT], peer=by_prometheus))
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
