"""Gateway API objects: what the platform owns (class, Gateway) and the routes in tenants' namespaces."""

import json
from typing import Any

from components import labels
from components.gateway.model import Backend, GatewaySpec, HttpListener, HttpsListener, Listener, Route
from components.manifests import Manifest, manifest

API = "gateway.networking.k8s.io/v1"
WAIT_FOR = "pulumi.com/waitFor"
"""Pulumi takes a custom resource as ready at once unless this annotation says what to wait for."""

_PROGRAMMED = '["condition=Programmed", "jsonpath={.status.addresses[0].value}"]'
# Data planes call a Gateway programmed before anybody has given them an address; the pools exist by then.


def gateway_class(spec: GatewaySpec) -> Manifest:
    """The class; accepted as soon as a data plane with its controller's name runs."""
    return manifest(
        API,
        "GatewayClass",
        spec.class_name,
        annotations={WAIT_FOR: "condition=Accepted"},
        spec={"controllerName": spec.controller_name},
    )


def gateway(spec: GatewaySpec) -> Manifest:
    """The Gateway; ready when the data plane listens as asked and has an address to be reached at."""
    annotations = {WAIT_FOR: _PROGRAMMED}
    if spec.cluster_issuer is not None:
        annotations["cert-manager.io/cluster-issuer"] = spec.cluster_issuer
    plain = {
        listener.name: listener.plain_text.model_dump(by_alias=True)
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
    """The route, in its tenant's namespace. Which backends exist is not waited for: they are the tenant's to bring."""
    parent: dict[str, Any] = {"name": spec.name, "namespace": spec.namespace}
    if route.listener is not None:
        parent["sectionName"] = route.listener
    annotations = {WAIT_FOR: 'jsonpath={.status.parents[0].conditions[?(@.type=="Accepted")].status}=True'}
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


def traefik_values(spec: GatewaySpec, *, replicas: int) -> dict[str, Any]:
    """Values of Traefik's chart for a Gateway API data plane and nothing else.

    A listener is served by the entry point of the same port, so Traefik listens on the real ports; the
    sysctl lets it do so without a capability (safe, and per pod, since Kubernetes 1.22).
    """
    return {
        "api": {"dashboard": False},
        "deployment": {"replicas": replicas},
        "gateway": {"enabled": False},  # ours, not the chart's
        "gatewayClass": {"enabled": False},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},  # nothing goes abroad unasked
        "ingressClass": {"enabled": False},
        "podSecurityContext": {
            "seccompProfile": {"type": "RuntimeDefault"},  # what Pod Security `restricted` asks for
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
        "ports": {
            "web": {"expose": {"default": False}},  # the chart's own entry points
            "websecure": {"expose": {"default": False}},
            **{f"tcp-{port}": _entry_point(port) for port in sorted({item.port for item in spec.listeners})},
        },
        "providers": {
            "kubernetesCRD": {"enabled": False},
            "kubernetesGateway": {"enabled": True},
            "kubernetesIngress": {"enabled": False},
        },
        "service": {"spec": {"externalTrafficPolicy": "Local"}},  # keeps the client's address
    }


def _entry_point(port: int) -> dict[str, Any]:
    return {"port": port, "exposedPort": port, "protocol": "TCP", "expose": {"default": True}}


def _listener(listener: Listener) -> dict[str, Any]:
    made: dict[str, Any] = {"name": listener.name, "port": listener.port, "protocol": listener.protocol}
    if listener.hostname is not None:
        made["hostname"] = listener.hostname
    if isinstance(listener, HttpsListener):
        made["tls"] = {
            "mode": "Terminate",
            "certificateRefs": [{"kind": "Secret", "name": listener.certificate_secret}],
        }
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
