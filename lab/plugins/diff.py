"""Paths of properties that differ between two sets of inputs, for the engine's detailed diff."""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

Path = tuple[str | int, ...]


class Change(Enum):
    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


_PLAIN_KEY = re.compile(r"^[A-Za-z_$][\w$]*$")


def changes(old: Any, new: Any) -> dict[Path, Change]:
    """Every path at which the two differ; an unknown differs from everything."""
    return dict(_changes((), old, new))


def _changes(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Change]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _at((*path, key), old.get(key), new.get(key), key in old, key in new)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            in_old, in_new = index < len(old), index < len(new)
            before, after = old[index] if in_old else None, new[index] if in_new else None
            yield from _at((*path, index), before, after, in_old, in_new)
    elif old != new:
        yield path, Change.UPDATE


def _at(path: Path, old: Any, new: Any, in_old: bool, in_new: bool) -> Iterator[tuple[Path, Change]]:
    if in_old and in_new:
        yield from _changes(path, old, new)
    else:
        yield path, Change.ADD if in_new else Change.DELETE


def text(path: Path) -> str:
    """The path as the engine writes it: `spec.ports[0].port`, `metadata.labels["app.kubernetes.io/name"]`."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        elif _PLAIN_KEY.match(step):
            written += f".{step}" if written else step
        else:
            quoted = step.replace("\\", "\\\\").replace('"', '\\"')
            written += f'["{quoted}"]'
    return written
