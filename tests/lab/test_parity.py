"""The stand-in plugins against the official ones, where those are: the same program, the same resources."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab import fabric, plugins
from lab.deploy import STACK, Deployment, Outcome
from lab.layout import OPERATOR
from tests.lab.conftest import Lab, up

_missing = plugins.BINARIES - set(plugins.official())
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        bool(_missing),
        reason=f"no official {', '.join(sorted(_missing))} on the PATH or in PULUMI_HOME: nothing to compare with",
    ),
]

_SECRET_MARK = "4dabf18193072939515e22adb298388d"  # sdk/go/common/resource/sig
# What no two runs share: a provider's id at the end of a reference, and when a node was read.
_OF_ONE_RUN = re.compile(r"::[0-9a-f-]{36}$|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass
class Life:
    """What one set of plugins made of the stack, from nothing."""

    first: Outcome
    operations: dict[str, set[str]]
    """By URN, what the first run did, as the engine's events say it."""
    resources: dict[str, dict[str, Any]]
    """By URN, what the state says after it, as far as two runs can agree."""
    second: Outcome
    refreshed: Outcome
    handed_over: dict[str, set[str]]
    """By URN, what a run of the other set did on the state that this one left."""


@pytest.fixture(scope="module")
def lives(first_report: dict[str, Any]) -> Iterator[tuple[Life, Life]]:
    """The stack made anew by the official plugins and by the stand-ins; at the end the lab is as it was."""
    up()
    try:
        with fabric.inside(OPERATOR):
            lab = Lab()
            official = Deployment(lab.layout, lab.tools)
            stand_ins = Deployment(lab.layout, lab.tools, stand_ins_only=True)
            yield live(official, then=stand_ins), live(stand_ins, then=official)
    finally:
        up()


def live(deployment: Deployment, *, then: Deployment) -> Life:
    used = deployment.prepare()
    assert len({plugin.stand_in for plugin in used.values()}) == 1, used
    done(deployment.run("destroy"))
    first = done(deployment.run("up"))
    operations, resources = read_operations(deployment), read_resources(deployment)
    second = done(deployment.run("up"))
    refreshed = done(deployment.run("refresh"))
    then.prepare()
    done(then.run("up"))
    return Life(first, operations, resources, second, refreshed, read_operations(then))


def done(outcome: Outcome) -> Outcome:
    assert outcome.exit_code == 0, outcome.output
    return outcome


def read_operations(deployment: Deployment) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in (deployment.layout.state / "pulumi" / "up.events").read_text().splitlines():
        event = json.loads(line)
        for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
            if step := event.get(kind):
                metadata = step["metadata"]
                failed = "failed " if kind == "resOpFailedEvent" else ""
                found.setdefault(metadata["urn"], set()).add(failed + metadata["op"])
    return found


def read_resources(deployment: Deployment) -> dict[str, dict[str, Any]]:
    exported = subprocess.run(
        [deployment.engine, "--non-interactive", "stack", "export", "--stack", STACK, "--show-secrets"],
        cwd=deployment.layout.state,
        env=deployment.environment(),
        capture_output=True,
        check=True,
    )
    return {
        resource["urn"]: {
            "inputs": comparable(resource.get("inputs") or {}),
            "outputs": comparable(resource.get("outputs") or {}) if not resource["custom"] else None,
            "parent": resource.get("parent"),
            "provider": comparable(resource.get("provider")),
            "dependencies": sorted(resource.get("dependencies") or []),
        }
        for resource in json.loads(exported.stdout)["deployment"]["resources"]
    }


def comparable(value: Any) -> Any:
    """The value without what differs from run to run, and with secrets that a failing test may print."""
    if isinstance(value, dict) and _SECRET_MARK in value:
        return "secret " + hashlib.sha256(json.dumps(bare(value), sort_keys=True).encode()).hexdigest()
    if isinstance(value, dict):
        # Two underscores begin a plugin's notes to itself.
        return {name: comparable(item) for name, item in value.items() if not name.startswith("__")}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return _OF_ONE_RUN.sub("…", value) if isinstance(value, str) else value


def bare(value: Any) -> Any:
    """The value without its secret marks: within a secret it is all the same what else is marked."""
    if isinstance(value, dict):
        return (
            bare(json.loads(value["plaintext"]))
            if _SECRET_MARK in value
            else {key: bare(item) for key, item in value.items()}
        )
    return [bare(item) for item in value] if isinstance(value, list) else value


def test_both_make_the_same_resources_from_the_same_inputs(lives: tuple[Life, Life]) -> None:
    official, stand_ins = lives
    assert stand_ins.resources == official.resources


def test_both_take_the_same_steps(lives: tuple[Life, Life]) -> None:
    official, stand_ins = lives
    assert stand_ins.operations == official.operations
    assert stand_ins.first.changes == official.first.changes


def test_the_policy_pack_judges_alike_under_both(lives: tuple[Life, Life]) -> None:
    official, stand_ins = lives
    assert stand_ins.first.policy_packs == official.first.policy_packs
    assert stand_ins.first.policies_passed == official.first.policies_passed
    assert stand_ins.first.violations == official.first.violations == []


def test_a_second_run_and_a_refresh_change_nothing_under_either(lives: tuple[Life, Life]) -> None:
    assert [life.second.unchanged for life in lives] == [True, True], [life.second.output for life in lives]
    assert [life.refreshed.unchanged for life in lives] == [True, True], [life.refreshed.output for life in lives]


def test_a_stack_changes_hands_without_a_change_to_anything_it_made(lives: tuple[Life, Life]) -> None:
    for life in lives:
        changed = {urn: steps for urn, steps in life.handed_over.items() if steps != {"same"}}
        # The official plugins write their framework's version into the state, as inputs of the provider.
        assert [urn for urn in changed if "::pulumi:providers:" not in urn] == [], changed
