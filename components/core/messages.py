"""Turns pydantic's errors into findings for the author of a stack file: item, value, remedy."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from components.core.finding import Finding
from components.core.settings_schema import Schema, properties_at, schemas_at
from components.core.types import SCAN, RefusedError

RULE = "stack-file"
ROOT_ITEM = "the stack file"
Path = tuple[int | str, ...]
Written = Callable[[Path], str | None]
"""A scalar as the file has it, where a file is known: `1.30`, which is the number 1.3."""
Place = Callable[[Path], tuple[str, int] | None]
"""File and line of a value, where a file is known; of what is missing, those of the group that it belongs in."""

_GROUP = frozenset({"model_type", "model_attributes_type", "dict_type"})
_LIST = frozenset({"tuple_type", "list_type"})
_LENGTH = {
    "too_short": "min_length",
    "string_too_short": "min_length",
    "too_long": "max_length",
    "string_too_long": "max_length",
}
_SAYS = {
    "int_type": ("is not a whole number", "write one, without quotes"),
    "float_type": ("is not a number", "write one, without quotes"),
    "bool_type": ("is neither true nor false", "write one of them, without quotes"),
    "string_type": ("is not text", "write it in quotes"),
    "invalid_key": ("has a key that is not text", "write it in quotes"),
}
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_DURATION = re.compile(r"([0-9]+) ?(s|m|min|h)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}


def in_full(found: Sequence[object], noun: str = "problem") -> tuple[str, str]:
    """The number in words, and all of them, each on its own line."""
    count = f"1 {noun}" if len(found) == 1 else f"{len(found)} {noun}s"
    return count, "".join(f"\n  {problem}" for problem in found)


def did_you_mean(word: str, choices: Sequence[str]) -> str:
    """The nearest choice, as a question; empty where none is near."""
    by_lower = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[near[0]]}?" if near else ""


def item_at(path: Sequence[int | str], data: Any) -> str:
    """`nodes[osl-2].hostKey`: list items by their name where they have a short one."""
    text = ""
    value = data
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list | tuple) and step < len(value) else None
            name = value.get("name") if isinstance(value, Mapping) else None
            named = isinstance(name, str) and 0 < len(name) <= 63 and name.isprintable() and "PRIVATE" not in name
            text += f"[{name if named else step + 1}]"
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
            text += f".{_as_key(step)}" if text else _as_key(step)
    return text or ROOT_ITEM


def _as_key(key: str) -> str:
    """A key on one line, without what may be a secret in the wrong place."""
    if "PRIVATE" in key:
        return "(a private key, not repeated)"
    shown = key if len(key) <= 63 else f"{key[:40]}…"
    return shown if shown.isprintable() and shown else repr(shown)


def violations(
    error: ValidationError,
    data: Any,
    model: type[BaseModel],
    written: Written = lambda _: None,
    place: Place = lambda _: None,
) -> list[Finding]:
    """A finding for each mistake, in the order of the file. `data` is what was validated."""
    details = [_Detail(detail, data) for detail in error.errors(include_url=False)]
    names = [detail.value for detail in details if detail.path[-1:] == ("name",)]
    sound = [
        detail
        for detail in details
        if not detail.follows(details) and (detail.path[-1:] == ("name",) or detail.value not in names)
    ]
    misspelt = {
        (*detail.path[:-1], name)
        for detail in sound
        if detail.kind == "extra_forbidden" and (name := _meant(detail, properties_at(model, detail.path[:-1], data)))
    }
    return [
        _at(detail.finding(model, data, written), place(detail.path))
        for detail in sound
        if detail.kind != "missing" or detail.path not in misspelt
    ]


def _at(finding: Finding, place: tuple[str, int] | None) -> Finding:
    return finding._replace(file=place[0], lines=(place[1],)) if place else finding


class _Detail:
    """One of pydantic's errors, with the place in the file: pydantic also names the union member that it tried."""

    def __init__(self, detail: Any, data: Any) -> None:
        self.kind: str = detail["type"]
        self.context: Mapping[str, Any] = detail.get("ctx") or {}
        self.text: str = detail["msg"]
        self.location: tuple[int | str, ...] = detail["loc"]
        self.path, self.value, self.present = _locate(self.location, data, self.kind)
        if self.kind == "union_tag_invalid":
            tag = str(self.context["discriminator"]).strip("'")
            self.path, self.value = (*self.path, tag), self.value[tag]
        field = getattr(self.context.get("error"), "field", "")
        if field and field in self.value:
            self.path, self.value = (*self.path, field), self.value[field]

    def follows(self, details: Sequence["_Detail"]) -> bool:
        """A list is too short only because its items are wrong: the items are reported, the list is not."""
        return self.kind in _LENGTH and any(
            other.location[: len(self.location)] == self.location for other in details if other is not self
        )

    def finding(self, model: type[BaseModel], data: Any, written: Written) -> Finding:
        text = written(self.path) if self.present else None
        value = text if text is not None and self.value is not None else self.value
        message, remedy = self._says(model, data, value)
        # An unknown key may be a secret in the wrong place: its value is never repeated.
        known = self.kind != "extra_forbidden" or (_camel(self.path) in properties_at(model, self.path[:-1], data))
        shown = _shown(value, self.path) if self.present and known else ""
        said = f"{shown!r} {message}" if shown else message
        subject = item_at(self.path, data)
        return Finding(RULE, subject, said, remedy, value=shown)

    def _says(self, model: type[BaseModel], data: Any, value: Any) -> tuple[str, str]:
        schema = next(iter(schemas_at(model, self.path, data)), {})
        if self.kind == "extra_forbidden":
            return self._unknown(properties_at(model, self.path[:-1], data), data)
        if self.kind == "missing":
            return "is missing", _add(schema)
        if value is None:
            example = next(iter(schema.get("examples", ())), "")
            return "is empty", f"write a value, as in {example}" if example else "write a value, or take the key out"
        if isinstance(value, str) and _shown(value, self.path):
            if value.strip() not in (value, ""):
                return "begins or ends with a blank", f"write {value.strip()}"
            if value.translate(_DASHES) != value:
                return "has a dash that is no '-'", f"write {value.translate(_DASHES)}"
        if self.kind == "value_error":
            refused = self.context["error"]
            if not isinstance(refused, RefusedError):
                return "is refused", str(refused)
            return refused.reason, _with_address(refused.remedy, self.path, data)
        if self.kind in _GROUP:
            return self._no_group(schema, value)
        if self.kind in _LIST:
            scalar = isinstance(value, str | int | float) and _shown(value, ()) and str(value).isprintable()
            return "is not a list", f"write [{value}]" if scalar else "write one item a line, each after a '-'"
        return self._simple(schema, value)

    def _simple(self, schema: Schema, value: Any) -> tuple[str, str]:
        kind, context = self.kind, self.context
        if kind == "int_type" and isinstance(value, str) and (match := _DURATION.fullmatch(value)):
            return "is not a whole number", f"write seconds: {int(match[1]) * _SECONDS[match[2]]}"
        if kind == "bool_type" and str(value).lower() in ("yes", "on", "no", "off", "true", "false"):
            meant = "true" if str(value).lower() in ("yes", "on", "true") else "false"
            return "is text, and neither true nor false", f"write {meant}, without quotes"
        kind = kind.replace("_parsing", "_type")
        if kind in _SAYS:
            return _SAYS[kind]
        if kind in ("literal_error", "union_tag_invalid"):
            expected = str(context.get("expected") or context["expected_tags"])
            near = did_you_mean(str(value), re.findall(r"'([^']*)'", expected))
            return "is not one of the choices", f"{near} The choices are {expected}" if near else f"write {expected}"
        if kind == "union_tag_not_found":
            return f"has no {context['discriminator']}", "add it, it says which kind of thing this is"
        if kind in ("greater_than_equal", "greater_than", "less_than_equal", "less_than"):
            return "is out of range", _range(schema, context)
        if kind in _LENGTH:
            return _length(kind, context, value)
        if kind == "string_pattern_mismatch":
            return "has the wrong form", f"it must match {context['pattern']}"
        return "is refused", f"{self.text[:1].lower()}{self.text[1:]}"

    def _unknown(self, known: Mapping[str, Schema], data: Any) -> tuple[str, str]:
        key, camel = str(self.path[-1]), _camel(self.path)
        group: Any = data
        for step in self.path[:-1]:
            group = group[step]
        if camel != key and camel in known:
            if camel in group:
                return f"is written {camel}, which is beside it", f"keep {camel} and take this one out"
            return "is not a setting here", f"write {camel}"
        if near := _meant(self, known):
            return "is not a setting here", f"did you mean {near}?"
        parts = [name for name in known if len(key) > 1 and key.lower() in name.lower()]
        listed = f"the settings here are {_words(list(known))}" if 0 < len(known) <= 12 else "remove it"
        return "is not a setting here", f"did you mean {' or '.join(parts)}? {listed}" if parts else listed

    def _no_group(self, schema: Schema, value: Any) -> tuple[str, str]:
        names = list(schema.get("properties", {}))
        if isinstance(value, list | tuple):
            few = ", ".join([*names[:3], "…"][: len(names)])
            return "is a list and not a group of settings", f"write settings as keys, without '-' in front ({few})"
        example = _as_group(schema, value)
        return "is not a group of settings", example or "write them below it, indented"


def _camel(path: Path) -> str:
    return to_camel(str(path[-1])) if isinstance(path[-1], str) else ""


def _meant(detail: _Detail, known: Mapping[str, Schema]) -> str:
    """The setting that an unknown key is a misspelling of, or of another style."""
    camel = _camel(detail.path)
    if camel in known:
        return camel
    return did_you_mean(str(detail.path[-1]), list(known)).removeprefix("did you mean ").removesuffix("?")


def _add(schema: Schema) -> str:
    required = schema.get("required") or []
    if schema.get("type") == "object" and required:
        names = list(schema["properties"]) if len(schema["properties"]) <= 6 else required
        return f"add it with {_words(names)}, as in Pulumi.oslo.yaml"
    about = str(schema.get("description") or "")
    first = re.split(r"\.(?:\s|$)", about.replace("\n", " "))[0]
    example = next(iter(schema.get("examples", ())), "")
    if first:
        return f"add it ({first[:1].lower()}{first[1:]})"
    return f"add it, as in {example}" if example else "add it"


def _as_group(schema: Schema, value: Any) -> str:
    """A text where a group belongs, as the group that it probably stands for."""
    known = schema.get("properties", {})
    if not known or not isinstance(value, str | int) or not str(value).isprintable() or not _shown(value, ()):
        return ""
    host, colon, port = str(value).rpartition(":")
    if {"host", "port"} <= set(known) and colon and port.isdecimal():
        return f"write {{ host: {host}, port: {port} }}"
    first, *others = list(schema.get("required", ())) or [next(iter(known))]
    parts = [f"{first}: {value}"]
    for name in others:
        example = next(iter(known[name].get("examples", ())), "…")
        parts.append(f'{name}: "{example}"' if example == "NO" else f"{name}: {example}")
    return f"write {{ {', '.join(parts)} }}"


def _range(schema: Schema, context: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"write a number from {low} to {high}"
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return " and ".join(f"write {words[name]} {limit}" for name, limit in context.items() if name in words)


def _length(kind: str, context: Mapping[str, Any], value: Any) -> tuple[str, str]:
    limit = context[_LENGTH[kind]]
    if len(value) == 0:
        return "is empty", "write at least one" if isinstance(value, list | tuple) else "write a text"
    if isinstance(value, str):
        most = "at most" if kind.endswith("too_long") else "at least"
        return f"has {len(value)} characters, {most} {limit}", "write another"
    if kind.endswith("too_long"):
        return f"has {len(value)} items", f"write at most {limit}"
    return f"has {len(value)} items", f"write at least {limit}"


def _with_address(remedy: str, path: Path, data: Any) -> str:
    """The command that fetches a host key, with the node's own address."""
    group: Any = data
    for step in path[:-1]:
        group = group[step]
    address = group.get("address") if isinstance(group, Mapping) else None
    fits = SCAN in remedy and isinstance(address, str) and re.fullmatch(r"[0-9.]{7,15}", address)
    return remedy.replace("ADDRESS", str(address)) if fits else remedy


def _words(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _locate(location: Sequence[int | str], data: Any, kind: str) -> tuple[Path, Any, bool]:
    path: Path = ()
    value = data
    for index, step in enumerate(location):
        if _holds(value, step):
            value = value[step]
            path = (*path, step)
        elif kind == "missing" and index == len(location) - 1:
            return (*path, step), None, False
    return path, value, True


def _holds(value: Any, step: int | str) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list | tuple) and isinstance(step, int) and step < len(value)


def _shown(value: Any, path: Path) -> str:
    """The value, if it is short and cannot be a key or a password that was pasted in the wrong place."""
    if isinstance(value, Mapping) or value is None or "secure" in path:
        return ""
    if isinstance(value, list | tuple):
        return "[]" if not value else ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "hostKey" in path:
        return f"{text[:20]}…{text[-4:]}" if len(text) > 24 and "PRIVATE" not in text and text.isascii() else ""
    if len(text) > 40:
        return f"{text[:12]}…" if re.fullmatch(r"[a-z0-9-]{41,}", text) and "name" in path else ""
    return "" if "\n" in text or "PRIVATE" in text else text
