"""`make fuzz`: every target with all its inputs; a table, and a file for each input that ended in a traceback.

atheris guides the inputs by the code that they reach, where it is installed; hypothesis makes them otherwise.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.targets import ROOT, TARGETS, Target

FOLDER = ROOT / ".fuzz"
LONGEST_SECONDS = 30
"""For one input, on a busy machine; measured: 1 s."""
ATHERIS = importlib.util.find_spec("atheris") is not None


@dataclass
class Count:
    """What came of a target's inputs."""

    inputs: int = 0
    findings: int = 0
    slowest_seconds: float = 0.0
    crashes: dict[str, str] = field(default_factory=dict)
    """The reproducer's file, by the place of the fault."""

    def take(self, target: Target, value: Any) -> None:
        """Try one input."""
        self.inputs += 1
        began = time.monotonic()
        try:
            self.findings += target.run(value)
        except Exception as error:
            self._keep(target, value, _place(error), traceback.format_exc())
        took = time.monotonic() - began
        self.slowest_seconds = max(self.slowest_seconds, took)
        if took > LONGEST_SECONDS:
            self._keep(target, value, "too slow", f"it took {took:.0f} s")

    def _keep(self, target: Target, value: Any, place: str, what: str) -> None:
        if place in self.crashes:
            return
        text = json.dumps({"target": target.name, "input": value, "fault": what}, indent=1)
        FOLDER.mkdir(exist_ok=True)
        file = FOLDER / f"{target.name}-{hashlib.sha256(place.encode()).hexdigest()[:12]}.json"
        file.write_text(text)
        self.crashes[place] = str(file.relative_to(ROOT))


def _place(error: BaseException) -> str:
    """The type of a fault, and the line of ours that it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if one.filename.startswith(str(ROOT)) and "/tests/" not in one.filename]
    at = (ours or frames)[-1]
    return f"{type(error).__name__} at {os.path.relpath(at.filename, ROOT)}:{at.lineno}"


def by_hypothesis(target: Target, inputs: int) -> Count:
    """Inputs that hypothesis draws, the same ones each time."""
    count = Count()
    quiet = settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    quiet(given(target.strategy)(lambda value: count.take(target, value)))()
    return count


def _guided(target: Target, inputs: int, file: Path) -> None:
    """Inputs that atheris makes, in this process, which ends with them."""
    import atheris

    count = Count()

    def one(value: Any) -> None:
        count.take(target, value)
        if count.inputs >= inputs:
            file.write_text(json.dumps(asdict(count)))
            os._exit(0)

    test = settings(deadline=None, database=None)(given(target.strategy)(one))
    fuzz: Callable[[bytes], Any] = test.hypothesis.fuzz_one_input
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], "-seed=13", "-max_len=4096", "-len_control=0", "-verbosity=0"], fuzz)
    atheris.Fuzz()


def by_atheris(target: Target, inputs: int) -> Count:
    """The same in a process of its own."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{target.name}.count"
    file.unlink(missing_ok=True)
    words = [sys.executable, "-m", "tests.fuzz", target.name, "--inputs", str(inputs), "--guided", str(file)]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode or not file.exists():
        raise SystemExit(f"error: atheris ended with {done.returncode}: {done.stderr[-2000:]}")
    return Count(**json.loads(file.read_text()))


def main() -> None:
    """Run the targets that are named, or all. Exit code 1: an input ended in a traceback."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []])
    parser.add_argument("--inputs", type=int, help="for each target and each of the two programs")
    parser.add_argument("--guided", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    targets = [TARGETS[name] for name in options.targets or TARGETS]
    if options.guided:
        _guided(targets[0], options.inputs, options.guided)
    programs: dict[str, Callable[[Target, int], Count]] = {"hypothesis": by_hypothesis}
    if ATHERIS:
        programs["atheris"] = by_atheris
    else:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        print(f"atheris is not installed (it has no wheel for Python {version} here): hypothesis runs alone")
    rows, crashes = [], {}
    for target in targets:
        for name, program in programs.items():
            # With both, each makes half of the inputs.
            count = program(target, options.inputs or -(-target.inputs // len(programs)))
            rows.append((target.name, name, count.inputs, count.findings, len(count.crashes), count.slowest_seconds))
            crashes |= count.crashes
            print(f"{target.name}: {count.inputs} inputs by {name}", file=sys.stderr, flush=True)
    print(f"{'target':14}{'by':12}{'inputs':>8}{'findings':>10}{'crashes':>9}{'slowest':>10}")
    for target_name, name, inputs, found, broken, slowest in rows:
        print(f"{target_name:14}{name:12}{inputs:>8}{found:>10}{broken:>9}{slowest:>8.2f} s")
    for place, file in crashes.items():
        print(f"crash: {place}: {file}")
    sys.exit(bool(crashes))


if __name__ == "__main__":
    main()
