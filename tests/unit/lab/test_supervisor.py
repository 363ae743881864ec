"""What the supervisor, the lab's part of a kubelet, says and does turn after turn."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from lab.node import status, supervisor
from lab.node.pods import Pod, Settings
from lab.node.supervisor import Supervisor
from lab.processes import LabError

CONFIG = "/api/v1/namespaces/kube-system/configmaps/cilium-config"


class FakeCluster:
    """Keeps one pod's status, and what it was asked."""

    def __init__(self, pod: dict[str, Any]) -> None:
        self.pod = pod
        self.refusals = 0
        self.invalid = False
        self.config = {"data": {"mtu": "1500"}}
        self.node_ready: list[str] = []

    def request(self, method: str, path: str, body: Any = None, **_: Any) -> Any:
        if path == CONFIG:
            return self.config
        if path.startswith("/api/v1/nodes/"):
            self.node_ready.append(body["status"]["conditions"][0]["status"])
        elif method == "PATCH":
            if self.refusals:
                self.refusals -= 1
                raise LabError("no answer")
            if self.invalid:
                raise ApiException(status=422, reason="invalid")
            self.pod["status"] = body["status"]
        return {"items": [self.pod]}

    def apply(self, manifest: dict[str, Any]) -> None:
        """A lease."""


class FakeAgent:
    """An agent that is replaced when its configuration changes, and takes its time."""

    def __init__(self) -> None:
        self.config: Any = None
        self.healthy = True
        self.asked = 0

    def converge(self, config: Any) -> bool:
        started, self.config = config != self.config, config
        return started

    def is_healthy(self) -> bool:
        self.asked += 1
        return self.healthy


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    manifest = {
        "metadata": {"namespace": "n", "name": "p", "uid": "u1"},
        "spec": {"containers": [{"name": "c", "image": "lab/idle"}]},
    }
    cluster, agent = FakeCluster(manifest), FakeAgent()
    monkeypatch.setattr(supervisor, "Cluster", lambda _: cluster)
    monkeypatch.setattr(supervisor, "CiliumAgent", lambda *_, **__: agent)
    settings = Settings("osl-1", "192.0.2.11", tmp_path, tmp_path, Path("/ca"), {})
    made = Supervisor(settings, {"kubeconfig": "k", "bpf_source": "b"}, SimpleNamespace())  # type: ignore[arg-type]
    process = subprocess.Popen(["sleep", "60"])
    made.pods["u1"] = Pod(manifest, process, "10.244.0.7")
    yield SimpleNamespace(supervisor=made, cluster=cluster, agent=agent)
    process.kill()
    process.wait()


def called_ready(cluster: FakeCluster) -> bool:
    conditions = (cluster.pod.get("status") or {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def test_a_readiness_that_could_not_be_written_is_written_in_the_next_turn(node: Any) -> None:
    node.cluster.refusals = 1
    with pytest.raises(LabError):
        node.supervisor.turn()
    assert not called_ready(node.cluster)
    node.supervisor.turn()
    assert called_ready(node.cluster)


def test_a_pod_that_somebody_else_calls_not_ready_is_called_ready_again(node: Any) -> None:
    node.supervisor.turn()
    for condition in node.cluster.pod["status"]["conditions"]:
        condition["status"] = "False"
    node.supervisor.turn()
    assert called_ready(node.cluster)


def test_a_replaced_agent_is_asked_before_a_pod_is_attached_and_the_node_stays_ready(node: Any) -> None:
    node.supervisor.turn()
    assert (node.agent.asked, node.supervisor.network_ready) == (1, True)
    node.supervisor.turn()
    assert node.agent.asked == 1, "health is asked with the heartbeat only"
    node.cluster.config, node.agent.healthy = {"data": {"mtu": "9000"}}, False
    node.supervisor.turn()
    assert not node.supervisor.network_ready
    assert node.cluster.node_ready == ["True"]
    node.agent.healthy = True
    node.supervisor.turn()
    assert node.supervisor.network_ready


def test_a_pod_whose_status_is_refused_stops_no_other(node: Any, capfd: pytest.CaptureFixture[str]) -> None:
    node.cluster.invalid = True
    node.supervisor.turn()
    assert "pod p: 422 invalid" in capfd.readouterr().out


def test_a_pod_that_starts_again_has_its_new_address_alone(node: Any) -> None:
    pod = node.supervisor.pods["u1"]
    said = status.current(pod.manifest, pod, "192.0.2.11", "now", restarts=1, waiting=None)
    assert {"$patch": "replace"} in said["podIPs"], "a list that is merged by its key keeps the old one"
