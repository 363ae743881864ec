"""What a node's supervisor writes down of its pods, for those who look at them from outside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any


def write(node: Path, uid: str, pod: dict[str, Any]) -> None:
    """Write a pod down: whole, or not at all, for it may be read at any moment."""
    folder = node / "pods" / uid
    draft = folder / "pod.draft"
    draft.write_text(json.dumps(pod))
    draft.replace(folder / "pod.json")


def read(node: Path) -> dict[str, dict[str, Any]]:
    """The pods of a node by uid, those that go away meanwhile left out."""
    found = {}
    for file in sorted(node.glob("pods/*/pod.json")):
        try:
            found[file.parent.name] = json.loads(file.read_text())
        except FileNotFoundError:
            continue
    return found


def forget(node: Path, uid: str) -> None:
    """The pod ended."""
    (node / "pods" / uid / "pod.json").unlink(missing_ok=True)


def forget_all(node: Path) -> None:
    """The node starts again: nothing of what it ran before its power went is there."""
    shutil.rmtree(node / "pods", ignore_errors=True)
