"""How long the lab takes: from nothing to a proved platform, again without changes, and away. `make benchmark`.

Prints what it measured and asserts nothing: a slow machine is not a fault. The tools must be built already, so
`make up` has run before; a lab that runs is taken down first. Memory is what less of it is available than before the
round, so that other programs' changes count too.
"""

import json
import os
import platform
import subprocess
import sys
import time
from typing import Any

from footprint import available_mib, disk_mib, print_line

from lab.layout import Layout
from lab.toolchain.build import cache

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3


def lab(*arguments: str) -> tuple[float, dict[str, Any]]:
    """Seconds that a command took, and what it reported."""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "lab", *arguments], stdout=subprocess.PIPE, text=True)
    took = time.monotonic() - began
    if done.returncode:
        sys.exit(f"`lab {' '.join(arguments)}` failed after {took:.1f} s")
    return took, json.loads(done.stdout) if "--json" in arguments else {}


def main() -> None:
    """Run the rounds and print."""
    lab("down")
    whole: dict[str, list[float]] = {}
    phases: dict[str, list[float]] = {}
    memory: list[float] = []
    disk: list[float] = []
    for number in range(1, ROUNDS + 1):
        print(f"round {number} of {ROUNDS}", file=sys.stderr)
        before = available_mib()
        for name, arguments in (
            ("from nothing to a report", ("up", "--json")),
            ("again, nothing to change", ("up", "--json")),
            ("down", ("down",)),
        ):
            if name == "down":
                memory.append(before - available_mib())
                disk.append(disk_mib(Layout().state))
            took, report = lab(*arguments)
            whole.setdefault(name, []).append(took)
            for phase, seconds in report.get("seconds", {}).items() if name.startswith("from") else ():
                phases.setdefault(phase, []).append(seconds)
    print(f"{os.cpu_count()} cores, Linux {platform.release()}, {ROUNDS} rounds, median (range)")
    for name, seconds in whole.items():
        print_line(name, seconds, "s")
    print("of the first, by phase")
    for name, seconds in phases.items():
        print_line(f"  {name}", seconds, "s")
    print_line("memory in use", memory, "MiB")
    print_line("disk of .lab", disk, "MiB")
    print(f"{'disk of the cache':32} {disk_mib(cache()):8} MiB")


if __name__ == "__main__":
    main()
