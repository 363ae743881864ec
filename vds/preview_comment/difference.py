"""What differs between a resource's inputs before and after, as lines of a diff. Pure; its input is masked already."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from vds.preview_comment.events import Change
from vds.preview_comment.masking import SECRET

_CONTEXT_LINES = 2
_LONGEST_VALUE = 300
"""Characters of one value on one line; a longer value is cut, with a note."""

_PLAIN_KEY = re.compile(r"^[A-Za-z_$][\w$-]*$")

_ORDER = "the order of a list"
"""Instead of a path, if named items only change their order."""

NOISE: dict[str, re.Pattern[str]] = {
    "an SDK's version": re.compile(r"^(version|pluginDownloadURL|__internal\b.*)$"),
    "Helm's own labels": re.compile(r"\.(labels|annotations)\[?\"?\.?helm\.sh/chart\b"),
    "Pulumi's own annotations": re.compile(r"\.annotations\[\"pulumi\.com/(?!patchForce|deletionPropagationPolicy)"),
    "who manages a field": re.compile(r"\bmanagedFields\b"),
}
"""What changes without effect on anything that runs → the paths of it. Of `version` only a provider's is noise."""


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every path with a plain value under it; an empty list or group is a value."""
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            step = f".{key}" if _PLAIN_KEY.match(key) else f"[{json.dumps(key)}]"
            yield from leaves(value[key], f"{path}{step}" if path else step.removeprefix("."))
    elif isinstance(value, list) and value:
        # By name where items have one: an item that is put in front does not change all that follow.
        names = [str(item.get("name") or "") if isinstance(item, Mapping) else "" for item in value]
        names = names if all(names) and len(set(names)) == len(names) else []
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{names[index] if names else index}]")
    else:
        yield path, value


def changed_paths(change: Change) -> tuple[str, ...]:
    """Paths whose values differ, and those of hidden values that do."""
    old, new = dict(leaves(change.old)), dict(leaves(change.new))
    there = [path for path in sorted({*old, *new}) if path and old.get(path, ...) != new.get(path, ...)]
    if change.op == "create":
        return tuple(there)
    if not there and not change.secrets and change.old != change.new:
        return (_ORDER,)
    return (*there, *(path for path in change.secrets if not any(_within(other, path) for other in there)))


def noise(change: Change) -> str:
    """Why this update or creation has no effect; empty if it has one."""
    paths = changed_paths(change)
    if change.op == "update":
        if not paths:
            return "no input that differs"
        reasons = [_noise_of(path, change.kind) for path in paths]
        return reasons[0] if all(reasons) else ""
    if change.op == "create" and change.kind.startswith("pulumi:"):
        return "Pulumi's own bookkeeping"
    return ""


def _noise_of(path: str, kind: str) -> str:
    for reason, pattern in NOISE.items():
        if pattern.search(path) and (not pattern.match("version") or kind.startswith("pulumi:providers:")):
            return reason
    return ""


def diff_lines(change: Change) -> tuple[str, ...]:
    """A unified diff without headers: `-` as it is, `+` as it will be."""
    old, new = dict(leaves(change.old)), dict(leaves(change.new))
    # A value that is hidden on one side is hidden on the other: it may have been plain before it was marked.
    hidden = [path for path, value in (*old.items(), *new.items()) if value == SECRET and change.op != "create"]
    lines: list[str] = []
    for path in changed_paths(change):
        before, after = old.get(path), new.get(path)
        if path == _ORDER:
            lines.append(f"! {path} changes")
        elif path not in old and path not in new:
            lines.append(f"! {path}: changes, and is hidden")
        elif within := next((secret for secret in hidden if _within(path, secret)), None):
            lines.append(f"! {within}: changes, and is hidden")
        elif isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
            lines += _text_lines(path, before, after)
        else:
            lines += [f"- {path}: {_shown(before)}"] if path in old else []
            lines += [f"+ {path}: {_shown(after)}"] if path in new else []
    return tuple(dict.fromkeys(lines)) if hidden else tuple(lines)


def _within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith((f"{prefix}.", f"{prefix}["))


def _text_lines(path: str, before: str, after: str) -> Iterator[str]:
    yield f"@@ {path} @@"
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=_CONTEXT_LINES)
    for line in list(found)[2:]:
        yield _cut(line)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) and "\n" not in value else json.dumps(value, ensure_ascii=False)
    return _cut(text)


def _cut(text: str) -> str:
    cut = len(text) - _LONGEST_VALUE
    return text if cut <= 0 else f"{text[:_LONGEST_VALUE]}… ({cut} characters more)"
