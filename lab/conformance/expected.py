"""Known failures of the suites, with reasons: `expected.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.core.untrusted import yaml_value

FILE = Path(__file__).with_name("expected.yaml")


@dataclass(frozen=True)
class Expected:
    """Of one suite: features that it is told to leave out, and tests that fail, each with the reason."""

    exempt: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)


def load(suite: str, file: Path = FILE) -> Expected:
    """What is expected of a suite; nothing where the file does not name it."""
    content = (yaml_value(file.read_text()) or {}).get(suite) or {}
    if unknown := set(content) - {"exempt", "failures"}:
        raise ValueError(f"{file.name}: {suite} has {', '.join(sorted(unknown))}; it may have exempt and failures")
    return Expected(content.get("exempt") or {}, content.get("failures") or {})
