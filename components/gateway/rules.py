"""Rules for a stack file's gateway, and for routes; `policies/rules/gateway.py` asks some of them of manifests."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.core.versions import parse
from components.gateway.capabilities import limit_problems
from components.gateway.cert_manager import HTTP_PORT, solver_listener
from components.gateway.issuers import ByCertManager, CertManager, Http01, PrivateCa
from components.gateway.model import (
    METRICS_PORT,
    PING_PORT,
    GatewaySpec,
    HttpListener,
    Match,
    Route,
    Traefik,
    redirect_port,
    shared,
)

MAX_WEIGHT = 1_000_000
"""Of a backendRef, by the HTTPRoute CRD."""
CERT_MANAGER_SINCE = "1.15"
"""The first release that reads `enableGatewayAPI` in its configuration file without a feature gate."""
_TAKEN = {PING_PORT: "answers probes", METRICS_PORT: "counts requests"}
"""Ports of Traefik's pods that no listener may have."""


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


def gateway_problems(spec: GatewaySpec) -> list[Finding]:
    """Everything wrong with the stack file's `gateway`."""
    return [*_listener_problems(spec), *_issuer_problems(spec), *limit_problems(spec)]


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
                )
    return list(problems.values())


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
        if isinstance(listener, HttpListener):
            yield from _plain_problems(listener, spec)
        if isinstance(spec.install, Traefik) and (use := _TAKEN.get(listener.port)):
            said = f"has port {listener.port}, where Traefik {use}"
            yield Finding("gateway-listener", f"listener '{listener.name}'", said, "choose another port")


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
        f"its canary gets {canary} of {total}, {canary * 100 / total:.0f} %, and the ceiling is {ceiling} %",
        "lower the canary's weight, or make it the stable one",
    )


def steps_problems(item: str, steps: Sequence[int], ceiling: int) -> Iterator[Finding]:
    """Steps that are no trial on some of the requests: before the last one, which may be all of them, the ceiling."""
    over = [step for step in steps if step > ceiling and not (step == 100 and step == steps[-1] and len(steps) > 1)]
    if over:
        yield Finding(
            "gateway-canary",
            item,
            f"its canary's steps {', '.join(map(str, over))} are over the ceiling of {ceiling} %",
            "remove them; the last step may be 100",
        )


def routes_twice(routes: Sequence[Route]) -> Iterator[Finding]:
    """Routes that answer the same requests."""
    places = [
        (host, _requests(one), route.name) for route in routes for host in route.hostnames for one in route.matches
    ]
    for place in duplicates((host, requests) for host, requests, _ in places):
        same = sorted({name for host, requests, name in places if (host, requests) == place})
        yield Finding(
            "gateway-route-unique",
            f"routes {' and '.join(same)}" if len(same) > 1 else f"route {same[0]}",
            f"answer the same {place[0]}{place[1][0]}: the older one wins",
            "merge them",
        )


def _requests(match: Match) -> tuple[str, str, str | None, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """What a match takes, in a form that can be compared."""
    path, kind = (match.path_prefix, "prefix") if match.path is None else (match.path, "path")
    return path, kind, match.method, tuple(sorted(match.headers.items())), tuple(sorted(match.query.items()))
