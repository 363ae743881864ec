"""Which pods the lab's tests take for running."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from lab import asking
from lab.cluster import Cluster
from lab.layout import MACHINES, Layout

_NODE = MACHINES[0].name


def _pod(name: str, **status: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name}, "spec": {"nodeName": _NODE}, "status": status}


class _Listed(Cluster):
    """A cluster with some pods."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self._pods = list(pods)

    def request(self, *_: object, **__: object) -> dict[str, Any]:
        return {"items": self._pods}


def test_a_pod_that_runs_and_has_no_address_yet_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    sandboxes = "shop web /run/netns/web\nshop late /run/netns/late\n"
    answered = subprocess.CompletedProcess[str]([], 0, sandboxes, "")
    monkeypatch.setattr(asking, "ssh", lambda *_, **__: answered)
    cluster = _Listed(_pod("web", phase="Running", podIP="10.244.0.7"), _pod("late", phase="Running"))

    found = asking.pods(Layout(), cluster)

    assert [(pod["name"], pod["address"], pod["netns"]) for pod in found] == [("web", "10.244.0.7", "/run/netns/web")]
