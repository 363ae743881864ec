"""A route whose canary has steps, as the HTTPRoute itself says it. Pure.

What an agency wrote is not trusted: it is read with the schema of the stack file and within limits.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from components.core import labels
from components.core.manifests import Manifest
from components.core.untrusted import json_value
from components.gateway.canary.model import Plan

_LONGEST = 2000
"""Characters of the plan. A plan with every field has about 300."""
_STEPS = re.compile(r"[0-9]{1,3}(,[0-9]{1,3}){0,19}")


class RouteError(Exception):
    """The HTTPRoute is none whose canary has steps, or has changed; the text says what differs, and what to do."""


class CanaryRoute(NamedTuple):
    """An HTTPRoute with a stable version, a canary, and the canary's steps."""

    namespace: str
    name: str
    stable: str
    """The Service of the stable version."""
    canary: str
    """The Service of the new version."""
    ports: Mapping[str, int]
    """By Service, the port of it that the route names."""
    gateway_namespace: str
    gateway: str
    plan: Plan
    uid: str
    """Of the HTTPRoute; empty in a manifest."""

    @property
    def item(self) -> str:
        """What messages call it."""
        return f"route '{self.name}' in {self.namespace}"


def annotations(service: str, plan: Plan) -> dict[str, str]:
    """What a route says of its canary. Admission policies read the steps; only `vds canary` reads the rest."""
    fields = set(Plan.model_fields) - {"steps"}
    rest = plan.model_dump(mode="json", by_alias=True, include=fields, exclude_none=True)
    return {
        labels.CANARY: service,
        labels.CANARY_STEPS: ",".join(map(str, plan.steps)),
        labels.CANARY_PLAN: json.dumps(rest, sort_keys=True),
    }


def canary_route(item: Manifest) -> CanaryRoute:
    """The route. Raises RouteError if its canary has no steps, or if it is not as Pulumi writes such a route."""
    namespace, name = str(item["metadata"].get("namespace")), str(item["metadata"].get("name"))
    said = f"route '{name}' in {namespace}"
    written = item["metadata"].get("annotations") or {}
    if labels.CANARY_STEPS not in written:
        raise RouteError(f"{said}: its canary has no steps: write canary.steps and run `pulumi up`")
    stable, canary = _services(item, str(written.get(labels.CANARY)), said)
    gateway_namespace, gateway = _gateway(item, namespace, said)
    plan = _plan(str(written[labels.CANARY_STEPS]), str(written.get(labels.CANARY_PLAN, "")), said)
    uid = str(item["metadata"].get("uid") or "")
    ports = {str(one.get("name")): int(one.get("port") or 0) for one in backends(item)}
    return CanaryRoute(namespace, name, stable, canary, ports, gateway_namespace, gateway, plan, uid)


def backends(item: Manifest) -> list[dict[str, Any]]:
    """The backends of the only rule; empty if there are several rules, or none."""
    rules = (item.get("spec") or {}).get("rules") or []
    return list(rules[0].get("backendRefs") or []) if len(rules) == 1 else []


def _services(item: Manifest, canary: str, said: str) -> tuple[str, str]:
    found = [str(one.get("name")) for one in backends(item)]
    if len(found) != 2 or found[1] != canary or found[0] == canary:
        raise RouteError(
            f"{said}: has the backends {', '.join(found) or 'none'}, and not a stable version with the canary {canary} "
            "after it: run `pulumi up`"
        )
    return found[0], found[1]


def _gateway(item: Manifest, namespace: str, said: str) -> tuple[str, str]:
    parents = (item.get("spec") or {}).get("parentRefs") or []
    found = {
        (str(one.get("namespace") or namespace), str(one.get("name")))
        for one in parents
        if one.get("kind", "Gateway") == "Gateway"
    }
    if len(found) != 1 or any(one.get("kind", "Gateway") != "Gateway" for one in parents):
        raise RouteError(f"{said}: spec.parentRefs has not exactly one Gateway: attach it to one Gateway")
    return found.pop()


def _plan(steps: str, rest: str, said: str) -> Plan:
    try:
        if not _STEPS.fullmatch(steps):
            raise ValueError
        known = json_value(rest, most=_LONGEST)
        if not isinstance(known, dict):
            raise TypeError
        data = {**known, "steps": [int(one) for one in steps.split(",")]}
        return Plan.model_validate(data, by_alias=True, by_name=False)
    except (TypeError, ValueError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "not as `pulumi up` writes it"
        raise RouteError(
            f"{said}: its annotations {labels.CANARY_STEPS} and {labels.CANARY_PLAN} can't be read ({reason}): "
            "correct canary and run `pulumi up`"
        ) from None
