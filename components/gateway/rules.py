"""Rules for the gateway and the routes of a stack file; `policies/rules/gateway.py` asks some of them of manifests."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.core.messages import did_you_mean
from components.gateway.model import (
    PING_PORT,
    GatewaySpec,
    HttpListener,
    HttpsListener,
    Route,
    Traefik,
    redirect_port,
    shared,
)
from components.tenancy.model import TenantSpec

MAX_WEIGHT = 1_000_000
"""Of a backendRef, by the HTTPRoute CRD."""


class Claim(NamedTuple):
    """A host name that somebody's route answers for."""

    owner: str
    """The tenant, or the namespace."""
    route: str
    hostname: str
    urn: str = ""
    """Of the route, where a policy asks."""


def gateway_problems(spec: GatewaySpec, tenants: Sequence[TenantSpec]) -> list[Finding]:
    """Everything wrong with the stack file's `gateway`, given its tenants."""
    claims = [Claim(route.tenant, route.name, route.hostname) for route in spec.routes]
    return [
        *_listener_problems(spec),
        *(problem for route in spec.routes for problem in _route_problems(route, spec, tenants)),
        *_routes_twice(spec.routes),
        *ownership_problems(claims),
    ]


def weight_problems(item: str, weights: Sequence[int]) -> list[Finding]:
    """Weights of one rule's backends: the CRD takes all zeros, and every request is then answered with 500."""
    problems = [
        Finding("gateway-weights", item, f"weight {weight} is outside 0–{MAX_WEIGHT}", "write one in that range")
        for weight in weights
        if not 0 <= weight <= MAX_WEIGHT
    ]
    if weights and not any(weights):
        problems.append(
            Finding(
                "gateway-weights",
                item,
                f"all weights are zero ({', '.join(map(str, weights))}), so every request fails",
                "give the stable backend a weight, 100 for all traffic",
            )
        )
    return problems


def ownership_problems(claims: Sequence[Claim]) -> list[Finding]:
    """Host names that two owners answer for, a wildcard over another's name included."""
    problems = {}
    for claim in claims:
        for other in claims:
            if other.owner < claim.owner and shared(claim.hostname, other.hostname):
                over = "" if claim.hostname == other.hostname else f" (as {other.hostname})"
                problems[claim, other.owner] = Finding(
                    "gateway-hostname-owner",
                    f"route '{claim.route}' of {claim.owner}",
                    f"{claim.hostname} belongs to {other.owner} too{over}",
                    "a host name has one owner; take it out of one of them",
                    urn=claim.urn,
                    value=claim.hostname,
                    fields=(f"gateway.routes[{claim.route}].hostname",),
                )
    return list(problems.values())


def intersects(listener: str | None, route: str) -> bool:
    """Whether a listener's host (None: any) and a route's have requests in common, as Gateway API defines it."""
    return shared(listener, route)


def _listener_problems(spec: GatewaySpec) -> Iterator[Finding]:
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
        if isinstance(listener, HttpsListener) and spec.cluster_issuer and not listener.hostname:
            yield Finding(
                "gateway-listener",
                f"listener '{listener.name}'",
                f"has no hostname, and cert-manager ({spec.cluster_issuer}) makes certificates for names",
                "add one",
            )
        if isinstance(listener, HttpListener):
            yield from _plain_problems(listener, spec)
        if isinstance(spec.install, Traefik) and listener.port == PING_PORT:
            yield Finding(
                "gateway-listener",
                f"listener '{listener.name}'",
                f"has port {PING_PORT}, where Traefik answers probes",
                "choose another port",
            )


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


def canary_problems(item: str, canary: int, total: int, ceiling: int) -> list[Finding]:
    """A canary with more than its ceiling of the traffic, all of it weights."""
    if not total or canary * 100 <= ceiling * total:
        return []
    return [
        Finding(
            "gateway-canary",
            item,
            f"its canary gets {canary} of {total}, {canary * 100 / total:.0f} %, and the stack's ceiling is "
            f"{ceiling} %",
            "lower the canary's weight, or make it the stable one",
        )
    ]


def _route_problems(route: Route, spec: GatewaySpec, tenants: Sequence[TenantSpec]) -> Iterator[Finding]:
    item = f"route '{route.name}'"
    names = sorted(tenant.name for tenant in tenants)
    if route.tenant not in names:
        yield Finding(
            "gateway-route-tenant",
            item,
            f"tenant '{route.tenant}' is not one of {', '.join(names) or 'none'}",
            did_you_mean(route.tenant, names) or "add it to tenants, or correct it",
            value=route.tenant,
            fields=(f"gateway.routes[{route.name}].tenant",),
        )
    backends = [route.stable] if route.canary is None else [route.stable, route.canary]
    yield from weight_problems(item, [backend.weight for backend in backends])
    if route.canary is not None:
        total = sum(backend.weight for backend in backends)
        yield from canary_problems(item, route.canary.weight, total, spec.canary_ceiling_percent)
    if route.canary is not None and (route.canary.service, route.canary.port) == (
        route.stable.service,
        route.stable.port,
    ):
        yield Finding(
            "gateway-route-canary",
            item,
            f"stable and canary are the same Service {route.canary.service}:{route.canary.port}",
            "name the canary's own, or leave canary out",
        )
    yield from _attachment_problems(route, spec)


def _attachment_problems(route: Route, spec: GatewaySpec) -> Iterator[Finding]:
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
    elif not any(intersects(listener.hostname, route.hostname) for listener in wanted):
        hosts = ", ".join(sorted({str(listener.hostname) for listener in wanted}))
        yield Finding(
            "gateway-route-listener",
            item,
            f"no listener takes {route.hostname} (they have {hosts})",
            "add a listener for it, or correct the host",
            value=route.hostname,
            fields=(f"gateway.routes[{route.name}].hostname",),
        )


def _routes_twice(routes: Sequence[Route]) -> Iterator[Finding]:
    for tenant, name in duplicates((route.tenant, route.name) for route in routes):
        yield Finding("gateway-route-unique", f"route '{name}' of {tenant}", "occurs twice", "rename one of them")
    places = [(route.tenant, route.hostname, route.path_prefix) for route in routes]
    for place in duplicates(places):
        same = sorted({route.name for route, at in zip(routes, places, strict=True) if at == place})
        yield Finding(
            "gateway-route-unique",
            f"routes {' and '.join(same)}",
            f"answer the same {place[1]}{place[2]}: the older one wins",
            "merge them",
        )
