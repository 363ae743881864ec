"""Rules for the gateway and the routes of a stack file; `policies/rules/gateway.py` asks some of them of manifests."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.core.messages import did_you_mean
from components.core.versions import parse
from components.gateway.capabilities import capability_problems
from components.gateway.cert_manager import HTTP_PORT, solver_listener
from components.gateway.issuers import ByCertManager, CertManager, Http01, PrivateCa
from components.gateway.model import (
    METRICS_PORT,
    PING_PORT,
    Backend,
    Canary,
    GatewaySpec,
    GrpcRoute,
    HttpListener,
    HttpsListener,
    Match,
    Route,
    Traefik,
    redirect_port,
    shared,
)
from components.tenancy.model import TenantSpec

MAX_WEIGHT = 1_000_000
"""Of a backendRef, by the HTTPRoute CRD."""
CERT_MANAGER_SINCE = "1.15"
"""The first release that reads `enableGatewayAPI` in its configuration file without a feature gate."""
_TAKEN = {PING_PORT: "answers probes", METRICS_PORT: "counts requests"}
"""Ports of Traefik's pods that no listener may have."""
_AnyRoute = Route | GrpcRoute


class Claim(NamedTuple):
    """A host name that somebody answers for."""

    owner: str
    """The tenant, or the namespace."""
    route: str
    hostname: str
    """Empty where it is every one."""
    urn: str = ""
    """Of the route, where a policy asks."""
    word: str = "route"
    """What it is called, where a policy asks: it may be an Ingress or a Certificate."""


def gateway_problems(spec: GatewaySpec, tenants: Sequence[TenantSpec]) -> list[Finding]:
    """Everything wrong with the stack file's `gateway`, given its tenants."""
    claims = [Claim(route.tenant, route.name, host) for route in spec.all_routes for host in route.hostnames]
    return [
        *_listener_problems(spec, tenants),
        *_issuer_problems(spec),
        *(problem for route in spec.all_routes for problem in _route_problems(route, spec, tenants)),
        *_routes_twice(spec),
        *ownership_problems(claims),
        *capability_problems(spec),
    ]


def weight_problems(item: str, weights: Sequence[int]) -> Iterator[Finding]:
    """Weights of one rule's backends: the CRD takes all zeros, and every request is then answered with 500."""
    for weight in weights:
        if not 0 <= weight <= MAX_WEIGHT:
            yield Finding(
                "gateway-weights", item, f"weight {weight} is outside 0–{MAX_WEIGHT}", "write one in that range"
            )
    if weights and not any(weights):
        yield Finding(
            "gateway-weights",
            item,
            f"all weights are zero ({', '.join(map(str, weights))}), so every request fails",
            "give the stable backend a weight, 100 for all traffic",
        )


def ownership_problems(claims: Sequence[Claim]) -> list[Finding]:
    """Host names that two owners answer for, a wildcard over another's name included."""
    problems = {}
    for claim in claims:
        for other in claims:
            if other.owner < claim.owner and shared(claim.hostname or None, other.hostname or None):
                over = "" if claim.hostname == other.hostname else f" (as {other.hostname or 'every host name'})"
                problems[claim, other.owner] = Finding(
                    "gateway-hostname-owner",
                    f"{claim.word} '{claim.route}' of {claim.owner}",
                    f"{claim.hostname or 'every host name'} belongs to {other.owner} too{over}",
                    "a host name has one owner; remove it from one of them",
                    urn=claim.urn,
                    value=claim.hostname,
                    fields=(f"gateway.routes[{claim.route}].hostnames",),
                )
    return list(problems.values())


def _listener_problems(spec: GatewaySpec, tenants: Sequence[TenantSpec]) -> Iterator[Finding]:
    for name in duplicates(listener.name for listener in spec.listeners):
        yield Finding("gateway-listener", f"listener '{name}'", "occurs twice", "rename one of them")
    for port, hostname in duplicates((listener.port, listener.hostname) for listener in spec.listeners):
        yield Finding(
            "gateway-listener",
            f"listeners on port {port}",
            f"two of them have the host {hostname or 'left out'}: the gateway can't tell them apart",
            "merge them",
            value=hostname or "",
            fields=tuple(
                f"gateway.listeners[{one.name}]"
                for one in spec.listeners
                if (one.port, one.hostname) == (port, hostname)
            ),
        )
    protocols: dict[int, str] = {}
    for listener in spec.listeners:
        if protocols.setdefault(listener.port, listener.protocol) != listener.protocol:
            yield Finding(
                "gateway-listener",
                f"listener '{listener.name}'",
                f"{listener.protocol} on port {listener.port}, where another listener has {protocols[listener.port]}",
                "choose another port",
            )
        if isinstance(listener, HttpsListener) and listener.tenant is not None:
            yield from _tenant_problems("listener", listener.name, listener.tenant, tenants, "gateway.listeners")
        if isinstance(listener, HttpListener):
            yield from _plain_problems(listener, spec)
        if isinstance(spec.install, Traefik) and (use := _TAKEN.get(listener.port)):
            said = f"has port {listener.port}, where Traefik {use}"
            yield Finding("gateway-listener", f"listener '{listener.name}'", said, "choose another port")


def _tenant_problems(what: str, name: str, tenant: str, tenants: Sequence[TenantSpec], field: str) -> Iterator[Finding]:
    names = sorted(known.name for known in tenants)
    if tenant not in names:
        yield Finding(
            "gateway-route-tenant",
            f"{what} '{name}'",
            f"tenant '{tenant}' is not one of {', '.join(names) or 'none'}",
            did_you_mean(tenant, names) or "add it to tenants, or correct it",
            value=tenant,
            fields=(f"{field}[{name}].tenant",),
        )


def _issuer_problems(spec: GatewaySpec) -> Iterator[Finding]:
    """Certificates that the issuer can't make."""
    issuer = spec.issuer
    if not isinstance(issuer, PrivateCa | ByCertManager):
        return
    for listener in spec.https:
        if listener.hostname is None:
            said = f"has no hostname, and {issuer.kind} makes certificates for names"
            yield Finding("gateway-listener", f"listener '{listener.name}'", said, "add one")
    if not isinstance(issuer, CertManager):
        return
    if parse(issuer.version) < parse(CERT_MANAGER_SINCE):
        said = f"{issuer.version} is older than {CERT_MANAGER_SINCE}, the first one that works with this Gateway API"
        yield Finding("gateway-issuer", "gateway.issuer.version", said, "write a newer one")
    if not isinstance(issuer.acme.solver, Http01):
        return
    for listener in spec.https:
        if listener.hostname and listener.hostname.startswith("*."):
            said = f"{listener.hostname} is a wildcard, and ACME servers issue those with dns-01 only"
            remedy = "write a listener for each host, or solver kind dns-01"
            yield Finding("gateway-issuer", f"listener '{listener.name}'", said, remedy, value=listener.hostname)
    if solver_listener(spec) is None:
        said = f"asks on port {HTTP_PORT}, and no listener there takes every host and redirects"
        remedy = "add { name: http, port: 80, protocol: HTTP, redirect: https }"
        yield Finding("gateway-issuer", "gateway.issuer.acme.solver", said, remedy)


def _plain_problems(listener: HttpListener, spec: GatewaySpec) -> Iterator[Finding]:
    item = f"listener '{listener.name}'"
    if listener.redirect is None:
        if listener.plain_text is None:
            remedy = "write redirect: https, protocol: HTTPS, or plainText with until"
            yield plain_text_problem(item, remedy)
        return
    if listener.plain_text is not None:
        yield Finding(
            "gateway-listener",
            item,
            "has redirect and plainText, and a listener that only redirects serves no content",
            "remove one of them",
        )
    if redirect_port(listener, spec.listeners) is None:
        yield Finding(
            "gateway-listener",
            item,
            f"redirects {listener.hostname or 'every host'} to HTTPS, and no HTTPS listener, or more than one port but "
            "443, takes it",
            "add one on port 443",
        )


def plain_text_problem(item: str, remedy: str) -> Finding:
    """A listener that takes requests, and the cookies in them, as anybody on the way can read them."""
    return Finding("gateway-tls", item, "takes plain text from outside", f"{remedy} and a reason")


def canary_problems(item: str, canary: int, total: int, ceiling: int) -> Iterator[Finding]:
    """A canary with more than its ceiling of the traffic, all of it weights."""
    if not total or canary * 100 <= ceiling * total:
        return
    yield Finding(
        "gateway-canary",
        item,
        f"its canary gets {canary} of {total}, {canary * 100 / total:.0f} %, and the stack's ceiling is {ceiling} %",
        "lower the canary's weight, or make it the stable one",
    )


def steps_problems(item: str, steps: Sequence[int], ceiling: int) -> Iterator[Finding]:
    """Steps that are no trial on some of the requests: before the last one, which may be all of them, the ceiling."""
    over = [step for step in steps if step > ceiling and not (step == 100 and step == steps[-1] and len(steps) > 1)]
    if over:
        yield Finding(
            "gateway-canary",
            item,
            f"its canary's steps {', '.join(map(str, over))} are over the stack's ceiling of {ceiling} %",
            "remove them; the last step may be 100",
        )


def _steps_problems(route: _AnyRoute, spec: GatewaySpec) -> Iterator[Finding]:
    if not (isinstance(route.canary, Canary) and route.canary.steps):
        return
    item = f"route '{route.name}'"
    yield from steps_problems(item, route.canary.steps, _ceiling(route, spec))
    if not isinstance(spec.install, Traefik) and route.canary.counted_by_traefik:
        said = "its canary has steps, and requests are counted by the Traefik that the platform installs"
        remedy = "write source: probe at each gate, weight in place of steps, or install kind: traefik"
        yield Finding("gateway-canary", item, said, remedy)


def _route_problems(route: _AnyRoute, spec: GatewaySpec, tenants: Sequence[TenantSpec]) -> Iterator[Finding]:
    item = f"route '{route.name}'"
    yield from _tenant_problems("route", route.name, route.tenant, tenants, _list_of(route))
    if route.stable is not None:
        yield from _backend_problems(item, route.stable, route.canary, _ceiling(route, spec))
    yield from _steps_problems(route, spec)
    yield from _attachment_problems(route, spec)


def _list_of(route: _AnyRoute) -> str:
    return "gateway.routes" if isinstance(route, Route) else "gateway.grpcRoutes"


def _ceiling(route: _AnyRoute, spec: GatewaySpec) -> int:
    """The canary's largest share, in percent. Requests that ask for it by a header or a parameter may all get it."""
    asked = isinstance(route, Route) and all(match.headers or match.query for match in route.matches)
    return 100 if asked else spec.canary_ceiling_percent


def _backend_problems(item: str, stable: Backend, canary: Backend | None, ceiling: int) -> Iterator[Finding]:
    yield from weight_problems(item, [backend.weight for backend in (stable, canary) if backend is not None])
    if canary is None:
        return
    yield from canary_problems(item, canary.weight, stable.weight + canary.weight, ceiling)
    if (canary.service, canary.port) == (stable.service, stable.port):
        yield Finding(
            "gateway-route-canary",
            item,
            f"stable and canary are the same Service {canary.service}:{canary.port}",
            "name the canary's own, or leave canary out",
        )


def _attachment_problems(route: _AnyRoute, spec: GatewaySpec) -> Iterator[Finding]:
    item = f"route '{route.name}'"
    names = ", ".join(listener.name for listener in spec.listeners)
    wanted = [listener for listener in spec.listeners if route.listener in (None, listener.name)]
    if wanted and all(isinstance(listener, HttpListener) and listener.redirect for listener in wanted):
        yield Finding(
            "gateway-route-listener",
            item,
            f"{', '.join(listener.name for listener in wanted)} only redirects to HTTPS",
            "write an HTTPS listener",
        )
        return
    wanted = [item for item in wanted if not (isinstance(item, HttpListener) and item.redirect)]
    if not wanted:
        yield Finding(
            "gateway-route-listener",
            item,
            f"listener '{route.listener}' is not one of {names}",
            "correct it, or leave it out",
        )
        return
    open_to = [item for item in wanted if not isinstance(item, HttpsListener) or item.tenant in (None, route.tenant)]
    if wanted and not open_to:
        yield Finding(
            "gateway-route-listener",
            item,
            f"{', '.join(listener.name for listener in wanted)} takes no routes of tenant {route.tenant}",
            "write another listener, or correct its tenant",
        )
        return
    for hostname in route.hostnames if open_to else ():
        if any(shared(listener.hostname, hostname) for listener in open_to):
            continue
        hosts = ", ".join(sorted({str(listener.hostname) for listener in open_to}))
        yield Finding(
            "gateway-route-listener",
            item,
            f"no listener takes {hostname} (they have {hosts})",
            "add a listener for it, or correct the host",
            value=hostname,
            fields=(f"{_list_of(route)}[{route.name}].hostnames",),
        )


def _routes_twice(spec: GatewaySpec) -> Iterator[Finding]:
    for routes in (spec.routes, spec.grpc_routes):
        for tenant, name in duplicates((route.tenant, route.name) for route in routes):
            yield Finding("gateway-route-unique", f"route '{name}' of {tenant}", "occurs twice", "rename one of them")
    places = [
        (route.tenant, host, _requests(one))
        for route in spec.routes
        for host in route.hostnames
        for one in route.matches
    ]
    names = [route.name for route in spec.routes for _ in route.hostnames for _ in route.matches]
    for place in duplicates(places):
        same = sorted({name for name, at in zip(names, places, strict=True) if at == place})
        yield Finding(
            "gateway-route-unique",
            f"routes {' and '.join(same)}" if len(same) > 1 else f"route {same[0]}",
            f"answer the same {place[1]}{place[2][0]}: the older one wins",
            "merge them",
        )


def _requests(match: Match) -> tuple[str, str, str | None, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """What a match takes, in a form that can be compared."""
    path, kind = (match.path_prefix, "prefix") if match.path is None else (match.path, "path")
    return path, kind, match.method, tuple(sorted(match.headers.items())), tuple(sorted(match.query.items()))
