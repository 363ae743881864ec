"""How long the lab takes: from nothing to a proved platform, again without changes, and away. `make benchmark`.

Prints what it measured and asserts nothing: a slow machine is not a fault. The tools must be built already, so
`make up` has run before; a lab that runs is taken down first.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from typing import Any

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3


def lab(*arguments: str) -> tuple[float, dict[str, Any]]:
    """Seconds that a command took, and what it reported."""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "lab", *arguments], stdout=subprocess.PIPE, text=True)
    took = time.monotonic() - began
    if done.returncode:
        sys.exit(f"`lab {' '.join(arguments)}` failed after {took:.1f} s")
    return took, json.loads(done.stdout) if "--json" in arguments else {}


def show(what: str, seconds: list[float]) -> None:
    """One line: the median and the range."""
    print(f"{what:32} {statistics.median(seconds):7.1f} s   ({min(seconds):.1f} to {max(seconds):.1f})")


def main() -> None:
    """Run the rounds and print."""
    lab("down")
    whole: dict[str, list[float]] = {}
    phases: dict[str, list[float]] = {}
    for number in range(1, ROUNDS + 1):
        print(f"round {number} of {ROUNDS}", file=sys.stderr)
        for name, arguments in (
            ("from nothing to a report", ("up", "--json")),
            ("again, nothing to change", ("up", "--json")),
            ("down", ("down",)),
        ):
            took, report = lab(*arguments)
            whole.setdefault(name, []).append(took)
            for phase, seconds in report.get("seconds", {}).items() if name.startswith("from") else ():
                phases.setdefault(phase, []).append(seconds)
    print(f"{os.cpu_count()} cores, Linux {platform.release()}, {ROUNDS} rounds, median (range)")
    for name, seconds in whole.items():
        show(name, seconds)
    print("of the first, by phase")
    for name, seconds in phases.items():
        show(f"  {name}", seconds)


main()
