"""When an object is ready: what the program or the kind says, as reasons why it isn't yet."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from lab.plugins.kubernetes.jsonpath import find
from lab.plugins.resource_server import ResourceError

Manifest = Mapping[str, Any]

WAIT_FOR = "pulumi.com/waitFor"
SKIP_AWAIT = "pulumi.com/skipAwait"


def annotations(manifest: Manifest) -> Mapping[str, Any]:
    return (manifest.get("metadata") or {}).get("annotations") or {}


def pending(inputs: Manifest, live: Manifest) -> str | None:
    """Why the live object isn't ready yet, or None when it is.

    `pulumi.com/skipAwait` and `pulumi.com/waitFor` in the inputs come before what is usual for the kind.
    """
    if str(annotations(inputs).get(SKIP_AWAIT, "")).lower() == "true":
        return None
    if wait_for := annotations(inputs).get(WAIT_FOR):
        reasons = [reason for wanted in _conditions(str(wait_for)) if (reason := _unmet(wanted, live))]
        return "; ".join(reasons) or None
    usual = _USUAL.get((_group(live), str(live.get("kind"))))
    return usual(live) if usual else None


def _conditions(text: str) -> list[str]:
    if not text.lstrip().startswith("["):
        return [text]
    try:
        return [str(item) for item in json.loads(text)]
    except ValueError:
        raise ResourceError(f"annotation {WAIT_FOR}: {text!r} is not a JSON array of strings") from None


def _unmet(wanted: str, live: Manifest) -> str | None:
    how, _, what = wanted.partition("=")
    if how == "condition":
        name, _, status = what.partition("=")
        return _condition(live, name, status or "True")
    if how == "jsonpath":
        expression, end, value = what.partition("}")
        value = value.removeprefix("=")
        try:
            found = [_text(item) for item in find(expression + end, live)]
        except ValueError as error:
            raise ResourceError(f"annotation {WAIT_FOR}: {error}") from None
        if value in found or (not value and found):
            return None
        return f"{expression + end} is {', '.join(found) or 'not there'}" + (f", not {value}" if value else "")
    raise ResourceError(
        f"annotation {WAIT_FOR}: {wanted!r}: write condition=<type>[=<status>] or jsonpath={{<path>}}[=<value>]"
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _condition(live: Manifest, name: str, status: str = "True") -> str | None:
    for condition in _status(live).get("conditions") or []:
        if str(condition.get("type")).lower() == name.lower():
            if str(condition.get("status")).lower() == status.lower():
                return None
            why = condition.get("message") or condition.get("reason") or ""
            return f"condition {name} is {condition.get('status')}" + (f": {why}" if why else "")
    return f"condition {name} is not reported yet"


def _status(live: Manifest) -> Mapping[str, Any]:
    return live.get("status") or {}


def _spec(live: Manifest) -> Mapping[str, Any]:
    return live.get("spec") or {}


def _group(live: Manifest) -> str:
    group, slash, _ = str(live.get("apiVersion")).partition("/")
    return group if slash else ""


def _observed(live: Manifest) -> str | None:
    generation = (live.get("metadata") or {}).get("generation", 0)
    if _status(live).get("observedGeneration", 0) < generation:
        return "its controller has not seen the change yet"
    return None


def _replicas(live: Manifest, wanted: int, *fields: str) -> str | None:
    if reason := _observed(live):
        return reason
    counts = {field: _status(live).get(field) or 0 for field in fields}
    short = [f"{field} {count} of {wanted}" for field, count in counts.items() if count < wanted]
    return ", ".join(short) or None


def _deployment(live: Manifest) -> str | None:
    wanted = _spec(live).get("replicas", 1)
    return _replicas(live, wanted, "updatedReplicas", "readyReplicas", "availableReplicas")


def _stateful_set(live: Manifest) -> str | None:
    return _replicas(live, _spec(live).get("replicas", 1), "updatedReplicas", "readyReplicas")


def _daemon_set(live: Manifest) -> str | None:
    wanted = _status(live).get("desiredNumberScheduled") or 0
    return _replicas(live, wanted, "updatedNumberScheduled", "numberReady")


def _pod(live: Manifest) -> str | None:
    return None if _status(live).get("phase") == "Succeeded" else _condition(live, "Ready")


def _job(live: Manifest) -> str | None:
    return _condition(live, "Complete")


def _quota(live: Manifest) -> str | None:
    same = _status(live).get("hard") == _spec(live).get("hard")
    return None if same else "the quota controller has not set status.hard yet"


def _service(live: Manifest) -> str | None:
    if _spec(live).get("type") != "LoadBalancer":
        return None
    ingress = (_status(live).get("loadBalancer") or {}).get("ingress")
    return None if ingress else "no load balancer gave it an address yet"


def _definition(live: Manifest) -> str | None:
    return _condition(live, "Established")


# What the official provider waits for, by group and kind. It also waits for Ingresses, volume claims and
# the endpoints of other Services: whether those ever come, the object alone does not say.
_USUAL: dict[tuple[str, str], Callable[[Manifest], str | None]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "ResourceQuota"): _quota,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}
