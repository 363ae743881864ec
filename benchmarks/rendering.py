"""How much longer the policies take because they render charts: an exported state, judged with and without.

    python benchmarks/rendering.py export.json --preview 12.5

`export.json` is from `pulumi stack export`; `--preview` are the seconds that `pulumi preview --policy-pack` of the same
stack took. "First" starts with an empty cache of renderings, as after a changed value; "again" with a full one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from components.charts import releases, render
from components.charts.releases import Inside
from components.charts.rendering_cache import RenderingCache
from policies.offline import judge

_ROUNDS = 3
_CONFIG = {"all": {"today": "2026-11-26"}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export", type=Path)
    parser.add_argument("--preview", type=float, help="seconds of a preview of the same stack")
    options = parser.parse_args()
    state = json.loads(options.export.read_text())
    with mock.patch("policies.releases.inside", return_value=Inside()):
        without = statistics.median(_seconds(state) for _ in range(_ROUNDS))
    first = statistics.median(_first(state) for _ in range(_ROUNDS))
    again = statistics.median(_again(state) for _ in range(_ROUNDS))
    for name, seconds in (("without rendering", without), ("first", first), ("again", again)):
        added = f", {(seconds - without) / options.preview:.0%} of a preview" if options.preview else ""
        print(f"{name:18} {seconds:6.2f} s{added if seconds is not without else ''}")


def _seconds(state: dict[str, Any]) -> float:
    started = time.perf_counter()
    judge(state, _CONFIG)
    return time.perf_counter() - started


def _first(state: dict[str, Any]) -> float:
    releases._rendered.cache_clear()
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(render, "_cache", return_value=RenderingCache(Path(folder))),
    ):
        return _seconds(state)


def _again(state: dict[str, Any]) -> float:
    releases._rendered.cache_clear()
    render._cache.cache_clear()
    return _seconds(state)


if __name__ == "__main__":
    main()
