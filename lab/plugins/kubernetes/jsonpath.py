"""The part of kubectl's JSONPath that wait conditions use: keys, indexes, [*] and one-field filters."""

import re
from typing import Any

_STEP = re.compile(
    r"""\.(?P<key>[\w\-]+(?:\\\.[\w\-]+)*)
      | \[['"](?P<quoted>[^'"]+)['"]\]
      | \[(?P<index>-?\d+)\]
      | \[(?P<all>\*)\]
      | \[\?\(\s*@\.(?P<field>[\w\-.]+)\s*==\s*["'](?P<wanted>[^"']*)["']\s*\)\]""",
    re.VERBOSE,
)


def find(expression: str, document: Any) -> list[Any]:
    """All values that an expression such as `{.status.conditions[?(@.type=="Ready")].status}` names.

    Raises:
        ValueError: the expression has something else in it.
    """
    rest = expression.strip().removeprefix("{").removesuffix("}").strip().removeprefix("$")
    rest = rest if rest.startswith((".", "[")) else f".{rest}"
    values = [document]
    while rest:
        step = _STEP.match(rest)
        if step is None:
            raise ValueError(f"cannot read {rest!r} in the JSONPath {expression!r}")
        values = [found for value in values for found in _take(step, value)]
        rest = rest[step.end() :]
    return values


def _take(step: re.Match[str], value: Any) -> list[Any]:
    key = step["quoted"] or (step["key"] or "").replace("\\.", ".")
    if key:
        return [value[key]] if isinstance(value, dict) and key in value else []
    if not isinstance(value, list):
        return []
    if step["all"]:
        return value
    if step["index"]:
        index = int(step["index"])
        return [value[index]] if -len(value) <= index < len(value) else []
    return [item for item in value if [step["wanted"]] == [str(found) for found in find(step["field"], item)]]
