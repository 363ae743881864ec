"""Gateway API objects: GatewayClass and Gateway, and the routes in tenants' namespaces."""

import json
from typing import Any

from components.core import labels
from components.core.labels import WAIT_FOR
from components.core.manifests import Manifest, manifest
from components.gateway.model import (
    HTTPS_PORT,
    Backend,
    GatewaySpec,
    HttpListener,
    HttpsListener,
    Listener,
    Route,
    redirect_port,
)

API = "gateway.networking.k8s.io/v1"
_PROGRAMMED = '["condition=Programmed", "jsonpath={.status.addresses[0].value}"]'
_ACCEPTED = 'jsonpath={.status.parents[0].conditions[?(@.type=="Accepted")].status}=True'
# Data planes report `Programmed` before they have an address, so wait for the address too. The pools exist by then.


def gateway_class(spec: GatewaySpec) -> Manifest:
    """The GatewayClass. A running data plane with this controller name accepts it."""
    return manifest(
        API,
        "GatewayClass",
        spec.class_name,
        annotations={WAIT_FOR: "condition=Accepted"},
        spec={"controllerName": spec.controller_name},
    )


def gateway(spec: GatewaySpec) -> Manifest:
    """The Gateway. It is ready when its listeners are programmed and it has an address."""
    annotations = {WAIT_FOR: _PROGRAMMED}
    if spec.cluster_issuer is not None:
        annotations["cert-manager.io/cluster-issuer"] = spec.cluster_issuer
    plain = {
        listener.name: listener.plain_text.model_dump(mode="json", by_alias=True)
        for listener in spec.listeners
        if isinstance(listener, HttpListener) and listener.plain_text
    }
    if plain:
        annotations[labels.PLAIN_TEXT] = json.dumps(plain, sort_keys=True, ensure_ascii=False)
    return manifest(
        API,
        "Gateway",
        spec.name,
        namespace=spec.namespace,
        annotations=annotations,
        spec={
            "gatewayClassName": spec.class_name,
            "listeners": [_listener(listener) for listener in spec.listeners],
        },
    )


def http_route(route: Route, spec: GatewaySpec) -> Manifest:
    """The route, in its tenant's namespace. It does not wait for backends, which the tenant deploys later."""
    parent: dict[str, Any] = {"name": spec.name, "namespace": spec.namespace}
    if route.listener is not None:
        parent["sectionName"] = route.listener
    annotations = {WAIT_FOR: _ACCEPTED}
    if route.canary is not None:
        annotations[labels.CANARY] = route.canary.service
    return manifest(
        API,
        "HTTPRoute",
        route.name,
        namespace=route.tenant,
        labels={labels.TENANT: route.tenant},
        annotations=annotations,
        spec={"parentRefs": [parent], "hostnames": [route.hostname], "rules": [_rule(route)]},
    )


def gateway_namespace(spec: GatewaySpec) -> Manifest:
    """The data plane's namespace."""
    pod_security = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return manifest("v1", "Namespace", spec.namespace, labels=pod_security)


def redirect_route(listener: HttpListener, spec: GatewaySpec) -> Manifest:
    """The route of a listener that only redirects to HTTPS, in the gateway's namespace."""
    to: dict[str, Any] = {"scheme": "https", "statusCode": 301}
    port = redirect_port(listener, spec.listeners)
    if port != HTTPS_PORT:
        to["port"] = port
    parent = {"name": spec.name, "namespace": spec.namespace, "sectionName": listener.name}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "filters": [{"type": "RequestRedirect", "requestRedirect": to}],
    }
    return manifest(
        API,
        "HTTPRoute",
        f"{listener.name}-to-https",
        namespace=spec.namespace,
        annotations={WAIT_FOR: _ACCEPTED},
        spec={"parentRefs": [parent], "rules": [rule]},
    )


def redirects(spec: GatewaySpec) -> list[HttpListener]:
    """Listeners that only redirect."""
    return [item for item in spec.listeners if isinstance(item, HttpListener) and item.redirect]


def _listener(listener: Listener) -> dict[str, Any]:
    made: dict[str, Any] = {"name": listener.name, "port": listener.port, "protocol": listener.protocol}
    if listener.hostname is not None:
        made["hostname"] = listener.hostname
    if isinstance(listener, HttpsListener):
        made["tls"] = {
            "mode": "Terminate",
            "certificateRefs": [{"kind": "Secret", "name": listener.certificate_secret}],
        }
    if isinstance(listener, HttpListener) and listener.redirect:
        made["allowedRoutes"] = {"namespaces": {"from": "Same"}}  # a tenant's route would prevent the redirect
        return made
    of_tenants = {"matchExpressions": [{"key": labels.TENANT, "operator": "Exists"}]}
    made["allowedRoutes"] = {"namespaces": {"from": "Selector", "selector": of_tenants}}
    return made


def _rule(route: Route) -> dict[str, Any]:
    rule: dict[str, Any] = {"matches": [{"path": {"type": "PathPrefix", "value": route.path_prefix}}]}
    if route.add_headers:
        headers = [{"name": name, "value": value} for name, value in sorted(route.add_headers.items())]
        rule["filters"] = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": headers}}]
    backends = [route.stable] if route.canary is None else [route.stable, route.canary]
    rule["backendRefs"] = [_backend(backend) for backend in backends]
    return rule


def _backend(backend: Backend) -> dict[str, Any]:
    return {"name": backend.service, "port": backend.port, "weight": backend.weight}
