"""A conformance suite and its report."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.core.untrusted import yaml_value
from components.stackfile.spec import PlatformSpec
from lab.cluster import Cluster
from lab.conformance.expected import Expected
from lab.deploy import Deployment
from lab.layout import Layout
from lab.toolchain.build import Tools


@dataclass(frozen=True)
class Counts:
    """How many tests of a group passed, failed and were skipped."""

    passed: int
    failed: int
    skipped: int = 0


@dataclass(frozen=True)
class Result:
    """What a report says: its groups of tests, and the names of those that did not pass."""

    groups: Mapping[str, Counts]
    failed: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Run:
    """What a suite's run goes by."""

    cluster: Cluster
    spec: PlatformSpec
    tools: Tools
    deployment: Deployment
    report: Path
    """Where the suite writes its report."""
    expected: Expected


@contextmanager
def nothing(_: Run) -> Iterator[None]:
    """The preparation of a suite that needs none."""
    yield


def no_arguments(_: Run) -> list[str]:
    """The arguments of a program that needs none."""
    return []


@dataclass(frozen=True)
class Suite:
    """A public test suite: a program that makes its own objects in the cluster and writes a report."""

    name: str
    tool: str
    """The program's name in the toolchain."""
    report: str
    """The report's file name."""
    minutes: float
    """How long it may take on two cores; then it is ended."""
    namespaces: str
    """What its namespaces' names match: they are removed after."""
    read: Callable[[str], Result]
    """The result in a report's text."""
    arguments: Callable[[Run], list[str]] = field(default=no_arguments)
    execute: Callable[[Layout, Run, Path, float, Callable[[str], None]], None] | None = None
    """What runs the tests, if the program does not. It gets the log, a time in seconds, and what shows the progress."""
    prepared: Callable[[Run], AbstractContextManager[None]] = field(default=nothing)
    """Makes in the cluster what the suite expects to find, and takes it away again."""


def read_profiles(text: str, levels: tuple[str, str]) -> Result:
    """The result in a report of the kind `ConformanceReport`, whose profiles have tests on two levels."""
    groups: dict[str, Counts] = {}
    failed: set[str] = set()
    skipped: set[str] = set()
    for profile in sorted(yaml_value(text).get("profiles") or [], key=lambda profile: str(profile["name"])):
        for level in levels:
            status: dict[str, Any] = profile.get(level) or {}
            if not status:
                continue
            numbers = status["statistics"]
            groups[f"{profile['name']} {level}"] = Counts(numbers["Passed"], numbers["Failed"], numbers["Skipped"])
            failed |= set(status.get("failedTests") or [])
            skipped |= set(status.get("skippedTests") or [])
    return Result(groups, frozenset(failed), frozenset(skipped))


def go_test(name: str) -> list[str]:
    """How a compiled Go test runs one test: each part named as it ends, without a time limit of its own."""
    return [f"-test.run=^{name}$", "-test.v", "-test.timeout=0"]  # Go's own limit would end it without a report


def implementation(organization: str, url: str, version: str) -> list[str]:
    """Whom a report is about: what Go's suites of this family want to be told."""
    return [
        f"--organization={organization}",
        f"--project={organization}",
        f"--url={url}",
        f"--version=v{version}",
        f"--contact={url}",
    ]
