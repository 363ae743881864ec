"""What gateways, routes and grants may not be, whoever wrote them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from components.charts.reference import chart_name
from components.core import labels
from components.core.finding import Finding
from components.core.waivers import Waiver
from components.gateway.rules import canary_problems, intersects, plain_text_problem

ENCRYPTED = ("HTTPS", "TLS")
NGINX_CONTROLLER = "k8s.io/ingress-nginx"


def tls_problems(gateway: Mapping[str, Any], today: str, routes: Sequence[Mapping[str, Any]] = ()) -> Iterator[Finding]:
    """Listeners of a Gateway or ListenerSet that take plain text, without an exception on it that still holds.

    One whose every route of `routes` sends requests on to HTTPS serves nobody, and needs no exception."""
    metadata = gateway["metadata"]
    exceptions = _exceptions((metadata.get("annotations") or {}).get(labels.PLAIN_TEXT))
    for listener in (gateway.get("spec") or {}).get("listeners") or ():
        if "protocol" not in listener or listener["protocol"] in ENCRYPTED:
            continue  # without one it is a patch of somebody else's listener: the CRD demands it
        if _only_redirects(gateway, listener, routes):
            continue
        name = f"{metadata.get('namespace') or 'default'}/{metadata.get('name', '?')}"
        item = f"{gateway.get('kind', 'Gateway')} {name}, {listener['name']}"
        remedy = (
            f"write protocol: HTTPS, or the annotation {labels.PLAIN_TEXT} with "
            f'{{"{listener["name"]}": {{"until", "reason"}}}}: a day'
        )
        try:
            exception = Waiver.model_validate(exceptions[listener["name"]])
        except (KeyError, ValidationError):
            yield plain_text_problem(item, remedy)
            continue
        if exception.until < today:
            yield plain_text_problem(item, f"its exception ended on {exception.until}; {remedy}")


def _only_redirects(
    gateway: Mapping[str, Any], listener: Mapping[str, Any], routes: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether a listener takes routes of its Gateway's own namespace alone, and each of them redirects to HTTPS."""
    if ((listener.get("allowedRoutes") or {}).get("namespaces") or {}).get("from", "Same") != "Same":
        return False
    kind, name = gateway.get("kind") or "Gateway", gateway["metadata"].get("name")
    attached = [
        route
        for route in routes
        if any(
            parent[:3] == (kind, _namespace(gateway), name) and parent[3] in ("", listener["name"])
            for parent in _parents(route)
        )
        and _namespace(route) == _namespace(gateway)
    ]
    return bool(attached) and all(_redirects(route) for route in attached)


def _redirects(route: Mapping[str, Any]) -> bool:
    rules = (route.get("spec") or {}).get("rules") or ()
    return bool(rules) and all(
        not rule.get("backendRefs")
        and any(
            (item.get("requestRedirect") or {}).get("scheme") == "https"
            for item in rule.get("filters") or ()
            if item.get("type") == "RequestRedirect"
        )
        for rule in rules
    )


def _exceptions(annotation: Any) -> dict[str, Any]:
    """By listener; what cannot be read excuses nothing."""
    try:
        said = json.loads(str(annotation or "{}"))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def ceiling_problems(route: Mapping[str, Any], ceiling: int) -> Iterator[Finding]:
    """Canaries above the ceiling: the backends that the route's annotation names, or that are called canary.

    Who asks for the trial by a header or a parameter may get all of it: the ceiling is for everybody else."""
    metadata = route["metadata"]
    named = (metadata.get("annotations") or {}).get(labels.CANARY)
    item = f"{route['kind']} {metadata.get('namespace') or 'default'}/{metadata.get('name', '?')}"
    for rule in (route.get("spec") or {}).get("rules") or ():
        if _limited(rule):
            continue
        weights = [(str(ref["name"]), int(ref.get("weight", 1))) for ref in rule.get("backendRefs") or ()]
        on_trial = _on_trial([name for name, _ in weights], named)
        canary = sum(weight for (_, weight), trial in zip(weights, on_trial, strict=True) if trial)
        yield from canary_problems(item, canary, sum(weight for _, weight in weights), ceiling)


def _on_trial(names: Sequence[str], named: Any) -> list[bool]:
    """Which backends of a rule are canaries: wherever they stand in it."""
    if len(names) == 1:  # alone it is a trial only where it is said to be
        return [names[0] == named]
    trial = [name == named or "canary" in name for name in names]
    if not all(trial):
        return trial
    said = [name == named for name in names]  # a service may be called after the bird; then the first is stable
    return said if any(said) and not all(said) else [index > 0 for index in range(len(names))]


def _limited(rule: Mapping[str, Any]) -> bool:
    """Whether only requests that ask for it by a header or a parameter come to the rule."""
    matches = rule.get("matches") or ()
    return bool(matches) and all(match.get("headers") or match.get("queryParams") for match in matches)


def unnamed_problems(
    routes: Sequence[Mapping[str, Any]], gateways: Sequence[Mapping[str, Any]], is_tenants: Callable[[str], bool]
) -> Iterator[Finding]:
    """Routes of tenants without host names: they answer for every name of their listeners, other tenants' among them.

    A route of the platform's own may do that: it is how plain requests are sent on to HTTPS."""
    unnamed = [route for route in routes if not _hosts(route) and is_tenants(_namespace(route))]
    for route in unnamed:
        for other in routes:
            again = not _hosts(other) and is_tenants(_namespace(other)) and _namespace(route) < _namespace(other)
            if again or _namespace(other) == _namespace(route):
                continue
            taken = [host for host in _hosts(other) or ["every host name"] if _takes(route, other, host, gateways)]
            if taken:
                yield Finding(
                    "gateway-hostname-owner",
                    f"route '{route['metadata'].get('name', '?')}' of {_namespace(route)}",
                    f"has no hostnames, so it answers for {', '.join(taken)} of {_namespace(other)} too: write the "
                    "host names that are its own",
                )


def _takes(
    route: Mapping[str, Any], other: Mapping[str, Any], host: str, gateways: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether a route without host names gets requests for a host of another: on a listener that both attach to."""
    for parent in _parents(route):
        for there in _parents(other):
            sections = {parent[3], there[3]} - {""}
            if parent[:3] != there[:3] or len(sections) > 1:
                continue
            known = [made for made in gateways if (_namespace(made), made["metadata"].get("name")) == parent[1:3]]
            listeners = [one for made in known for one in (made.get("spec") or {}).get("listeners") or ()]
            names = [one.get("hostname") for one in listeners if not sections or one.get("name") in sections]
            if not known or not _hosts(other) or any(intersects(name, host) for name in names):
                return True
    return False


def _parents(route: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Kind, namespace, name and listener of what a route attaches to."""
    return [
        (
            str(parent.get("kind") or "Gateway"),
            str(parent.get("namespace") or _namespace(route)),
            str(parent["name"]),
            str(parent.get("sectionName") or ""),
        )
        for parent in (route.get("spec") or {}).get("parentRefs") or ()
    ]


def _hosts(route: Mapping[str, Any]) -> list[str]:
    return [str(host) for host in (route.get("spec") or {}).get("hostnames") or ()]


def _namespace(manifest: Mapping[str, Any]) -> str:
    return str(manifest["metadata"].get("namespace") or "default")


def grant_problems(grant: Mapping[str, Any]) -> Iterator[Finding]:
    """A ReferenceGrant to more than one namespace and kind, or to every Secret there is."""
    metadata, spec = grant["metadata"], grant.get("spec") or {}
    item = f"ReferenceGrant {metadata.get('namespace') or 'default'}/{metadata.get('name', '?')}"
    for side in ("from", "to"):
        if side in spec and len(spec[side] or ()) != 1:
            yield Finding(
                "gateway-reference-grant",
                item,
                f"spec.{side} has {len(spec.get(side) or ())} entries: write one grant for each namespace and kind",
            )
    for target in spec.get("to") or ():
        if target.get("kind") == "Secret" and not target.get("name"):
            yield Finding(
                "gateway-reference-grant",
                item,
                "lets another namespace use every Secret of this one: write the name of the Secret",
            )


def nginx_problems(kind: str, manifest: Mapping[str, Any]) -> Iterator[Finding]:
    """ingress-nginx, retired in March 2026: an Ingress or IngressClass that needs it, or a Release of its chart."""
    if kind == "Release":
        chart = chart_name(str(manifest.get("chart") or ""))
        uses, item = chart == "ingress-nginx", f"Release of chart {chart}"
    elif kind == "IngressClass":
        uses = (manifest.get("spec") or {}).get("controller") == NGINX_CONTROLLER
        item = f"IngressClass {manifest['metadata'].get('name', '?')}"
    else:
        metadata = manifest["metadata"]
        annotations = metadata.get("annotations") or {}
        uses = (manifest.get("spec") or {}).get("ingressClassName") == "nginx" or any(
            str(key).startswith("nginx.ingress.kubernetes.io/") for key in annotations
        )
        item = f"Ingress {metadata.get('namespace') or 'default'}/{metadata.get('name', '?')}"
    if uses:
        yield Finding(
            "gateway-no-ingress-nginx",
            item,
            "needs ingress-nginx, which was retired in March 2026 and gets no security fixes: write an HTTPRoute; "
            "ingress2gateway translates most of it",
        )
