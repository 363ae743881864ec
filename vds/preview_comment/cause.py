"""Why resources are replaced or deleted: the few that something changed in, and what follows from each.

A replaced provider replaces whatever it made, and a reviewer who gets 400 rows of that reads none. Pure.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vds.preview_comment.events import Change
from vds.preview_comment.masking import UNKNOWN

Dependencies = Mapping[str, Sequence[str]]
"""URN → URNs of what it was made from, as the state has it; events don't say."""


@dataclass(frozen=True)
class Cause:
    """One change that replaces or deletes, and everything that goes with it."""

    root: Change
    because: str
    followers: tuple[Change, ...] = ()

    @property
    def size(self) -> int:
        return 1 + len(self.followers)


def causes(changes: Sequence[Change], dependencies: Dependencies | None = None) -> tuple[Cause, ...]:
    """What is replaced or deleted, grouped by its cause; the largest group first."""
    lost = {change.urn: change for change in changes if change.op in ("replace", "delete")}
    blamed = {urn: _blamed(change, lost, dependencies or {}) for urn, change in lost.items()}
    followers: dict[str, list[Change]] = {}
    for urn, change in lost.items():
        root = _root(urn, blamed)
        followers.setdefault(root, [])
        if root != urn:
            followers[root].append(change)
    found = [Cause(lost[root], _because(lost[root]), tuple(rest)) for root, rest in followers.items()]
    return tuple(sorted(found, key=lambda cause: (-cause.size, cause.root.urn)))


def _root(urn: str, blamed: Mapping[str, str]) -> str:
    seen = [urn]
    while (following := blamed[seen[-1]]) and following not in seen:
        seen.append(following)
    # A cycle has no cause: the same name for it, in whichever order it was read.
    return min(seen[seen.index(following) :]) if following else seen[-1]


def _blamed(change: Change, lost: Mapping[str, Change], dependencies: Dependencies) -> str:
    """The resource whose end is the reason for this one's; empty if the reason is its own."""
    if change.op == "delete":
        above = [change.parent, change.provider]
        return next((urn for urn in above if urn in lost and lost[urn].op == "delete"), "")
    if "provider" in change.keys and change.provider in lost:
        return change.provider
    own = [key for key in change.keys if key != "provider" and not _unknown(change, key)]
    if own:
        return ""
    return _made_from(change, lost, dependencies)


def _made_from(change: Change, lost: Mapping[str, Change], dependencies: Dependencies) -> str:
    named = [urn for urn in dependencies.get(change.urn, ()) if urn in lost and urn != change.urn]
    if named:
        return named[0]
    text = json.dumps([change.old.get(key) for key in change.keys] or change.old)
    by_id = [
        urn
        for urn, other in sorted(lost.items())
        if urn != change.urn and other.old_id and json.dumps(other.old_id) in text
    ]
    if by_id:
        return by_id[0]
    parent = lost.get(change.parent)
    return change.parent if parent and parent.op == "replace" else ""


def _unknown(change: Change, key: str) -> bool:
    return UNKNOWN in json.dumps(change.new.get(_top(key), ""), ensure_ascii=False)


def _because(root: Change) -> str:
    if root.op == "delete":
        return "it is no longer in the program"
    own = [key for key in root.keys if key != "provider"]
    if not own:
        provider = "another provider serves it" if "provider" in root.keys else ""
        return (
            provider or "the engine names no property: it depends on a replaced resource, or was marked for replacement"
        )
    return "; ".join(_step(root, key) for key in own)


def _step(change: Change, key: str) -> str:
    """One property before and after, where both are short words."""
    old, new = change.old.get(_top(key)), change.new.get(_top(key))
    if _top(key) == key and all(isinstance(side, str | int) and len(str(side)) <= 60 for side in (old, new)):
        return f"{key}: {old} → {new}" if old != new else f"{key} changes"
    return f"{key} changes"


def _top(key: str) -> str:
    return key.replace("[", ".").split(".")[0]
