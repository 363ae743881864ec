"""Which keys each released Cilium chart has, from the generated `chart_keys.txt` (see `lab.chart_keys`).

The charts' schemas have no `additionalProperties: false`: a misspelt key passes Helm without a word. This
table is what keys are looked up in instead, without a chart.
"""

import difflib
from functools import cache, lru_cache
from pathlib import Path as _File
from typing import Any, NamedTuple

from components.core.versions import matches, minor, parse

Path = tuple[str, ...]
_TYPES: dict[str, Any] = {"s": str, "i": int, "n": (int, float), "b": bool, "a": list, "o": dict, "z": type(None)}
_CODES = "".join(_TYPES)
_WORDS = {"s": "string", "i": "integer", "n": "number", "b": "true or false", "a": "list", "o": "group", "z": "null"}


class Key(NamedTuple):
    """What a release's chart has under a path."""

    open: bool
    """Any key may follow: the chart passes the whole value on, or has no default for it."""
    types: str
    """Codes of the types that the release's schema takes; empty where there is none."""
    group: bool
    """Keys follow, and the chart names them."""


@cache
def _table() -> tuple[tuple[str, ...], str, dict[Path, list[tuple[int, int, str]]]]:
    lines = (_File(__file__).parent / "keys.txt").read_text(encoding="utf-8").splitlines()
    releases = tuple(lines[0].split()[1:])
    position = {release: index for index, release in enumerate(releases)}
    keys: dict[Path, list[tuple[int, int, str]]] = {}
    path: Path = ()
    for line in lines[2:]:
        name, _, runs = line.lstrip(" ").partition(" ")
        path = (*path[: len(line) - len(line.lstrip(" "))], name)
        keys[path] = []
        for run in runs.split(" "):
            bounds, _, mark = run.partition(":")
            first, dash, last = bounds.partition("-")
            begin = position[first] if first else 0
            end = position[last] if last else begin if dash == "" and first else len(releases) - 1
            keys[path].append((begin, end, mark))
    return releases, lines[1].partition(" ")[2], keys


def releases() -> tuple[str, ...]:
    """Every release whose chart was read, oldest first."""
    return _table()[0]


def minors() -> tuple[str, ...]:
    """Their minor lines, as in `1.14`, oldest first."""
    return tuple(dict.fromkeys(minor(release) for release in releases()))


def nearest(version: str) -> str | None:
    """The release to judge a version by: itself; for a minor line its newest; for a later patch the newest known.

    None where its minor line was not read, or the text is no version.
    """
    try:
        wanted = parse(version)
    except ValueError:
        return None
    line = [release for release in releases() if minor(release) == minor(version)]
    if len(wanted.release) not in (2, 3) or not line:
        return None
    older = [release for release in line if parse(release) <= wanted]
    return line[-1] if len(wanted.release) == 2 else (older or line)[-1]


def marks(release: str) -> dict[Path, str]:
    """Every key of one release with its mark, as the generator read them in its chart."""
    known, typed_since, keys = _table()
    index, typed = known.index(release), matches(release, f">={typed_since}")
    found = {path: _mark(runs, index) for path, runs in keys.items()}
    return {path: mark if typed else mark.rstrip(_CODES) for path, mark in found.items() if mark is not None}


@lru_cache(maxsize=100_000)
def has(path: Path, release: str) -> Key | None:
    """What that release's chart has under a path; None if nothing there reads it."""
    known, typed_since, keys = _table()
    index = known.index(release)
    mark, passed_on = "", False
    for length in range(1, len(path) + 1):
        found = _mark(keys.get(path[:length], []), index)
        if found is None:
            return Key(True, "", False) if passed_on else None
        mark, passed_on = found, passed_on or "*" in found
    typed = matches(release, f">={typed_since}")
    group = any(_mark(keys[child], index) is not None for child in _children().get(path, ()))
    return Key("*" in mark, mark.strip("*") if typed else "", group)


def _mark(runs: list[tuple[int, int, str]], index: int) -> str | None:
    return next((mark for first, last, mark in runs if first <= index <= last), None)


@cache
def _children() -> dict[Path, tuple[Path, ...]]:
    below: dict[Path, tuple[Path, ...]] = {}
    for path in _table()[2]:
        below[path[:-1]] = (*below.get(path[:-1], ()), path)
    return below


@lru_cache(maxsize=100_000)
def known_in(path: Path) -> tuple[tuple[str, str], ...]:
    """The spans of releases (first, last) whose charts have the path; empty if none ever had."""
    spans: list[tuple[str, str]] = []
    known = releases()
    inside = [has(path, release) is not None for release in known]
    for index, here in enumerate(inside):
        if here and index and inside[index - 1]:
            spans[-1] = (spans[-1][0], known[index])
        elif here:
            spans.append((known[index], known[index]))
    return tuple(spans)


@lru_cache(maxsize=100_000)
def closest(path: Path, release: str) -> Path | None:
    """The key of that release that is most alike, if one is: what a typo was meant to be."""
    index = releases().index(release)
    keys = _table()[2]
    names = {".".join(other): other for other, runs in keys.items() if _mark(runs, index) is not None}
    lower = {name.lower(): other for name, other in names.items()}
    text = ".".join(path)
    if text.lower() in lower:
        return lower[text.lower()]
    found = difflib.get_close_matches(text, list(names), n=1, cutoff=0.84)
    return names[found[0]] if found else None


def type_problem(value: Any, key: Key) -> str:
    """What the schema (or the templates) would say against a value's type; empty if nothing."""
    if value is None:  # Helm takes null as a wish to have no such key, before it looks at types
        return ""
    if key.types:
        fits = any(
            isinstance(value, _TYPES[code]) and not (isinstance(value, bool) and code in "in") for code in key.types
        )
        wanted = " or ".join(_WORDS[code] for code in key.types)
        return "" if fits else f"the schema wants {wanted}"
    if key.group and not key.open and not isinstance(value, dict):
        return "the chart has a group of keys here"
    return ""
