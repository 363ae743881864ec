"""Guides in docs/howto as shell scripts: what a test of the lab types is what is printed there."""

import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.processes import command
from tests.support.stacks import ROOT


def page(name: str) -> str:
    """The text of a guide."""
    return (ROOT / "docs" / "howto" / f"{name}.md").read_text(encoding="utf-8")


def blocks(name: str, language: str = "sh") -> list[str]:
    """A guide's blocks of that language, in order, as they are printed. Blocks without a language are not typed."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page(name), re.M | re.S)


def typed(block: str, substitutions: Mapping[str, str]) -> str:
    """A block as a test types it."""
    for old, new in substitutions.items():
        block = block.replace(old, new)
    return block


def written(spec: dict[str, Any], block: str, substitutions: Mapping[str, str]) -> None:
    """Write a YAML block of a guide into the spec of a stack file: lists get its items, other fields its values."""
    _merge(spec, yaml.safe_load(typed(block, substitutions)))


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for name, value in new.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = [*into.get(name, []), *value] if isinstance(value, list) else value


class Terminal:
    """A shell on the operator's laptop in a folder: what one block exports, the next one has."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], resolver: Path, substitutions: Mapping[str, str]
    ) -> None:
        """`resolver`: the resolv.conf of the laptop."""
        self.folder, self.substitutions, self.seconds = folder, substitutions, dict[str, float]()
        self._environment, self._resolver = dict(environment), resolver
        self._kept = folder / "home" / "exported"
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        self._environment["HOME"] = str(self._kept.parent)

    def run(self, block: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Type a block; `given` is typed when a command asks. Both kinds of output are in `stdout`."""
        text = typed(block, self.substitutions)
        keep = f"export -p > {self._kept}.$$\nmv {self._kept}.$$ {self._kept}"  # another block may read it just now
        script = f"[ ! -e {self._kept} ] || . {self._kept}\nset -aeu -o pipefail\n{text}\n{keep}\n"
        began = time.monotonic()
        done = subprocess.run(
            command(["bash", "-c", script], part="op", resolver=self._resolver),
            cwd=self.folder,
            env=self._environment,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1500,
        )
        first = block.splitlines()[0][:60]
        self.seconds[first] = time.monotonic() - began
        print(f"{self.seconds[first]:6.1f} s  {first}")
        return done

    def type(self, block: str, given: str = "") -> str:
        """The same of a block that must succeed; what it prints."""
        done = self.run(block, given)
        assert done.returncode == 0, f"the guide's block failed:\n{block}\nprinted:\n{done.stdout}"
        return done.stdout
