"""The state that a stack would have as the base describes it, from the engine's own plan of creating it. Pure.

A preview compares with this state and not with production's: it needs neither the backend nor the passphrase. The plan
is what `pulumi preview --save-plan --show-secrets` writes on an empty state (seen with 3.274).
"""

import json
from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import Any

from components.core.untrusted import json_value
from vds.preview_comment.masking import UNKNOWN

_UNKNOWN_ID = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # sdk/go/common/resource/plugin/rpc.go
_ID = "preview"
_ABSENT = object()


def deployment(plan: Mapping[str, Any], salt: str) -> dict[str, Any]:
    """What `pulumi stack import` takes. `salt` is of the passphrase that the throw-away stack has.

    An input that a preview does not know has the comment's word for it, on both sides of the comparison. An output that
    it does not know is left out: the engine treats it as unknown again. Raises KeyError and TypeError for another form.
    """
    plans = plan["resourcePlans"]
    known = {urn: _resource(urn, entry) for urn, entry in plans.items()}
    order = TopologicalSorter({urn: _above(entry["goal"], known) for urn, entry in plans.items()}).static_order()
    provider = {"type": "passphrase", "state": {"salt": salt}}
    manifest = {"time": "2000-01-01T00:00:00Z", "magic": "", "version": ""}
    resources = [known[urn] for urn in order]
    return {"version": 3, "deployment": {"manifest": manifest, "secrets_providers": provider, "resources": resources}}


def described_inputs(plan: Mapping[str, Any], urn: str) -> dict[str, Any]:
    """A resource's inputs in the plan, with a word for each that a preview does not know; empty if it is not there."""
    entry = plan["resourcePlans"].get(urn)
    adds = entry["goal"]["inputDiff"].get("adds") if entry else None
    found: dict[str, Any] = _plain(adds or {}, UNKNOWN)
    return found


def _resource(urn: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    goal = entry["goal"]
    inputs = _plain(goal["inputDiff"].get("adds") or {}, UNKNOWN)
    outputs = _plain(entry.get("state") or {}, _ABSENT)
    if goal["type"].startswith("kubernetes:"):
        outputs.setdefault("__inputs", inputs)  # the provider compares with what was given
    made = {key: goal[key] for key in _KEPT if goal.get(key)}
    if goal["custom"]:
        made["id"] = _identity(goal["type"], inputs)
    if goal.get("provider"):
        made["provider"] = goal["provider"].replace(_UNKNOWN_ID, _ID)
    return {"urn": urn, "custom": goal["custom"], "inputs": inputs, "outputs": outputs, **made}


_KEPT = ("type", "parent", "protect", "dependencies", "propertyDependencies", "additionalSecretOutputs")


def _above(goal: Mapping[str, Any], known: Mapping[str, Any]) -> set[str]:
    """What must be in the state before it."""
    provider = (goal.get("provider") or "").rpartition("::")[0]
    of_properties = [urn for urns in (goal.get("propertyDependencies") or {}).values() for urn in urns]
    return {goal.get("parent"), provider, *(goal.get("dependencies") or ()), *of_properties} & known.keys()


def _identity(kind: str, inputs: Mapping[str, Any]) -> str:
    meta = inputs.get("metadata") or inputs
    if kind.startswith("kubernetes:") and isinstance(meta, Mapping) and meta.get("name"):
        return "/".join(str(part) for part in (meta.get("namespace"), meta["name"]) if part)
    return _ID


def _plain(value: Any, unknown: Any) -> Any:
    """The value with `unknown` for what the preview does not know; a part of a group that is _ABSENT is left out."""
    if value == _UNKNOWN_ID:
        return unknown
    if isinstance(value, Mapping):
        if "plaintext" in value:  # a secret of this preview: a word that stands for one
            inner = _plain(json_value(value["plaintext"]), unknown)
            return inner if inner is _ABSENT else {**value, "plaintext": json.dumps(inner)}
        parts = {key: _plain(part, unknown) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part is not _ABSENT}
    if isinstance(value, list):
        parts_of = [_plain(part, unknown) for part in value]
        return _ABSENT if any(part is _ABSENT for part in parts_of) else parts_of
    return value
