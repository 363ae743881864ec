"""What a change does to who reaches whom: pods of the stack, and those that its network policies select. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.core.manifests import Manifest, kind_of
from components.core.network_policies import grammar_of
from components.core.unknown import UNKNOWN as NOT_KNOWN
from components.reach.model import Answer, State
from components.reach.questions import differences
from components.reach.read import read
from components.reach.render import difference_text
from policies.releases import RELEASE_TYPE
from vds.preview_comment.events import Change
from vds.preview_comment.masking import SECRET, UNKNOWN
from vds.reach.inputs import of_resources

_SELECTORS = {"NetworkPolicy": "podSelector", "CiliumNetworkPolicy": "endpointSelector"}
_MOST_PAIRS = 50_000
"""Comparing them takes half a minute."""


def of_changes(changes: Sequence[Change]) -> tuple[str, ...]:
    """A sentence for each pair of pods of which one reaches the other after the change and not before."""
    if not any(change.op != "same" and _matters(change) for change in changes):
        return ()
    sides = [_objects(changes, side) for side in ("old", "new")]
    try:
        everything = [item for objects, _ in sides for item in objects]
        before, after = (_state(objects, gaps, everything) for objects, gaps in sides)
    except ValueError as error:
        return (f"who reaches whom is not compared: {error}",)
    touched = _touched(*(objects for objects, _ in sides))
    names = {*before.workloads, *after.workloads}
    own = [name for name in names if touched is None or name.partition("/")[0] in touched]
    if 2 * len(own) * len(names) > _MOST_PAIRS:
        return (f"who reaches whom is not compared: {len(own)} kinds of pods change, run vds reach --before",)
    found = differences(before, after, frozenset(own))
    return tuple(difference_text(one) for one in found if one.after.answer is not Answer.NO)


def _matters(change: Change) -> bool:
    kind = kind_of(change.kind)
    if kind is None or change.kind == RELEASE_TYPE:
        return change.kind == RELEASE_TYPE
    return kind.name in ("Namespace", "Pod", "Tier") or any(
        _is_policy(body) or "template" in (body.get("spec") or {}) for body in (change.old, change.new)
    )


def _is_policy(body: Mapping[str, Any]) -> bool:
    return bool(grammar_of(str(body.get("kind")), body.get("apiVersion")))


def _objects(changes: Sequence[Change], side: str) -> tuple[list[Manifest], Mapping[str, str]]:
    there = (one for one in changes if (one.op != "create" if side == "old" else one.op != "delete"))
    bodies = ((one, one.old if side == "old" else one.new or one.old) for one in there)
    given = of_resources((one.kind, one.name, _sealed(body)) for one, body in bodies)
    return list(given.manifests), given.gaps


def _sealed(value: Any) -> Any:
    """The value, with what is hidden or not known yet as no text: no selector may take it for a label."""
    if isinstance(value, str):
        return NOT_KNOWN if SECRET in value or UNKNOWN in value else value
    if isinstance(value, Mapping):
        return {key: _sealed(inner) for key, inner in value.items()}
    return [_sealed(inner) for inner in value] if isinstance(value, list) else value


def state_of(changes: Sequence[Change], side: str) -> State:
    """Who is there, and which policies, before (`old`) or after (`new`) the change. Raises ValueError."""
    objects, gaps = _objects(changes, side)
    return _state(objects, gaps, objects)


def _state(objects: Sequence[Manifest], gaps: Mapping[str, str], selecting: Sequence[Manifest]) -> State:
    there = read(objects, gaps=gaps)
    filled = {name.partition("/")[0] for name in there.workloads}
    return read([*objects, *_selected(objects, filled, selecting)], gaps=gaps)


def _selected(objects: Sequence[Manifest], filled: set[str], selecting: Sequence[Manifest]) -> Iterator[Manifest]:
    """A pod for each set of labels that policies of a namespace without workloads select: its pods come later.

    `selecting`: objects before and after the change, so that a new policy does not show the same pods as new ones.
    """
    empty = {item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"} - filled
    labels: dict[str, dict[str, Mapping[str, str]]] = {str(name): {"other": {}} for name in empty}
    for item in selecting:
        namespace = str((item.get("metadata") or {}).get("namespace"))
        if item["kind"] in _SELECTORS and namespace in labels:
            wanted = ((item.get("spec") or {}).get(_SELECTORS[item["kind"]]) or {}).get("matchLabels") or {}
            if wanted and all(isinstance(value, str) for value in wanted.values()):
                names = (key.rpartition("/")[2] if value == "true" else value for key, value in wanted.items())
                labels[namespace].setdefault("+".join(names), wanted)
    for namespace, found in sorted(labels.items()):
        for name, one in sorted(found.items()):
            meta = {"name": name, "namespace": namespace, "labels": dict(one)}
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": []}}


def _touched(before: Sequence[Manifest], after: Sequence[Manifest]) -> set[str] | None:
    """Namespaces with an object that differs; None if one of the whole cluster does."""
    old, new = ({json.dumps(item, sort_keys=True, default=str) for item in objects} for objects in (before, after))
    found: set[str] = set()
    for item in (*before, *after):
        written = json.dumps(item, sort_keys=True, default=str)
        if written in old and written in new:
            continue
        metadata = item.get("metadata") or {}
        namespace = metadata.get("name") if item["kind"] == "Namespace" else metadata.get("namespace")
        if isinstance(namespace, str):
            found.add(namespace)
        elif _is_policy(item) or item["kind"] == "Tier":
            return None
    return found
