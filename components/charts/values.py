"""A chart's values that the stack file adds to the platform's own."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.core.finding import Finding

Values = dict[str, Any]


def merged(own: Mapping[str, Any], extra: Mapping[str, Any]) -> Values:
    """The platform's values over the stack file's, groups merged, sorted as the platform's are."""
    found = {**copy.deepcopy(dict(extra))}
    for key, value in own.items():
        below = found.get(key)
        found[key] = merged(value, below) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return dict(sorted(found.items()))


def put(values: Values, path: Sequence[str], value: Any) -> None:
    """Set the value at this path; groups that are missing are made."""
    *above, last = path
    for key in above:
        values = values.setdefault(key, {})
    values[last] = value


def taken_problems(rule: str, item: str, own: Mapping[str, Any], extra: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with the values that a stack file adds in `item`: the platform sets the key itself."""
    said = "is set by the platform, from fields of the stack file"
    return [Finding(rule, item, f"{key} {said}", "remove it") for key in taken(own, extra)]


def taken(own: Mapping[str, Any], extra: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Keys, dotted, that the stack file sets and the platform sets as well; sorted."""
    for key, value in sorted(extra.items()):
        if key not in own:
            continue
        if isinstance(value, Mapping) and value and isinstance(own[key], Mapping):
            yield from taken(own[key], value, f"{above}{key}.")
        else:
            yield f"{above}{key}"
