"""Gateway API objects of the platform: namespace, GatewayClass and Gateway."""

import json
from typing import Any

from components.core import labels
from components.core.labels import WAIT_FOR
from components.core.manifests import Manifest, manifest
from components.gateway.issuers import asks_the_gateway
from components.gateway.listener_sets import listener_manifest, own_listeners
from components.gateway.model import (
    CILIUM_CONTROLLER,
    GatewayContext,
    GatewaySpec,
    HttpListener,
)
from components.gateway.waits import ADDRESS, API, PROGRAMMED

_POD_SECURITY = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}


def restricted_namespace(name: str) -> Manifest:
    """A namespace whose pods pass Pod Security `restricted`: of the data plane, of cert-manager."""
    return manifest("v1", "Namespace", name, labels=_POD_SECURITY)


def gateway_class(spec: GatewaySpec, context: GatewayContext) -> Manifest:
    """The GatewayClass. A running data plane with this controller name accepts it."""
    body: dict[str, Any] = {"controllerName": spec.controller_name}
    if context.by_cilium:
        reference = {"group": "cilium.io", "kind": "CiliumGatewayClassConfig"}
        body["parametersRef"] = {**reference, "name": spec.class_name, "namespace": spec.namespace}
    return manifest(API, "GatewayClass", spec.class_name, annotations={WAIT_FOR: "condition=Accepted"}, spec=body)


def cilium_class_config(spec: GatewaySpec) -> Manifest:
    """How Cilium makes the gateway's Service: without node ports, which would be open on every node.

    The kind came with Cilium 1.18 (its CRDs), the oldest minor of a stack file.
    """
    service = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}
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
