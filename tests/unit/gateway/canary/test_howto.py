"""The guide to canaries: the contract takes its plans, and each command that it types works, in its order."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from components.agency.rules import stack_problems
from components.kubernetes_api import ApiError
from tests.support.agency import IMAGE, app, contract, route
from tests.support.commands import vds
from tests.support.rollouts import Rollout
from tests.support.stacks import ROOT
from vds.canary import command, counters

GUIDE = (ROOT / "docs/howto/ship-a-canary.md").read_text()
COMMANDS = re.findall(r"^\.venv/bin/vds (canary .*?)(?: +#.*)?$", GUIDE, re.M)
BAD = 5
"""Which command is typed after a bad version was started."""


def test_the_guides_canaries_keep_the_contract() -> None:
    texts = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    plan = yaml.safe_load(texts[0])["canary"]
    for more in ({}, yaml.safe_load(texts[1])):
        routes = [route(canary=plan | more)]
        assert stack_problems([app(canary={"image": IMAGE})], routes, contract()) == []
    assert len(texts) == 2


def test_the_guides_commands_take_a_canary_to_its_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rollout = Rollout(steps=[1, 5, 25, 50, 100])
    monkeypatch.setattr(command, "Cluster", lambda _: rollout.api)
    monkeypatch.setattr(command, "read_file", lambda *_: "")
    monkeypatch.setattr(command.time, "time", rollout.now)
    monkeypatch.setattr(command.time, "sleep", lambda pause: rollout.sleep(pause))
    monkeypatch.setattr(counters, "read", lambda *_: rollout.counters())
    codes = []
    for number, line in enumerate(COMMANDS):
        if number == BAD:
            rollout.failing = lambda _: 0.05
            codes.append(("start", vds(*words_of(COMMANDS[0])).exit_code, rollout.percent))
            rollout.failing = lambda _: 0.0
        words = words_of(line.removesuffix(" || true"))
        codes.append((words[1], vds(*words).exit_code, rollout.percent))
    assert codes == [
        ("start", 0, 100),
        ("status", 0, 100),
        ("pause", 2, 100),
        ("promote", 2, 100),
        ("abort", 0, 0),
        ("start", 1, 0),
        ("status", 1, 0),
        ("start", 0, 100),
    ]


def words_of(line: str) -> list[str]:
    """With the names of the rollout in memory."""
    return [{"butikk-api": "api", "butikk-prod": "butikk"}.get(word, word) for word in shlex.split(line)]


def test_the_rights_of_the_ci_job_are_all_that_is_asked() -> None:
    rollout = Rollout()
    asked: set[tuple[str, str]] = set()
    whole = rollout.api.request
    verbs = {"GET": "get", "PATCH": "patch", "POST": "create", "PUT": "update", "DELETE": "delete"}

    def request(method: str, path: str, *words: object, **more: object) -> object:
        asked.add((path.split("/")[6], verbs[method]))
        return whole(method, path, *words, **more)  # type: ignore[arg-type]

    rollout.api.request = request  # type: ignore[method-assign]
    found = rollout.canaried
    record = command.running.begin(found, holder="ci/1", now=rollout.now())
    assert record.percent == 5
    command.running.watch(
        found, "ci/1", now=rollout.now, sleep=rollout.sleep, read_counters=rollout.counters, report=rollout.report
    )
    command.running.abort(found, rollout.now())
    with pytest.raises(ApiError):
        found.cluster.request("GET", "/apis/x/v1/namespaces/y/leases/none")
    assert asked == {
        ("httproutes", "get"),
        ("httproutes", "patch"),
        ("leases", "get"),
        ("leases", "create"),
        ("leases", "update"),
        ("leases", "delete"),
    }
    [said] = re.findall(r"few rights: (.*?)\.\n", GUIDE, re.DOTALL)
    for _, verb in asked:
        assert f"`{verb}`" in said
