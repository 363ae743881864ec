"""Values against a published chart: its keys, which Helm does not ask for, and its schema."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from components.network.cilium.chart.nested import FlatValues, flatten
from tests.support.modules import cilium_chart


@cache
def cilium_values_file(version: str) -> tuple[str, FlatValues]:
    """The text of the values of Cilium's chart, and every value by its path."""
    text = (cilium_chart(version) / "values.yaml").read_text()
    return text, flatten(yaml.load(text, Loader=yaml.CSafeLoader))


def unknown_keys(values: Mapping[str, Any], chart: Path) -> list[str]:
    """Keys that the chart's `values.yaml` does not have, not even as a comment. Helm would ignore them."""
    return list(_unknown(values, _keys(chart)))


def schema_errors(values: Mapping[str, Any], chart: Path) -> list[str]:
    """What the chart's schema, which Helm asks, says against the values over the chart's own."""
    return [error.message for error in _validator(chart).iter_errors(_over(_defaults(chart), values))]


@cache
def _defaults(chart: Path) -> dict[str, Any]:
    return dict(yaml.load((chart / "values.yaml").read_text(), Loader=yaml.CSafeLoader))


@cache
def _validator(chart: Path) -> Any:
    return jsonschema.Draft202012Validator(json.loads((chart / "values.schema.json").read_text()))


def _over(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(defaults)
    for key, value in values.items():
        below = found.get(key)
        found[key] = _over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return found


@cache
def _keys(chart: Path) -> dict[str, Any]:
    """The chart's values, with the keys that stand there as comments: optional ones, which have no default."""
    text, known = (chart / "values.yaml").read_text(), copy.deepcopy(_defaults(chart))
    section = ""
    for line in text.splitlines():
        if top := re.match(r"(# ?)?(\w+):", line):
            section = top[2]
            known.setdefault(section, None)
        elif (inner := re.match(r"  # ?(\w+):", line)) and isinstance(known.get(section), dict):
            known[section].setdefault(inner[1], None)
    return known


def _unknown(given: Mapping[str, Any], known: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in given.items():
        if key not in known:
            yield f"{path}{key}"
        elif isinstance(value, dict) and isinstance(known[key], dict) and key != "extraConfig":  # takes any key
            yield from _unknown(value, known[key], f"{path}{key}.")
