"""Changes to a stack file's text, as a person would make them: what is not changed stays as it is."""

import io
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

SPEC = "vds-platform:spec"
_STEP = re.compile(r"([^.\[\]]+)|\[([^\]]*)\]")


def changed(text: str, change: Mapping[str, Any]) -> str:
    """`replace`/`with` of text, or `set`, `append` and `remove` by path below the spec; `[name]` picks a list item."""
    if "replace" in change:
        assert change["replace"] in text, f"{change['replace']!r} is not in the stack file any more"
        text = text.replace(change["replace"], change["with"], -1 if change.get("every") else 1)
    if not {"set", "append", "remove", "spec"} & set(change):
        return text
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    if "spec" in change:
        document["config"][SPEC] = change["spec"]
    spec = document["config"][SPEC]
    for path, value in change.get("set", {}).items():
        group, key = _walk(spec, path)
        group[key] = value
    for path, value in change.get("append", {}).items():
        group, key = _walk(spec, path)
        group[key].append(value)
    if "remove" in change:
        group, key = _walk(spec, change["remove"])
        del group[key]
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _walk(spec: Any, path: str) -> tuple[Any, Any]:
    *head, last = _STEP.findall(path)
    group = spec
    for key, item in head:
        group = group[key] if key else group[_index(group, item)]
    key, item = last
    return group, key or _index(group, item)


def _index(items: Any, name: str) -> int:
    return next(index for index, item in enumerate(items) if item["name"] == name)
