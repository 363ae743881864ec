"""Stands in for crictl on the lab's nodes, which have no container runtime: pods as their supervisor recorded them.

It answers what `operations look` asks: `pods` by labels, `inspectp` for the pid, and `ps`, which finds no container.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.node import records

_NAMESPACE = "io.kubernetes.pod.namespace"
_NAME = "io.kubernetes.pod.name"


def answer(folder: Path, words: Sequence[str]) -> str:
    """What crictl would print. Raises SystemExit for what this one does not know."""
    parser = argparse.ArgumentParser(prog="crictl", description="The lab's stand-in for crictl.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("pods", "ps"):
        listing = verbs.add_parser(verb)
        listing.add_argument("--quiet", action="store_true", required=True)
        listing.add_argument("--latest", action="store_true")
        listing.add_argument("--state")
        listing.add_argument("--label", action="append", default=[])
    inspection = verbs.add_parser("inspectp")
    inspection.add_argument("--output", choices=["go-template"], required=True)
    inspection.add_argument("--template", choices=["{{.info.pid}}"], required=True)
    inspection.add_argument("id")
    asked = parser.parse_args(words)
    if asked.verb == "ps":
        return ""
    pods = _pods(folder)
    if asked.verb == "inspectp":
        if asked.id not in pods:
            sys.exit(f"crictl: no pod sandbox {asked.id}")
        return f"{pods[asked.id]['pid']}\n"
    wanted = dict(label.split("=", 1) for label in asked.label)
    return "".join(
        f"{uid}\n"
        for uid, pod in pods.items()
        if wanted.items() <= {_NAMESPACE: pod["namespace"], _NAME: pod["name"]}.items()
    )


def _pods(folder: Path) -> dict[str, dict[str, Any]]:
    """Pods that live, by uid."""
    return {uid: pod for uid, pod in records.read(folder).items() if Path(f"/proc/{pod['pid']}").exists()}


if __name__ == "__main__":
    print(answer(Path(sys.argv[1]), sys.argv[2:]), end="")
