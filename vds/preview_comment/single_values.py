"""Every value of a resource's inputs with its path. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_PLAIN_KEY = re.compile(r"[A-Za-z_$][\w$-]*")
_PLAIN_NAME = re.compile(r"[\w./:-]+")


def single_values(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every path with a plain value under it; an empty list or group is a value."""
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            step = f".{key}" if _PLAIN_KEY.fullmatch(key) else f"[{json.dumps(key)}]"
            yield from single_values(value[key], f"{path}{step}" if path else step.removeprefix("."))
    elif isinstance(value, list) and value:
        # By name where items have one: an item that is put in front does not change all that follow.
        names = [str(item.get("name") or "") if isinstance(item, Mapping) else "" for item in value]
        names = names if all(names) and len(set(names)) == len(names) else []
        for index, item in enumerate(value):
            yield from single_values(item, f"{path}[{_step(names[index]) if names else index}]")
    else:
        yield path, value


def _step(name: str) -> str:
    """A name that can't be taken for another path."""
    return name if _PLAIN_NAME.fullmatch(name) else json.dumps(name)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to a program that is not Python, where `true` is 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def within(path: str, prefix: str) -> bool:
    """Whether a path is the other one or below it."""
    return path == prefix or path.startswith((f"{prefix}.", f"{prefix}["))
