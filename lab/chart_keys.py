"""Write `components/network/cilium/chart/keys.txt`: the keys of each Cilium chart. Run it when a release is added.

    for version in …; do helm pull cilium/cilium --version $version --untar --untardir charts/$version; done
    python -m lab.chart_keys charts > keys.txt && mv keys.txt components/network/cilium/chart/

Releases whose charts are not in the folder keep their rows.

The table has only names and types: from `values.yaml`, from `values.schema.json` if there is one, and from templates
(`.Values.a.b`). A release's folder may also be the chart itself.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from components.core.versions import parse
from components.network.cilium.chart.keys import marks, releases

Keys = dict[tuple[str, ...], str]
_READ = re.compile(r"\.Values((?:\.[A-Za-z_][A-Za-z0-9_]*)+)")
_REFUSED = re.compile(r"\{\{-? *if \.Values\.([A-Za-z]+) *-?\}\}\s*\{\{-? *fail ")  # read only to fail with a message
_CODES = {"string": "s", "integer": "i", "number": "n", "boolean": "b", "array": "a", "object": "o", "null": "z"}


def chart_keys(chart: Path) -> Keys:
    """Every key of one chart with its mark: `*` any key may follow, then the types that its schema takes."""
    values = yaml.load((chart / "values.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    schema_file = chart / "values.schema.json"
    schema = json.loads(schema_file.read_text(encoding="utf-8")) if schema_file.exists() else {}
    keys = dict(_declared(values, schema, ()))
    read = set(_read(chart / "templates"))
    inner = {path[:length] for path in read for length in range(1, len(path))}
    for path in read & keys.keys() - inner:
        if any(other[: len(path)] == path and other != path for other in keys):
            keys[path] = "*"  # used as a whole, like `nodeSelector`: no template reads one of its keys
    for path in sorted(read):
        for length in range(1, len(path) + 1):
            ancestors = [path[:n] for n in range(1, length)]
            if path[:length] in keys or any("*" in keys.get(a, "") for a in ancestors):
                continue
            keys[path[:length]] = ""
    return keys


def _declared(values: dict[str, Any], schema: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    for key, value in values.items():
        path, known = (*above, str(key)), properties.get(key, {})
        types = known.get("type", [])
        codes = "".join(sorted(_CODES[name] for name in ([types] if isinstance(types, str) else types)))
        if isinstance(value, dict) and value:
            yield path, ""  # a group
            yield from _declared(value, known, path)
        else:
            yield path, ("*" if value == {} or value is None else "") + codes


def _read(templates: Path) -> Iterator[tuple[str, ...]]:
    for file in sorted(templates.rglob("*")):
        if file.suffix in (".yaml", ".tpl", ".txt"):
            text = file.read_text(encoding="utf-8")
            refused = set(_REFUSED.findall(text))
            for found in _READ.findall(text):
                path = tuple(found[1:].split("."))
                if path[0] not in refused and path[0] != "AsMap":
                    yield path


def table(charts: dict[str, Keys]) -> Iterator[str]:
    """The file's lines: the releases, then a key a line, indented below its group, with the releases that have it."""
    ordered = sorted(charts, key=parse)
    typed = [release for release in ordered if any(mark.strip("*") for mark in charts[release].values())]
    yield f"releases {' '.join(ordered)}"
    yield f"schema {typed[0] if typed else ''}"
    for path in sorted({path for keys in charts.values() for path in keys}):
        found = [charts[release].get(path) for release in ordered]
        yield f"{' ' * (len(path) - 1)}{path[-1]} {' '.join(_runs(ordered, found, set(typed)))}"


def _runs(ordered: list[str], found: list[str | None], typed: set[str]) -> Iterator[str]:
    """`1.16.0-1.18.12:bs`: there from the first to the last, with that mark. No first: the oldest; no last: newest.

    Types count from the release that the schema came with, so a run may begin before it with the types of after.
    """
    runs: list[tuple[int, int, str]] = []
    for index, mark in enumerate(found):
        if mark is None:
            continue
        if runs and runs[-1][1] == index - 1:
            first, last, so_far = runs[-1]
            before = ordered[last] not in typed and so_far == mark[: len(so_far)] and so_far in ("", "*")
            if so_far == mark or (before and (mark[:1] == "*") == (so_far == "*")):
                runs[-1] = (first, index, mark)
                continue
        runs.append((index, index, mark))
    for first, last, mark in runs:
        begin = ordered[first] if first else ""
        end = ordered[last] if last < len(ordered) - 1 else ""
        yield (begin if begin == end else f"{begin}-{end}") + (f":{mark}" if mark else "")


def charts_in(folder: Path) -> dict[str, Keys]:
    """The charts below a folder, by the version that its folder is named after."""
    found = {}
    for values in sorted([*folder.glob("*/values.yaml"), *folder.glob("*/cilium/values.yaml")]):
        found[values.relative_to(folder).parts[0]] = chart_keys(values.parent)
    return found


if __name__ == "__main__":
    known = {release: marks(release) for release in releases()}
    print("\n".join(line.rstrip() for line in table({**known, **charts_in(Path(sys.argv[1]))})))
