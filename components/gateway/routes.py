"""Routes as HTTPRoutes and GRPCRoutes: those of tenants, and the gateway's own that redirect to HTTPS."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.core import labels
from components.core.labels import WAIT_FOR
from components.core.manifests import Manifest, manifest
from components.gateway.canary.route import annotations as canary_annotations
from components.gateway.model import (
    HTTPS_PORT,
    Backend,
    Canary,
    GatewaySpec,
    GrpcRoute,
    HttpListener,
    Match,
    Redirect,
    Rewrite,
    Route,
    redirect_port,
)
from components.gateway.waits import ACCEPTED, API


def http_route(route: Route, to: list[dict[str, Any]]) -> Manifest:
    """The route; `to` are its parents. It does not wait for backends, which may come later."""
    return _route("HTTPRoute", route, to, _http_rule(route))


def grpc_route(route: GrpcRoute, to: list[dict[str, Any]]) -> Manifest:
    """The same for gRPC."""
    return _route("GRPCRoute", route, to, _grpc_rule(route))


def redirect_route(listener: HttpListener, spec: GatewaySpec) -> Manifest:
    """The route of a listener that only redirects to HTTPS, in the gateway's namespace."""
    to: dict[str, Any] = {"scheme": "https", "statusCode": 301}
    port = redirect_port(listener, spec.listeners)
    if port != HTTPS_PORT:
        to["port"] = port
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "filters": [{"type": "RequestRedirect", "requestRedirect": to}],
    }
    return manifest(
        API,
        "HTTPRoute",
        f"{listener.name}-to-https",
        namespace=spec.namespace,
        annotations={WAIT_FOR: ACCEPTED},
        spec={"parentRefs": [parent(spec, listener.name)], "rules": [rule]},
    )


def redirects(spec: GatewaySpec) -> list[HttpListener]:
    """Listeners that only redirect."""
    return [item for item in spec.listeners if isinstance(item, HttpListener) and item.redirect]


def parent(spec: GatewaySpec, listener: str | None) -> dict[str, Any]:
    """The Gateway as a route names it; with one listener, or with all that have a matching host."""
    section = {} if listener is None else {"sectionName": listener}
    return {"name": spec.name, "namespace": spec.namespace, **section}


def _route(kind: str, route: Route | GrpcRoute, to: list[dict[str, Any]], rule: dict[str, Any]) -> Manifest:
    annotations = {WAIT_FOR: ACCEPTED}
    if isinstance(route.canary, Canary) and route.canary.steps:
        annotations |= canary_annotations(route.canary.service, route.canary)
    elif route.canary is not None:
        annotations[labels.CANARY] = route.canary.service
    return manifest(
        API,
        kind,
        route.name,
        namespace=route.namespace,
        labels={labels.TENANT: route.tenant},
        annotations=annotations,
        spec={"parentRefs": to, "hostnames": list(route.hostnames), "rules": [rule]},
    )


def _http_rule(route: Route) -> dict[str, Any]:
    rule: dict[str, Any] = {"matches": [_match(match) for match in route.matches]}
    if filters := list(_filters(route)):
        rule["filters"] = filters
    if route.stable is not None:
        rule["backendRefs"] = _backends(route.stable, route.canary)
    if route.timeouts is not None:
        limits = {"request": route.timeouts.request_seconds, "backendRequest": route.timeouts.backend_seconds}
        rule["timeouts"] = {name: f"{seconds}s" for name, seconds in limits.items() if seconds is not None}
    return rule


def _grpc_rule(route: GrpcRoute) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    if route.methods:
        rule["matches"] = [{"method": _method(method)} for method in route.methods]
    if route.add_headers:
        rule["filters"] = [_headers("request", add=route.add_headers)]
    rule["backendRefs"] = _backends(route.stable, route.canary)
    return rule


def _match(match: Match) -> dict[str, Any]:
    kind, value = ("PathPrefix", match.path_prefix) if match.path is None else ("Exact", match.path)
    made: dict[str, Any] = {"path": {"type": kind, "value": value}}
    if match.method is not None:
        made["method"] = match.method
    for field, pairs in (("headers", match.headers), ("queryParams", match.query)):
        if pairs:
            made[field] = _pairs(pairs)
    return made


def _filters(route: Route) -> Iterator[dict[str, Any]]:
    changes = route.request_headers
    if request := _headers("request", {**route.add_headers, **changes.add}, changes.set, changes.remove):
        yield request
    changes = route.response_headers
    if response := _headers("response", changes.add, changes.set, changes.remove):
        yield response
    if route.rewrite is not None:
        yield {"type": "URLRewrite", "urlRewrite": _address(route.rewrite)}
    if route.redirect is not None:
        yield {"type": "RequestRedirect", "requestRedirect": _redirect(route.redirect)}
    if route.mirror is not None:
        copies = {"backendRef": {"name": route.mirror.service, "port": route.mirror.port}}
        share = {} if route.mirror.percent == 100 else {"percent": route.mirror.percent}
        yield {"type": "RequestMirror", "requestMirror": {**copies, **share}}


def _headers(
    of: str, add: Mapping[str, str], put: Mapping[str, str] | None = None, remove: tuple[str, ...] = ()
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if add:
        made["add"] = _pairs(add)
    if put:
        made["set"] = _pairs(put)
    if remove:
        made["remove"] = sorted(remove)
    kind = f"{of.capitalize()}HeaderModifier"
    return {"type": kind, f"{of}HeaderModifier": made} if made else {}


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def _address(to: Rewrite | Redirect) -> dict[str, Any]:
    made: dict[str, Any] = {} if to.hostname is None else {"hostname": to.hostname}
    if to.path is not None:
        made["path"] = {"type": "ReplaceFullPath", "replaceFullPath": to.path}
    elif to.path_prefix is not None:
        made["path"] = {"type": "ReplacePrefixMatch", "replacePrefixMatch": to.path_prefix}
    return made


def _redirect(to: Redirect) -> dict[str, Any]:
    port = {} if to.port is None else {"port": to.port}
    return {"scheme": "https", **_address(to), **port, "statusCode": to.status}


def _method(method: str) -> dict[str, str]:
    service, _, name = method.partition("/")
    return {"type": "Exact", "service": service, **({"method": name} if name else {})}


def _backends(stable: Backend, canary: Backend | None) -> list[dict[str, Any]]:
    chosen = [stable] if canary is None else [stable, canary]
    if isinstance(canary, Canary) and canary.steps:
        return [
            {"name": one.service, "port": one.port, "weight": weight}
            for one, weight in zip(chosen, (100, 0), strict=True)
        ]
    return [{"name": one.service, "port": one.port, "weight": one.weight} for one in chosen]
