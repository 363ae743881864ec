"""An upgrade of one node, against an API server and a server in memory."""

import json
from typing import Any

import pytest

from components.core import labels
from components.kubeadm.scripts import command
from components.kubeadm.upgrade.document import Upgrade, upgrade_document
from tests.support.bootstraps import bootstrap, bootstrap_data
from tests.support.fake_cluster import FakeCluster, fake_clock, gateway, node, pod
from vds.decommission.node import RefusedError
from vds.shared.errors import IncompleteError
from vds.shared.lease import Lease
from vds.upgrade.command import Clients, upgrade

SECRET = "hunter2hunter2"
NODE = "osl-w-2"


def document(**changes: Any) -> Upgrade:
    plan = bootstrap()
    text = upgrade_document(
        plan, next(one for one in plan.nodes if one.name == NODE), "gateway-system", private_key=SECRET
    )
    return Upgrade.model_validate_json(text).model_copy(update=changes)


def printed(version: str, *more: str) -> str:
    packages = document().packages | dict.fromkeys(("kubeadm", "kubectl", "kubelet"), f"{version}-1.1")
    return "\n".join(["member", *more, *(f"package installed {name} {said}" for name, said in packages.items())])


def at(name: str, version: str, **more: Any) -> dict[str, Any]:
    made = node(name, **more)
    made["status"]["nodeInfo"] = {"kubeletVersion": f"v{version}"}
    return made


def server(version: str) -> dict[str, Any]:
    made = pod("kube-apiserver-osl-cp-1", on="osl-cp-1", owner="Node")
    made["spec"]["containers"] = [{"image": f"registry.k8s.io/kube-apiserver:v{version}"}]
    return made


class Cluster(FakeCluster):
    def request(self, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        if path == "/api/v1/namespaces/kube-system/pods":
            self.calls.append((method, path))
            return {"items": [item for item in self.pods.values() if "kube-apiserver" in item["metadata"]["name"]]}
        return super().request(method, path, body, **more)


class FakeShell:
    """The node: its versions, and what an upgrade does to its Node object."""

    def __init__(self, cluster: FakeCluster, said: str) -> None:
        self.cluster, self.said = cluster, said
        self.error: Exception | None = None
        self.scripts: list[str] = []
        self.cordoned: list[bool] = []
        self.becomes = "1.36.3"
        self.snapshots = 0

    def run(self, line: str, script: str, *, seconds: float, purpose: str) -> str:  # noqa: ARG002
        if not script:
            return self.said
        if line == command("snapshot"):
            assert not self.scripts, "it comes before the upgrade"
            self.snapshots += 1
            return "/var/lib/vds-platform-cluster/etcd-before-1.36.3.db\n"
        assert line == command("upgrade")
        self.scripts.append(script)
        self.cordoned.append(self.cluster.is_cordoned(NODE))
        if self.error:
            raise self.error
        self.cluster.nodes[NODE]["status"]["nodeInfo"]["kubeletVersion"] = f"v{self.becomes}"
        return "changed\n"


class Agent:
    """The backup of another control plane: what it says after a run."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.lines: list[str] = []

    def run(self, line: str, script: str, *, seconds: float, purpose: str) -> str:  # noqa: ARG002
        assert "main(json.loads(" in script
        self.lines.append(line)
        return self.answer


class Run:
    def __init__(
        self, *pods: Any, said: str | None = None, version: str = "1.36.2", servers: str = "1.36.3", **of_node: Any
    ):
        found = [at("osl-cp-1", "1.36.3", member=True), at("osl-w-1", version), at(NODE, version, **of_node)]
        self.cluster = Cluster(*found, pods=[server(servers), *pods])
        self.shell = FakeShell(self.cluster, printed(version) if said is None else said)
        self.reported: list[str] = []
        self.agents: dict[str, Agent] = {}

    def __call__(self, **changes: Any) -> bool:
        clients = Clients(
            self.shell, lambda: self.cluster, lambda at: self.agents[at.address], self.reported.append, fake_clock()
        )
        return upgrade(document(**changes), clients)

    def problems(self, **changes: Any) -> list[str]:
        with pytest.raises(IncompleteError) as caught:
            self(**changes)
        assert SECRET not in str(caught.value)
        return list(caught.value.problems)


def ready(made: dict[str, Any], state: str = "True") -> dict[str, Any]:
    made["status"]["conditions"] = [{"type": "Ready", "status": state}]
    return made


def test_a_node_is_drained_upgraded_and_takes_pods_again():
    run = Run(pod("api"), ready(pod("agent", owner="DaemonSet")))
    assert run()
    assert run.shell.cordoned == [True]
    assert run.cluster.evictions() == ["api"]
    assert not run.cluster.is_cordoned(NODE)
    assert labels.CORDONED not in run.cluster.nodes[NODE]["metadata"]["annotations"]


def test_a_node_that_is_as_wanted_is_left_alone():
    run = Run(pod("api"), version="1.36.3")
    assert not run()
    assert run.shell.scripts == []
    assert [method for method, _ in run.cluster.calls] == ["GET"]


@pytest.mark.parametrize(
    ("said", "of_node"), [(printed("1.36.3", "unfinished"), {}), (printed("1.36.3"), {"cordoned": "us"})]
)
def test_what_a_killed_run_left_is_finished(said, of_node):
    run = Run(said=said, version="1.36.3", **of_node)
    assert run()
    assert len(run.shell.scripts) == 1
    assert not run.cluster.is_cordoned(NODE)


def test_an_operators_cordon_stays():
    run = Run(cordoned="somebody")
    assert run()
    assert run.cluster.is_cordoned(NODE)


def test_a_budget_that_does_not_give_way_stops_the_upgrade_before_the_node_changes():
    run = Run(pod("api"))
    run.cluster.budgets["api"] = 1000
    first, second = run.problems(drain_seconds=30)
    assert "node osl-w-2: still has pods after its drainSeconds, 30, so it was not upgraded" in first
    assert second.startswith("pod shop/api can't be evicted: The disruption budget shop-api")
    assert run.shell.scripts == []
    assert not run.cluster.is_cordoned(NODE)


def test_a_gateways_last_pod_stops_it_too():
    run = Run()
    run.cluster.services, run.cluster.slices = gateway(NODE)
    assert "has its only ready pods on node osl-w-2" in run.problems()[0]
    run.cluster.services, run.cluster.slices = gateway(NODE, NODE)
    assert run(), "the node before was upgraded, and all of the gateway's pods have come here: they leave one by one"


def test_the_only_control_plane_may_be_drained_for_an_upgrade():
    """Its etcd stays where it is: there is nothing to lose a majority of."""
    run = Run()
    found = run.cluster.nodes
    found[NODE]["metadata"]["labels"] = found.pop("osl-cp-1")["metadata"]["labels"]
    assert run()


def test_a_node_is_not_drained_without_seconds_for_it():
    run = Run(pod("api"))
    assert run(drain_seconds=0)
    assert (run.shell.cordoned, run.cluster.evictions()) == ([False], [])


def test_a_failed_upgrade_leaves_the_node_cordoned_and_says_so():
    run = Run()
    run.shell.error = RefusedError("its script could not upgrade it: kubeadm upgrade node failed")
    [problem] = run.problems()
    assert "kubeadm upgrade node failed. It stays cordoned. Run `pulumi up` again" in problem
    assert run.cluster.is_cordoned(NODE)


@pytest.mark.parametrize(
    ("agent", "becomes", "reason"),
    [
        (ready(pod("agent", owner="DaemonSet"), "False"), "1.36.3", "not ready: pod shop/agent"),
        (ready(pod("agent", owner="DaemonSet")), "1.36.2", "its kubelet is v1.36.2, not v1.36.3"),
    ],
)
def test_a_node_that_does_not_become_ready_takes_no_pods(agent, becomes, reason):
    run = Run(agent)
    run.shell.becomes = becomes
    [problem] = run.problems()
    assert reason in problem
    assert run.cluster.is_cordoned(NODE)


def test_versions_too_far_apart_are_refused_before_the_drain():
    run = Run(pod("api"), servers="1.34.8")
    assert "1.36.3 is 2 minors newer than 1.34.8" in run.problems()[0]
    assert (run.cluster.evictions(), run.shell.scripts) == ([], [])


def test_a_node_that_is_no_member_any_more_is_said():
    assert "is no member of the cluster" in Run(said="").problems()[0]
    run = Run()
    del run.cluster.nodes[NODE]
    assert "the cluster has no such node" in run.problems()[0]


def test_the_document_has_the_key_alone_as_a_secret():
    data = bootstrap_data()
    text = upgrade_document(bootstrap(data), bootstrap(data).nodes[0], "gateway-system", private_key=SECRET)
    found = json.loads(text)
    assert [name for name, value in found.items() if value == SECRET] == ["privateKey"]
    assert "kubeconfig" not in found
    assert SECRET not in repr(Upgrade.model_validate_json(text))


# --- a snapshot before the first machine --------------------------------------------------------------------


def first(*answers: dict[str, Any] | None) -> tuple[Run, dict[str, Any]]:
    """A run on the first control plane; `answers` of the backup on each, of clusters that have one."""
    found = document()
    servers = [found.server.model_copy(update={"address": f"192.0.2.{number}"}) for number, _ in enumerate(answers)]
    run = Run()
    run.agents = {
        one.address: Agent(json.dumps({"timer": "active", "last": answer}))
        for one, answer in zip(servers, answers, strict=True)
    }
    named = {f"osl-cp-{number}": one for number, one in enumerate(servers, 1)}
    return run, {"first": found.server, "backups": named}


def test_the_first_control_plane_is_saved_before_it_is_drained_and_the_others_are_not() -> None:
    run, changes = first()
    assert run(**changes)
    assert run.shell.snapshots == 1
    assert "etcd's snapshot: osl-w-2:/var/lib/vds-platform-cluster/etcd-before-1.36.3.db" in run.reported
    other = Run()
    assert other()
    assert other.shell.snapshots == 0


def test_the_configured_backup_takes_it_and_the_newest_one_is_named() -> None:
    run, changes = first({"taken": -900, "object": "oslo/old.age"}, {"taken": 2, "object": "oslo/new.age"}, None)
    assert run(**changes)
    assert (run.shell.snapshots, [one.lines[0].split()[-1] for one in run.agents.values()]) == (0, ["now"] * 3)
    assert "etcd's snapshot: oslo/new.age in the bucket" in run.reported


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (({"taken": -900, "object": "oslo/old.age"},), "no control plane has uploaded a snapshot of etcd"),
        ((None, None), "no control plane has uploaded a snapshot of etcd"),
    ],
)
def test_without_a_snapshot_nothing_is_changed(answers: Any, reason: str) -> None:
    run, changes = first(*answers)
    assert reason in run.problems(**changes)[0]
    assert (run.shell.scripts, run.cluster.evictions()) == ([], [])


def test_an_answer_of_a_backup_that_is_none_stops_the_upgrade() -> None:
    run, changes = first(None)
    next(iter(run.agents.values())).answer = "Unit vds-platform-backup.service not found."
    assert "no snapshot of etcd was taken before the upgrade" in run.problems(**changes)[0]
    assert run.shell.scripts == []


def test_an_upgrade_that_was_begun_has_its_snapshot() -> None:
    run, changes = first()
    run.shell.said = printed("1.36.2", "unfinished")
    assert run(**changes)
    assert run.shell.snapshots == 0


def test_a_node_is_not_upgraded_while_another_is_rebooted():
    run = Run()
    Lease(run.cluster, "kube-system", "vds-platform-reboot", "reboot of nodes", "ci/1", fake_clock()).take()
    [said] = run.problems()
    assert (
        "was not upgraded, because process ci/1 reboots nodes: run `pulumi up` again when `vds reboot` has ended"
        in said
    )
    assert run.shell.scripts == []
