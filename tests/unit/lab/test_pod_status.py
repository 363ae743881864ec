"""What the supervisor tells the API server of a pod whose program ends."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.machine import Need
from lab.node import pods, status
from lab.node.pods import Pod, Settings, UnknownImageError, ended

NOW = "2026-11-21T10:00:00Z"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "pods" / "u1").mkdir(parents=True)
    tools = {name: f"/tools/{name}" for name in ("metallb-controller", "metallb-speaker", "traefik")}
    return Settings("osl-1", "192.0.2.11", tmp_path, tmp_path, Path("/ca"), tools)


def pod(command: str, **container: Any) -> Pod:
    manifest = {
        "metadata": {"namespace": "n", "name": "p", "uid": "u1"},
        "spec": {"containers": [{"name": "bench", "image": "lab/idle", **container}]},
    }
    return Pod(manifest, subprocess.Popen(["sh", "-c", command]), "10.244.0.7")


def test_a_message_that_was_left_is_reported_to_its_last_4096_bytes(settings: Settings) -> None:
    (settings.folder / "pods/u1/termination-message").write_text("x" + "y" * 4096)
    state = ended(pod("exit 0", terminationMessagePath="/run/result"), settings)
    assert state == {"exitCode": 0, "reason": "Completed", "message": "y" * 4096}


def test_a_failure_without_a_message_falls_back_to_the_log_where_the_pod_says_so(settings: Settings) -> None:
    (settings.folder / "pods/u1/termination-message").write_text("")
    (settings.logs / "pod-n-p.log").write_text("iperf3: not found")
    where = {"terminationMessagePath": "/run/result"}
    falls_back = {**where, "terminationMessagePolicy": "FallbackToLogsOnError"}
    assert ended(pod("exit 127", **falls_back), settings)["message"] == "iperf3: not found"
    assert "message" not in ended(pod("exit 127", **where), settings)


def test_the_default_path_below_dev_is_the_machines_and_never_read(settings: Settings) -> None:
    state = ended(pod("exit 3", terminationMessagePath="/dev/termination-log"), settings)
    assert state == {"exitCode": 3, "reason": "Error"}


def test_an_end_by_a_signal_is_said_as_a_shell_says_it(settings: Settings) -> None:
    assert ended(pod("kill -9 $$"), settings)["exitCode"] == 137


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (1, "Failed")])
def test_a_pod_that_is_not_run_again_says_how_it_ended(code: int, phase: str) -> None:
    written = status.finished(pod("exit 0"), {"exitCode": code}, NOW)
    assert written["phase"] == phase
    assert written["containerStatuses"][0]["state"] == {"terminated": {"exitCode": code, "finishedAt": NOW}}


def test_a_pod_that_waits_says_for_what() -> None:
    waiting = {"reason": "ErrImagePull", "message": "not here"}
    written = status.current(pod("exit 0").manifest, None, "192.0.2.11", NOW, restarts=2, waiting=waiting)
    assert written["phase"] == "Pending"
    assert written["containerStatuses"][0]["state"] == {"waiting": waiting}


def test_iperf3_is_the_machines_own_or_named_as_missing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pods, "IPERF3", Need(("sh",), "iperf3"))
    assert settings.program("localhost/lab/iperf3") == ["iperf3"]
    monkeypatch.setattr(pods, "IPERF3", Need(("no-such-command",), "iperf3"))
    with pytest.raises(UnknownImageError, match="apt-get install --no-install-recommends iperf3"):
        settings.program("localhost/lab/iperf3")
