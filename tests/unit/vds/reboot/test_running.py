"""Reboots of nodes, against an API server and nodes in memory."""

from datetime import UTC, datetime

import pytest

from components.core import labels
from components.kubernetes_api import ApiError
from components.nodes.model import NodeSpec
from components.nodes.os_updates.model import Opening
from components.nodes.os_updates.rules import BOOT_SECONDS, READY_SECONDS
from components.nodes.os_updates.state import OsState
from tests.support.fake_cluster import FakeCluster, fake_clock, node, pod
from vds.decommission import plan
from vds.reboot.asking import Answer
from vds.reboot.running import Clients, Step, planned, run
from vds.shared.errors import IncompleteError, OperationError

NAMES = ("osl-cp-1", "osl-cp-2", "osl-cp-3", "osl-w-1", "osl-w-2")


def spec(name, **more):
    role = "control-plane" if "-cp-" in name else "worker"
    facts = {"name": name, "address": "192.0.2.11", "country": "NO", "provider": {"name": "Lab", "country": "NO"}}
    return NodeSpec.model_validate(facts | {"roles": [role]} | more)


SPECS = {name: spec(name) for name in NAMES}


class Site:
    """Nodes that boot again, and what a test wants to go wrong with them."""

    def __init__(self, *pods):
        daemons = [self._daemon(name, "1") for name in NAMES]
        self.cluster = FakeCluster(*(node(name, member="-cp-" in name) for name in NAMES), pods=[*daemons, *pods])
        self.state = {name: OsState(f"{name}-1", 1000, "6.1") for name in NAMES}
        for name in NAMES:
            self.cluster.nodes[name]["status"]["nodeInfo"] = {"bootID": f"{name}-1"}
        self.silent: dict[str, int] = {}
        """How often a node does not answer."""
        self.booted: list[str] = []
        self.failures: list[dict[str, str]] = [{}]
        """What the doctor finds, look by look; the last one stays."""
        self.etcd_problems = [""]
        self.kubelet_reports = True
        self.lost = ""
        self.announcers = None
        self.reported: list[str] = []
        self.clock = fake_clock()

    @staticmethod
    def _daemon(name, number):
        made = pod(f"cilium-{name}", on=name, owner="DaemonSet")
        statuses = [{"containerID": f"containerd://{name}-{number}"}]
        made["status"] = {"conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": statuses}
        return made

    def requires(self, *names):
        for name in names:
            self.state[name] = self.state[name]._replace(reasons=("required by libc6",), since=1)
        return self

    def ask(self, node):
        if self.silent.get(node.name, 0):
            self.silent[node.name] -= 1
            return Answer(node.name, None, "no route")
        return Answer(node.name, self.state[node.name])

    def reboot(self, node, boot):
        assert self.state[node.name].boot == boot
        assert self.cluster.is_cordoned(node.name) or not node.drain_seconds
        assert sum(self.cluster.is_cordoned(name) for name in NAMES) <= 1, "one at a time"
        self.booted.append(node.name)
        self.state[node.name] = OsState(f"{node.name}-2", 1000, "6.2")
        if self.kubelet_reports:
            self.cluster.nodes[node.name]["status"]["nodeInfo"]["bootID"] = f"{node.name}-2"
            self.cluster.pods[f"cilium-{node.name}"] = self._daemon(node.name, "2")

    def failing(self):
        return self.failures.pop(0) if len(self.failures) > 1 else self.failures[0]

    def etcd(self, _):
        return self.etcd_problems.pop(0) if len(self.etcd_problems) > 1 else self.etcd_problems[0]

    def require_lease(self):
        if self.lost:
            raise OperationError(self.lost)

    def plan(self):
        answers = [self.ask(one) for one in SPECS.values()]
        return planned(tuple(SPECS.values()), answers, list(self.cluster.nodes.values()))

    def run(self, opening=None):
        found = self.plan()
        assert found.problems == ()
        clients = Clients(
            self.cluster,
            self.ask,
            self.reboot,
            self.failing,
            self.etcd,
            self.reported.append,
            self.require_lease,
            "gateway-system",
            self.announcers and (lambda: self.announcers(self)),
            self.clock,
        )
        return [(step.node.name, said) for step, said in run(found.steps, opening, clients)]

    def stopped(self, opening=None):
        with pytest.raises(IncompleteError) as caught:
            self.run(opening)
        return "\n".join(caught.value.problems)

    def is_clean(self):
        return not any(
            self.cluster.is_cordoned(name)
            or {labels.CORDONED, labels.REBOOTING} & self.cluster.nodes[name]["metadata"].get("annotations", {}).keys()
            for name in NAMES
        )


def test_only_nodes_that_need_it_workers_first_and_all_take_pods_again():
    site = Site(pod("api", on="osl-w-2")).requires("osl-cp-1", "osl-w-2", "osl-cp-3")
    assert [name for name, _ in site.run()] == ["osl-w-2", "osl-cp-1", "osl-cp-3"]
    assert site.booted == ["osl-w-2", "osl-cp-1", "osl-cp-3"]
    assert site.cluster.evictions() == ["api"]
    assert site.is_clean()
    assert site.plan().steps == ()


def test_a_budget_stops_it_and_the_second_run_goes_on():
    site = Site(pod("api", on="osl-w-1")).requires("osl-w-1", "osl-w-2")
    site.cluster.budgets["api"] = 1000
    said = site.stopped()
    assert "node osl-w-1: still has pods after its drainSeconds, 300, so it was not rebooted" in said
    assert "The disruption budget shop-api needs 2 healthy pods" in said
    assert (site.booted, site.is_clean()) == ([], True)
    site.cluster.budgets.clear()
    site.run()
    assert site.booted == ["osl-w-1", "osl-w-2"]


def window(seconds):
    """Open for so many seconds more; the fake clock is at 1970."""
    return Opening(datetime.fromtimestamp(-1, UTC), datetime.fromtimestamp(seconds, UTC))


def test_a_node_is_begun_only_if_there_is_time_for_its_limits():
    needed = 300 + BOOT_SECONDS + READY_SECONDS
    site = Site().requires("osl-w-1", "osl-w-2")
    assert site.run(window(needed - 1)) == [("osl-w-1", "left"), ("osl-w-2", "left")]
    assert not any(method == "PATCH" for method, _ in site.cluster.calls)
    site.silent["osl-w-1"] = 0
    assert [said.split()[0] for _, said in site.run(window(needed))] == ["rebooted", "rebooted"]
    again = Site().requires("osl-w-1", "osl-w-2")
    again.failures = [{}, {"gateway": "does not answer"}, {}]  # two seconds are waited for
    assert [said.split()[0] for _, said in again.run(window(needed + 1))] == ["rebooted", "left"]


def test_a_node_that_does_not_come_back_stays_cordoned_and_stops_everything():
    site = Site().requires("osl-w-1", "osl-w-2")
    boot = site.reboot

    def dies(node, before):
        boot(node, before)
        site.silent[node.name] = 10_000
        site.cluster.nodes[node.name]["status"]["conditions"][0]["status"] = "Unknown"

    site.reboot = dies
    said = site.stopped()
    assert f"node osl-w-1: does not answer {BOOT_SECONDS} s after its reboot, and stays cordoned" in said
    assert site.booted == ["osl-w-1"]
    assert site.cluster.is_cordoned("osl-w-1")
    # Repaired: the next run finishes it without a second reboot, and goes on.
    site.reboot, site.silent = boot, {}
    site.cluster.nodes["osl-w-1"]["status"]["conditions"][0]["status"] = "True"
    [first, second] = site.run()
    assert (first[0], second[0], site.booted) == ("osl-w-1", "osl-w-2", ["osl-w-1", "osl-w-2"])
    assert site.is_clean()


def test_a_run_that_was_killed_after_the_drain_is_continued_with_the_reboot():
    site = Site().requires("osl-w-2")
    annotations = {labels.REBOOTING: "osl-w-2-1", labels.CORDONED: "true"}
    site.cluster.request(
        "PATCH", "/api/v1/nodes/osl-w-2", {"metadata": {"annotations": annotations}, "spec": {"unschedulable": True}}
    )
    assert [step.begun for step in site.plan().steps] == ["osl-w-2-1"]
    site.run()
    assert (site.booted, site.is_clean()) == (["osl-w-2"], True)


@pytest.mark.parametrize("late", ["kubelet", "container", "pod"])
def test_a_status_of_before_the_reboot_is_no_proof(late):
    site = Site().requires("osl-w-1", "osl-w-2")
    boot = site.reboot

    def half(node, before):
        boot(node, before)
        if late == "kubelet":
            site.cluster.nodes[node.name]["status"]["nodeInfo"]["bootID"] = before
        elif late == "container":
            site.cluster.pods[f"cilium-{node.name}"] = Site._daemon(node.name, "1")
        else:
            site.cluster.pods[f"cilium-{node.name}"]["status"]["conditions"][0]["status"] = "False"

    site.reboot = half
    reason = {"kubelet": "its kubelet has not reported yet"}.get(late, "not ready: pod shop/cilium-osl-w-1")
    assert f"is not well after {READY_SECONDS} s, so it takes no pods: {reason}" in site.stopped()
    assert site.booted == ["osl-w-1"]
    assert site.cluster.is_cordoned("osl-w-1")


def test_what_the_doctor_finds_since_the_first_node_stops_and_what_it_found_before_does_not():
    site = Site().requires("osl-w-1", "osl-w-2")
    old = {"node osl-w-1 etcd-disk": "slow"}
    site.failures = [old, old | {"gateway": "does not answer"}]
    said = site.stopped()
    assert "gateway: does not answer" in said
    assert "etcd-disk" not in said
    assert site.booted == ["osl-w-1"]
    assert site.cluster.is_cordoned("osl-w-1")
    site.failures = [old]
    # What fails on a node that was begun may be its reboot's doing.
    assert "node osl-w-1 etcd-disk: slow" in site.stopped()
    site.failures = [{}]
    site.run()
    assert site.is_clean()


def test_an_etcd_that_is_not_well_keeps_its_members():
    site = Site().requires("osl-cp-2")
    site.etcd_problems = ["etcd-3 is unhealthy"]
    said = site.stopped()
    assert "osl-cp-2: was not rebooted, because not every member of etcd is healthy: etcd-3 is unhealthy" in said
    assert (site.booted, site.is_clean()) == ([], True)


def test_a_member_of_etcd_that_starts_is_waited_for():
    site = Site().requires("osl-cp-2")
    site.etcd_problems = ["etcd-1 has no leader", "etcd-1 has no leader", ""]
    site.run()
    assert site.booted == ["osl-cp-2"]
    assert "node osl-cp-2: etcd-1 has no leader: waiting" in site.reported


def test_an_operators_cordon_stays():
    site = Site().requires("osl-w-1")
    site.cluster.request("PATCH", "/api/v1/nodes/osl-w-1", {"spec": {"unschedulable": True}})
    site.run()
    assert site.cluster.is_cordoned("osl-w-1")
    assert labels.REBOOTING not in site.cluster.nodes["osl-w-1"]["metadata"].get("annotations", {})


def test_a_node_that_installs_updates_is_waited_for():
    site = Site().requires("osl-w-1")
    site.state["osl-w-1"] = site.state["osl-w-1"]._replace(installing=True)
    assert "node osl-w-1: was not rebooted: unattended-upgrades is at work" in site.stopped()
    assert (site.booted, site.is_clean()) == ([], True)


def test_nothing_is_begun_while_something_else_is_wrong():
    site = Site().requires("osl-w-1")
    site.silent["osl-cp-1"] = 1
    assert site.plan().problems == ("node osl-cp-1: no route: start it, or repair its SSH server",)
    site.cluster.nodes["osl-cp-2"]["status"]["conditions"][0]["status"] = "Unknown"
    site.cluster.nodes["osl-cp-3"] = node("osl-cp-3", member=True, cordoned="us")
    site.state["osl-w-1"] = site.state["osl-w-1"]._replace(broken="half configured")
    del site.cluster.nodes["osl-w-2"]
    found = "\n".join(site.plan().problems)
    for said in (
        "osl-cp-2: is not Ready",
        "osl-cp-3: is drained for an upgrade",
        "osl-w-1: packages are not installed to the end (half configured)",
        "osl-w-2: the cluster has no such node",
    ):
        assert said in found


def test_a_process_that_has_lost_its_lease_reboots_nothing():
    site = Site().requires("osl-w-1")
    site.lost = "ci/2 has taken over"
    with pytest.raises(OperationError, match="ci/2"):
        site.run()
    assert (site.booted, site.is_clean()) == ([], True)


def test_an_api_server_of_one_control_plane_that_boots_again_is_waited_for():
    site = Site().requires("osl-w-1")
    boot = site.reboot

    def away(node, before):
        boot(node, before)
        site.cluster.unreachable = [True] * 5

    site.reboot = away
    site.run()
    assert site.is_clean()
    site.requires("osl-w-1")
    site.cluster.busy = [403]
    with pytest.raises((OperationError, ApiError)):
        site.run()


def test_a_node_without_a_drain_is_rebooted_with_its_pods():
    site = Site(pod("api", on="osl-w-1")).requires("osl-w-1")
    [step] = site.plan().steps
    step = Step(spec("osl-w-1", drainSeconds=0), step.reasons)
    clients = Clients(
        site.cluster,
        site.ask,
        site.reboot,
        site.failing,
        site.etcd,
        print,
        site.require_lease,
        "gateway-system",
        clock=site.clock,
    )
    assert [said.split()[0] for _, said in run([step], None, clients)] == ["rebooted"]
    assert site.cluster.evictions() == []
    assert plan.is_ready(site.cluster.nodes["osl-w-1"])


def others_than_excluded(site):
    """As MetalLB's speakers elect one of them."""
    free = [name for name in NAMES if labels.EXCLUDED not in site.cluster.nodes[name]["metadata"]["labels"]]
    return tuple(name for name in free if "-w-" in name)[:1]


def test_another_node_announces_addresses_before_a_node_boots_again():
    site = Site(pod("api", on="osl-w-1")).requires("osl-w-1")
    site.announcers = others_than_excluded
    boot = site.reboot

    def looked_at(node, before):
        assert site.announcers(site) == ("osl-w-2",)
        boot(node, before)

    site.reboot = looked_at
    site.run()
    assert site.announcers(site) == ("osl-w-1",)
    calls = [path for method, path in site.cluster.calls if method in ("PATCH", "POST")]
    eviction = calls.index("/api/v1/namespaces/shop/pods/api/eviction")
    assert calls[eviction + 1] == "/api/v1/nodes/osl-w-1", (
        "the pods of a Service with the policy Local have moved before"
    )


@pytest.mark.parametrize("left", [(), ("osl-w-1",)])
def test_a_node_that_no_other_can_replace_goes_on_announcing(left):
    site = Site().requires("osl-w-1")
    site.announcers = lambda _: left
    boot = site.reboot

    def looked_at(node, before):
        assert labels.EXCLUDED not in site.cluster.nodes[node.name]["metadata"]["labels"]
        boot(node, before)

    site.reboot = looked_at
    site.run()
    assert any("will not answer while this one boots" in said for said in site.reported)


def test_a_label_that_was_there_before_stays_and_ours_goes_if_the_drain_fails():
    site = Site(pod("api", on="osl-w-1")).requires("osl-w-1", "osl-w-2")
    site.announcers = lambda _: ("osl-cp-1",)
    site.cluster.budgets["api"] = 1000
    site.stopped()
    assert labels.EXCLUDED not in site.cluster.nodes["osl-w-1"]["metadata"]["labels"]
    site.cluster.budgets.clear()
    site.cluster.nodes["osl-w-1"]["metadata"]["labels"][labels.EXCLUDED] = ""
    site.run()
    assert site.cluster.nodes["osl-w-1"]["metadata"]["labels"][labels.EXCLUDED] == ""
    assert labels.EXCLUDED not in site.cluster.nodes["osl-w-2"]["metadata"]["labels"]
