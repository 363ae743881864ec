"""Which pods the lab's tests take for running."""

import subprocess
from typing import Any

import pytest

from lab import asking
from lab.cluster import Cluster
from lab.layout import MACHINES, Layout
from lab.processes import LabError

_NODE = MACHINES[0].name


def _pod(name: str, **status: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name}, "spec": {"nodeName": _NODE}, "status": status}


class _Listed(Cluster):
    """A cluster whose list of pods changes; the last one stays."""

    def __init__(self, *lists: list[dict[str, Any]]) -> None:
        self._lists = list(lists)

    def request(self, *_: object, **__: object) -> dict[str, Any]:
        return {"items": self._lists.pop(0) if len(self._lists) > 1 else self._lists[0]}


def _sandboxes(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    answered = subprocess.CompletedProcess[str](
        [], 0, "".join(f"shop {name} /run/netns/{name}\n" for name in names), ""
    )
    monkeypatch.setattr(asking, "ssh", lambda *_, **__: answered)


def test_a_pod_that_runs_and_has_no_address_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    _sandboxes(monkeypatch, "web", "late")
    web, late = _pod("web", phase="Running", podIP="10.244.0.7"), _pod("late", phase="Running")
    after = _pod("late", phase="Running", podIP="10.244.0.8")

    found = asking.pods(Layout(), _Listed([web, late], [web, after]))

    assert [(pod["name"], pod["address"], pod["netns"]) for pod in found] == [
        ("web", "10.244.0.7", "/run/netns/web"),
        ("late", "10.244.0.8", "/run/netns/late"),
    ]


def test_a_pod_without_a_sandbox_is_named_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_PODS_SECONDS", 0)
    _sandboxes(monkeypatch, "web")
    pods = [_pod(name, phase="Running", podIP="10.244.0.7") for name in ("web", "late")]
    with pytest.raises(LabError, match="pods that run without an address or a sandbox: shop/late;"):
        asking.pods(Layout(), _Listed(pods))


def test_a_pod_that_ends_or_does_not_run_yet_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _sandboxes(monkeypatch)
    ending = _pod("ending", phase="Running")
    ending["metadata"]["deletionTimestamp"] = "2026-11-26T17:00:00Z"
    assert asking.pods(Layout(), _Listed([ending, _pod("new", phase="Pending")])) == []


def test_a_machine_that_does_not_answer_in_time_is_an_error_that_is_waited_out() -> None:
    with pytest.raises(LabError, match=r"no answer within 0.01 s to sleep 60"):
        asking._run(["sleep", "60"], "", 0.01)
