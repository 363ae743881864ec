"""What `vds canary` prints, and its exit codes."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from components.gateway.canary.traffic import Totals
from tests.support.rollouts import Rollout
from vds import main
from vds.canary import command, counters

CLUSTER = ("--namespace", "butikk", "--kubeconfig", "/dev/null")


@pytest.fixture
def rollout(monkeypatch: pytest.MonkeyPatch) -> Rollout:
    made = Rollout()
    monkeypatch.setattr(command, "Cluster", lambda _: made.api)
    monkeypatch.setattr(time, "time", made.now)
    monkeypatch.setattr(time, "sleep", lambda pause: made.sleep(pause))
    monkeypatch.setattr(counters, "read", lambda *_: made.counters())
    return made


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Mapping[str, Any]]:
    status = main.run(["canary", *words, "api", *CLUSTER, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_good_canary_ends_with_0_and_a_bad_one_with_1(rollout: Rollout, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = asked(capsys, "start")
    assert (status, found["phase"], found["percent"]) == (0, "finished", 100)
    assert asked(capsys, "status")[0] == 0
    rollout.failing = lambda _: 0.05
    status, found = asked(capsys, "start", "--again")
    assert (status, found["phase"], found["percent"]) == (1, "rolled-back", 0)
    assert set(found["gates"]) == {"success", "latency"}
    status, found = asked(capsys, "status")
    assert status == 1
    assert found["findings"] == [f"rolled back: {found['reason']}"]


def test_progress_goes_to_standard_error_and_the_result_to_standard_output(
    rollout: Rollout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["canary", "start", "api", *CLUSTER]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "✓ canary of route 'api' in butikk: finished, 100 % after success: equivalent, latency: equivalent"
    ]
    assert "  set to 5 %: started with 5 %" in shown.err.splitlines()
    assert "canary and" in shown.err


def test_status_says_that_nobody_watches_and_that_the_route_has_another_share(
    rollout: Rollout, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = asked(capsys, "status")
    assert (status, found["phase"], found["livePercent"]) == (0, "not begun", 0)
    command.running.begin(rollout.canaried, holder="another-host/1", now=rollout.now())
    status, found = asked(capsys, "status")
    assert status == 1
    assert found["findings"] == [
        "the route gives it 0 %, and its record says 5 %: run `vds canary start api --namespace butikk`"
    ]
    rollout.canaried.set_weights(5)
    assert asked(capsys, "status")[0] == 0
    rollout.sleep(31)
    assert asked(capsys, "status")[1]["findings"] == [
        "no process watches it: run `vds canary start api --namespace butikk`"
    ]


def test_by_hand(rollout: Rollout, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["canary", "promote", "api", *CLUSTER, "--json"]) == 2
    assert "has not begun" in capsys.readouterr().out
    command.running.begin(rollout.canaried, holder="another-host/1", now=rollout.now())
    assert asked(capsys, "pause")[1]["phase"] == "paused"
    assert asked(capsys, "promote")[1]["percent"] == 25
    assert rollout.percent == 25
    assert main.run(["canary", "abort", "api", *CLUSTER]) == 0
    assert capsys.readouterr().out.startswith("✓ canary of route 'api' in butikk: rolled-back at 0 % (by hand)")
    assert rollout.percent == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("api", "--namespace", "butikk"), "name the cluster: --kubeconfig or --stack, and only one of them"),
        (("api", *CLUSTER, "--stack", "oslo"), "name the cluster: --kubeconfig or --stack, and only one of them"),
        (("apj", *CLUSTER), "route 'apj' in butikk: is not in the cluster: correct the name, or run `pulumi up`"),
    ],
)
def test_the_cluster_and_the_route_are_named(
    rollout: Rollout, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert main.run(["canary", "status", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert rollout.api.writes == 0


@pytest.mark.parametrize("name", ["start", "status", "promote", "pause", "abort"])
def test_each_command_has_the_same_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["canary", name, "--help"]) == 0
    shown = capsys.readouterr().out
    for option in ("--namespace", "--kubeconfig", "--stack", "--config-file", "--json"):
        assert option in shown
    assert ("--again" in shown) is ("--prometheus" in shown) is (name == "start")


def test_a_prometheus_is_named_as_a_service(rollout: Rollout, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["canary", "start", "api", *CLUSTER, "--prometheus", "http://10.0.0.1/"]) == 2
    assert "write it as in monitoring-system/prometheus:9090" in " ".join(capsys.readouterr().err.split())
    assert rollout.api.writes == 0


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"gateway": {"": "pods is forbidden"}}, "source gateway can't be counted (pods is forbidden)"),
        ({"gateway": {}}, "(no pod of Traefik runs in gateway-system)"),
        ({"gateway": {"uid-1": "pod traefik-1: no answer in time"}}, "(pod traefik-1: no answer in time)"),
        ({"probe": {"": {"stable": Totals(5, 5), "canary": Totals(5)}}}, "stable version answers no probe with 200"),
        ({"prometheus": {"": "no answer"}}, "name a Prometheus that collects from the gateway's pods"),
    ],
)
def test_without_counters_nothing_is_begun(
    rollout: Rollout,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    seen: Mapping[str, Any],
    said: str,
) -> None:
    monkeypatch.setattr(counters, "read", lambda *_: seen)
    assert main.run(["canary", "start", "api", *CLUSTER]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert (rollout.api.writes, rollout.percent) == (0, 0)
