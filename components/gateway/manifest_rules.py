"""What gateways, routes and grants may not be, whoever wrote them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from components import labels
from components.base import Violation
from components.dated import Dated
from components.gateway.rules import canary_problems, plain_text_problem

ENCRYPTED = ("HTTPS", "TLS")
NGINX_CONTROLLER = "k8s.io/ingress-nginx"


def tls_problems(gateway: Mapping[str, Any], today: str) -> Iterator[Violation]:
    """Listeners of a Gateway or ListenerSet that take plain text, without an exception on it that still holds."""
    metadata = gateway["metadata"]
    exceptions = _exceptions((metadata.get("annotations") or {}).get(labels.PLAIN_TEXT))
    for listener in (gateway.get("spec") or {}).get("listeners") or ():
        if "protocol" not in listener or listener["protocol"] in ENCRYPTED:
            continue  # without one it is a patch of somebody else's listener: the CRD demands it
        name = f"{metadata.get('namespace') or 'default'}/{metadata.get('name', '?')}"
        item = f"{gateway.get('kind', 'Gateway')} {name}, {listener['name']}"
        remedy = (
            f"write protocol: HTTPS, or the annotation {labels.PLAIN_TEXT} with "
            f'{{"{listener["name"]}": {{"until", "reason"}}}}: a day'
        )
        try:
            exception = Dated.model_validate(exceptions[listener["name"]])
        except (KeyError, ValidationError):
            yield plain_text_problem(item, remedy)
            continue
        if exception.until < today:
            yield plain_text_problem(item, f"its exception ended on {exception.until}; {remedy}")


def _exceptions(annotation: Any) -> dict[str, Any]:
    """By listener; what cannot be read excuses nothing."""
    try:
        said = json.loads(str(annotation or "{}"))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def ceiling_problems(route: Mapping[str, Any], ceiling: int) -> Iterator[Violation]:
    """Canaries above the ceiling: the backends that the route's annotation names, or that are called canary."""
    metadata = route["metadata"]
    named = (metadata.get("annotations") or {}).get(labels.CANARY)
    item = f"{route['kind']} {metadata.get('namespace') or 'default'}/{metadata.get('name', '?')}"
    for rule in (route.get("spec") or {}).get("rules") or ():
        weights = [(str(ref["name"]), int(ref.get("weight", 1))) for ref in rule.get("backendRefs") or ()]
        canary = sum(weight for name, weight in weights[1:] if name == named or "canary" in name)
        yield from canary_problems(item, canary, sum(weight for _, weight in weights), ceiling)


def grant_problems(grant: Mapping[str, Any]) -> Iterator[Violation]:
    """A ReferenceGrant to more than one namespace and kind, or to every Secret there is."""
    metadata, spec = grant["metadata"], grant.get("spec") or {}
    item = f"ReferenceGrant {metadata.get('namespace') or 'default'}/{metadata.get('name', '?')}"
    for side in ("from", "to"):
        if side in spec and len(spec[side] or ()) != 1:
            yield Violation(
                "gateway-reference-grant",
                item,
                f"spec.{side} has {len(spec.get(side) or ())} entries: write one grant for each namespace and kind",
            )
    for target in spec.get("to") or ():
        if target.get("kind") == "Secret" and not target.get("name"):
            yield Violation(
                "gateway-reference-grant",
                item,
                "lets another namespace use every Secret of this one: write the name of the Secret",
            )


def nginx_problems(kind: str, manifest: Mapping[str, Any]) -> Iterator[Violation]:
    """ingress-nginx, retired in March 2026: an Ingress or IngressClass that needs it, or a Release of its chart."""
    if kind == "Release":
        chart = str(manifest.get("chart") or "").rstrip("/").rpartition("/")[2]
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
        yield Violation(
            "gateway-no-ingress-nginx",
            item,
            "needs ingress-nginx, which was retired in March 2026 and gets no security fixes: write an HTTPRoute; "
            "ingress2gateway translates most of it",
        )
