"""Listeners of one tenant as a ListenerSet beside the Gateway, where the gateway's controller and the CRDs have them.

Elsewhere they are listeners of the Gateway itself, and serve the same. A Gateway has 64 listeners at most.
"""

from typing import Any

from components.core import labels
from components.core.labels import WAIT_FOR
from components.core.manifests import Manifest, manifest
from components.gateway.model import GatewayContext, GatewaySpec, HttpListener, HttpsListener, Listener
from components.gateway.waits import API, PROGRAMMED_SET


def by_tenant(spec: GatewaySpec, context: GatewayContext) -> dict[str, list[HttpsListener]]:
    """The listeners of each tenant that has a ListenerSet, by tenant. The Gateway keeps one listener at least."""
    found: dict[str, list[HttpsListener]] = {}
    common = [item for item in spec.listeners if not (isinstance(item, HttpsListener) and item.tenant)]
    if context.listener_sets and common:
        for listener in spec.https:
            if listener.tenant is not None:
                found.setdefault(listener.tenant, []).append(listener)
    return dict(sorted(found.items()))


def own_listeners(spec: GatewaySpec, context: GatewayContext) -> list[Listener]:
    """The listeners of the Gateway itself."""
    elsewhere = [listener for listeners in by_tenant(spec, context).values() for listener in listeners]
    return [listener for listener in spec.listeners if listener not in elsewhere]


def listener_sets(spec: GatewaySpec, context: GatewayContext) -> list[Manifest]:
    """A ListenerSet for each tenant, in the gateway's namespace, where the certificates are."""
    return [
        manifest(
            API,
            "ListenerSet",
            tenant,
            namespace=spec.namespace,
            labels={labels.TENANT: tenant},
            annotations={WAIT_FOR: PROGRAMMED_SET},
            spec={
                "parentRef": {"name": spec.name},
                "listeners": [listener_manifest(listener) for listener in listeners],
            },
        )
        for tenant, listeners in by_tenant(spec, context).items()
    ]


def listener_manifest(listener: Listener) -> dict[str, Any]:
    """A listener, of a Gateway or of a ListenerSet."""
    made: dict[str, Any] = {"name": listener.name, "port": listener.port, "protocol": listener.protocol}
    if listener.hostname is not None:
        made["hostname"] = listener.hostname
    if isinstance(listener, HttpsListener):
        made["tls"] = {
            "mode": "Terminate",
            "certificateRefs": [{"kind": "Secret", "name": listener.certificate_secret}],
        }
    if isinstance(listener, HttpListener) and listener.redirect:
        # A tenant's route would prevent the redirect. cert-manager's solvers are in this namespace too.
        made["allowedRoutes"] = {"namespaces": {"from": "Same"}}
        return made
    selector: dict[str, Any] = {"matchExpressions": [{"key": labels.TENANT, "operator": "Exists"}]}
    if isinstance(listener, HttpsListener) and listener.tenant is not None:
        selector = {"matchLabels": {labels.TENANT: listener.tenant}}
    made["allowedRoutes"] = {"namespaces": {"from": "Selector", "selector": selector}}
    return made
