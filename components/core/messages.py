"""Turns pydantic's errors into findings for the author of a stack file: item, value, remedy."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from components.core.finding import Finding

_SAYS = {
    "missing": "is missing: add it",
    "extra_forbidden": "is not a setting here: correct its spelling or take it out",
    "int_type": "is not a whole number: write one, without quotes",
    "int_parsing": "is not a whole number: write one, without quotes",
    "bool_type": "is neither true nor false: write one of them, without quotes",
    "bool_parsing": "is neither true nor false: write one of them, without quotes",
    "string_type": "is not text: write it in quotes",
    "model_type": "is not a group of settings: write them below it, indented",
    "model_attributes_type": "is not a group of settings: write them below it, indented",
    "dict_type": "is not a group of settings: write them below it, indented",
    "invalid_key": "has a key that is not text: write it in quotes",
    "tuple_type": "is not a list: write one item a line, each after a '-'",
    "list_type": "is not a list: write one item a line, each after a '-'",
}
_RANGE = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_LENGTH = {
    "too_short": "min_length",
    "string_too_short": "min_length",
    "too_long": "max_length",
    "string_too_long": "max_length",
}


def in_full(found: Sequence[object], noun: str = "problem") -> tuple[str, str]:
    """The number in words, and all of them, each on its own line."""
    count = f"1 {noun}" if len(found) == 1 else f"{len(found)} {noun}s"
    return count, "".join(f"\n  {problem}" for problem in found)


def violations(error: ValidationError, data: Any) -> list[Finding]:
    """One line a problem, in the order of the file. `data` is what was validated."""
    details = error.errors(include_url=False)
    return [_violation(detail, data) for detail in details if not _follows(detail, details)]


def _follows(detail: Any, details: Sequence[Any]) -> bool:
    """A list is too short only because its items are wrong: the items are reported, the list is not."""
    place = detail["loc"]
    return detail["type"] in _LENGTH and any(
        other["loc"][: len(place)] == place for other in details if other != detail
    )


def _violation(detail: Any, data: Any) -> Finding:
    path, value, present = _locate(detail["loc"], data, detail["type"])
    item = _item(path, data)
    if detail["type"] == "union_tag_invalid":
        tag = str(detail["ctx"]["discriminator"]).strip("'")
        item, value = f"{item}.{tag}", detail["ctx"]["tag"]
    # An unknown key may be a secret in the wrong place: its value is never repeated.
    shown = "" if detail["type"] == "extra_forbidden" else _shown(value, present)
    return Finding("stack-file", item, shown + _message(detail))


def _locate(location: Sequence[int | str], data: Any, kind: str) -> tuple[list[int | str], Any, bool]:
    """The place in the file. pydantic also names the union member that it tried, which is not in the file."""
    path: list[int | str] = []
    value = data
    for index, step in enumerate(location):
        if _holds(value, step):
            value = value[step]
            path.append(step)
        elif kind == "missing" and index == len(location) - 1:
            return [*path, step], None, False
    return path, value, True


def _holds(value: Any, step: int | str) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list | tuple) and isinstance(step, int) and step < len(value)


def _item(path: Sequence[int | str], data: Any) -> str:
    """`nodes[osl-2].hostKey`: list items by their name where they have one."""
    text = ""
    value = data
    for step in path:
        if isinstance(step, int):
            value = value[step]
            name = value.get("name") if isinstance(value, Mapping) else None
            text += f"[{name if isinstance(name, str) else step + 1}]"
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
            text += f".{step}" if text else str(step)
    return text or "the stack file"


def _shown(value: Any, present: bool) -> str:
    """The value, if it is short and cannot be a key or a password that was pasted in the wrong place."""
    if not present or isinstance(value, Mapping | list | tuple) or value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{text!r} " if len(text) <= 40 and "\n" not in text and "PRIVATE" not in text else ""


def _message(detail: Any) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _SAYS:
        return _SAYS[kind]
    if kind == "value_error":
        return f"is refused: {context['error']}"
    if kind in ("literal_error", "union_tag_invalid"):
        choices = context.get("expected") or context["expected_tags"]
        return f"is not one of the choices: write {choices}"
    if kind == "union_tag_not_found":
        return f"has no {context['discriminator']}: add it, it says which kind of thing this is"
    if kind in _RANGE:
        name, words = _RANGE[kind]
        return f"is out of range: write {words} {context[name]}"
    if kind in _LENGTH:
        limit = context[_LENGTH[kind]]
        return f"has the wrong length: {'at most' if kind.endswith('too_long') else 'at least'} {limit} wanted"
    if kind == "string_pattern_mismatch":
        return f"has the wrong form: it must match {context['pattern']}"
    return f"is refused: {str(detail['msg'])[:1].lower()}{str(detail['msg'])[1:]}"
