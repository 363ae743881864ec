"""The Go types that an API is defined by, as JSON Schemas that take no field they do not know.

Reads what `controller-gen` reads: a struct's fields by their json names, and the patterns in the comments above them.
For an API whose module has no CRDs.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_ALIAS = re.compile(r"^type (\w+) (string|bool|u?int\d*)$", re.MULTILINE)
_FIELD = re.compile(r"^\t\w+\s+(\S+)\s+`json:\"(\w+)")
_PATTERN = re.compile(r"\+kubebuilder:validation:Pattern=`(.*)`")


def go_schema(folder: Path, name: str) -> dict[str, Any]:
    """The schema of a struct of the package in the folder."""
    return _schema(_types(folder), name)


@cache
def _types(folder: Path) -> dict[str, str]:
    text = "\n".join(file.read_text() for file in sorted(folder.glob("*.go")))
    return dict([*_STRUCT.findall(text), *_ALIAS.findall(text)])


def _schema(types: dict[str, str], go: str) -> dict[str, Any]:
    go = go.lstrip("*")
    if go.startswith("[]"):
        return {"type": "array", "items": _schema(types, go.removeprefix("[]"))}
    if go in ("string", "bool"):
        return {"type": {"string": "string", "bool": "boolean"}[go]}
    if re.fullmatch(r"u?int\d*", go):
        return {"type": "integer"}
    if go not in types:
        return {}  # another package's
    if "\n" not in types[go]:
        return _schema(types, types[go])
    return {"type": "object", "properties": dict(_fields(types, types[go])), "additionalProperties": False}


def _fields(types: dict[str, str], body: str) -> Iterator[tuple[str, dict[str, Any]]]:
    pattern = {}
    for line in body.splitlines():
        if found := _PATTERN.search(line):
            # Go's `^(?i)` stands after the anchor, where Python wants flags first.
            pattern = {"pattern": re.sub(r"^\^\(\?i\)(.*)$", r"(?i:^\1)", found[1])}
        elif field := _FIELD.match(line):
            yield field[2], {**_schema(types, field[1]), **pattern}
            pattern = {}
