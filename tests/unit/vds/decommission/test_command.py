"""A node on its way out, against an API server and a server in memory."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from components.core import labels
from components.kubernetes_api import ApiError
from components.nodes.decommission.document import FILES_ON_NODE, Decommission, decommission_document
from tests.support.fake_cluster import UID, FakeCluster, attachment, fake_clock, gateway, node, pod
from tests.support.stacks import stack
from vds.decommission.command import Clients, Outcome, decommission, recommission
from vds.decommission.node import RefusedError, UnansweredError
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError, OperationError

SECRET = "hunter2hunter2"
REMOVED = (
    '{"node": "osl-w-2", "kernel": "6.18.44", "container": "false", "at": "2026-11-20T22:41:07Z"}\n'
    '{"key": "net.ipv4.ip_forward", "before": "0", "live": "0", "state": "restored"}\n'
    '{"file": "/etc/sysctl.d/zz-vds-platform.conf", "state": "restored"}\nchanged\n'
)


class FakeServer:
    """The node's own side."""

    def __init__(self, printed: str = REMOVED, error: Exception | None = None) -> None:
        self.printed, self.error = printed, error
        self.probed = self.removed = 0

    def probe(self) -> None:
        self.probed += 1
        if self.error:
            raise self.error

    def remove(self) -> str:
        self.removed += 1
        if self.error:
            raise self.error
        return self.printed


def document(**changes: Any) -> Decommission:
    spec = stack("lab")
    text = decommission_document(
        spec.nodes[2], spec.ssh, script="…", gateway_namespace="gateway-system", kubeconfig=SECRET, private_key=SECRET
    )
    return Decommission.model_validate_json(text).model_copy(update=changes)


class Run:
    """One run, with what it said."""

    def __init__(
        self, cluster: FakeCluster, server: FakeServer | None = None, *, known: str = UID, **changes: Any
    ) -> None:
        self.known = known
        self.cluster, self.server, self.changes = cluster, server or FakeServer(), changes
        self.said: list[str] = []

    def __call__(self) -> Outcome:
        clients = Clients(lambda: self.cluster, self.server, self.said.append, self.known, fake_clock())
        return decommission(document(**self.changes), clients)

    def problems(self) -> list[str]:
        with pytest.raises(IncompleteError) as caught:
            self()
        assert SECRET not in str(caught.value)
        return list(caught.value.problems)


def cluster(*pods: Any, **more: Any) -> FakeCluster:
    return FakeCluster(node("osl-cp-1", member=True), node("osl-w-1"), node("osl-w-2"), pods=pods, **more)


def test_a_node_is_drained_and_then_decommissioned():
    run = Run(cluster(pod("api"), pod("agent", owner="DaemonSet"), pod("elsewhere", on="osl-cp-1")))
    outcome = run()
    assert (outcome.cluster, outcome.server) == ("drained", "decommissioned")
    assert outcome.evicted == ["shop/api"]
    assert outcome.restored == ["net.ipv4.ip_forward"]
    assert outcome.warnings == []
    assert set(run.cluster.pods) == {"agent", "elsewhere"}
    assert run.cluster.is_cordoned("osl-w-2")
    assert labels.CORDONED in run.cluster.nodes["osl-w-2"]["metadata"]["annotations"]


def test_a_server_that_has_left_its_cluster_has_no_node_there_any_more():
    """kubeadm refuses to join a node while one of its name is there and Ready."""
    run = Run(cluster(), leaving_script="…")
    assert (run().cluster, "osl-w-2" in run.cluster.nodes) == ("removed", False)


def test_a_node_object_that_cannot_be_deleted_is_a_warning_with_the_remedy():
    class Forbids(FakeCluster):
        def request(self, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
            if method == "DELETE":
                raise ApiError(403, "forbidden")
            return super().request(method, path, body, **more)

    there = Forbids(node("osl-cp-1", member=True), node("osl-w-1"), node("osl-w-2"))
    outcome = Run(there, leaving_script="…")()
    assert (outcome.cluster, outcome.server) == ("drained", "decommissioned")
    [warning] = outcome.warnings
    assert "kubectl delete node osl-w-2" in warning


def test_what_is_left_on_a_dead_member_is_named():
    run = Run(cluster(), FakeServer(error=UnansweredError("no answer")), leaving_script="…", when_unreachable="abandon")
    [warning] = [text for text in run().warnings if "is abandoned" in text]
    assert "kubeadm reset" in warning


def test_a_budget_is_waited_for_and_its_reason_is_said_once():
    run = Run(cluster(pod("api")))
    run.cluster.budgets["api"] = 3
    assert run().cluster == "drained"
    kept = [line for line in run.said if "budget" in line]
    assert kept == [
        "pod shop/api can't be evicted: The disruption budget shop-api needs 2 healthy pods and has 2 currently"
    ]
    assert run.cluster.evictions() == ["api"] * 4


def test_after_the_deadline_the_node_takes_pods_again_and_nothing_on_it_was_touched():
    run = Run(cluster(pod("api"), pod("web")), drain_seconds=30)
    run.cluster.budgets["api"] = 1000
    problems = run.problems()
    assert "node osl-w-2: still has pods after its drainSeconds, 30" in problems[0]
    assert "raise drainSeconds" in problems[0]
    assert problems[1].startswith("pod shop/api can't be evicted: The disruption budget shop-api")
    assert not run.cluster.is_cordoned("osl-w-2")
    assert labels.CORDONED not in run.cluster.nodes["osl-w-2"]["metadata"]["annotations"]
    assert run.server.removed == 0


def test_a_pod_that_takes_its_time_to_stop_is_waited_for_but_not_asked_again():
    run = Run(cluster(pod("api")))
    run.cluster.lingers["api"] = 5
    assert run().evicted == ["shop/api"]
    assert run.cluster.evictions() == ["api"]


def test_volumes_are_waited_for_until_they_are_detached():
    run = Run(cluster(pod("api")))
    run.cluster.attachments, run.cluster.detaches_after = [attachment("pv-1")], 3
    assert run().cluster == "drained"
    assert "volume pv-1 is still attached" in run.said


def test_a_refused_node_is_not_even_cordoned():
    run = Run(cluster(pod("by-hand", owner=None)))
    run.cluster.services, run.cluster.slices = gateway("osl-w-2")
    problems = run.problems()
    assert len(problems) == 2
    assert [call for call in run.cluster.calls if call[0] != "GET"] == []


def test_of_two_that_leave_at_once_the_later_sees_the_others_mark():
    both = cluster()
    both.services, both.slices = gateway("osl-w-1", "osl-w-2")

    class Racing(FakeCluster):
        def request(self, method: str, path: str, *arguments: Any, **more: Any) -> Any:
            if method == "PATCH":  # the other one cordons its node at the same moment
                both.nodes["osl-w-1"] = node("osl-w-1", cordoned="us")
            return both.request(method, path, *arguments, **more)

    run = Run(Racing())
    assert "with osl-w-1, drained by us too" in run.problems()[0]
    assert not both.is_cordoned("osl-w-2")


def test_a_node_that_the_cluster_does_not_have_is_decommissioned_without_a_drain():
    run = Run(FakeCluster(node("osl-cp-1", member=True)))
    outcome = run()
    assert (outcome.cluster, outcome.server) == ("absent", "decommissioned")


def test_nothing_is_drained_when_everything_is_destroyed():
    dns = pod("coredns", namespace="kube-system")
    run = Run(cluster(dns, pod("agent", owner="DaemonSet"), record=False))
    outcome = run()
    assert "the whole stack is being destroyed" in outcome.cluster
    assert outcome.server == "decommissioned"
    assert not run.cluster.is_cordoned("osl-w-2")
    assert run.cluster.evictions() == []


OTHER = "6f1c4f5e-0000-4000-8000-000000000002"


@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize("consent", ["fail", "abandon"])
def test_another_cluster_that_answers_proves_nothing_about_the_node(record, consent):
    """The kubeconfig of another environment: before, the node's kernel settings were taken from running pods."""
    run = Run(FakeCluster(node("other-1"), record=record, uid=OTHER), when_unreachable=consent)
    [problem] = run.problems()
    assert f"another cluster answers: its UID is {OTHER}, and the node was put into {UID}" in problem
    assert "drainSeconds: 0" in problem
    assert run.server.removed == 0


def test_a_state_without_the_clusters_uid_is_no_evidence():
    run = Run(cluster(), known="")
    assert "the state does not say into which cluster it was put" in run.problems()[0]
    assert run.server.removed == 0


def test_a_record_that_somebody_deleted_does_not_make_a_removal_a_destroy():
    run = Run(cluster(pod("api"), pod("by-hand", owner=None), record=False))
    [problem] = run.problems()
    assert "these pods run on the node: shop/api, shop/by-hand" in problem
    assert "drainSeconds: 0" in problem
    assert run.server.removed == 0
    assert Run(run.cluster, drain_seconds=0)().server == "decommissioned"


def test_the_uid_of_the_cluster_is_what_recommission_returns():
    assert recommission(document(), cluster(), print) == UID
    assert recommission(document(), cluster(), print, UID) == UID


def test_an_update_does_not_take_another_cluster_for_the_nodes_own():
    with pytest.raises(IncompleteError, match="another cluster answers"):
        recommission(document(), FakeCluster(uid=OTHER), print, UID)
    assert recommission(document(drain_seconds=0), FakeCluster(uid=OTHER), print, UID) == OTHER


def test_no_seconds_to_drain_means_no_drain_and_no_question_to_the_cluster():
    run = Run(cluster(pod("api")), drain_seconds=0)
    assert run().cluster == "not drained: its drainSeconds is 0"
    assert run.cluster.calls == []


def test_a_run_after_one_that_was_killed_goes_on_and_knows_its_own_cordon():
    started = FakeCluster(node("osl-w-2", cordoned="us"), pods=[pod("api", deletionTimestamp="now"), pod("web")])
    run = Run(started)
    outcome = run()
    assert outcome.evicted == ["shop/web"]
    assert started.is_cordoned("osl-w-2")
    again = Run(FakeCluster(node("osl-w-2", cordoned="us"), pods=[pod("api")]), drain_seconds=1)
    again.cluster.budgets["api"] = 1000
    again.problems()
    assert not again.cluster.is_cordoned("osl-w-2")


def test_an_operators_own_cordon_is_left_as_it_is():
    run = Run(FakeCluster(node("osl-w-2", cordoned="somebody"), pods=[pod("api")]), drain_seconds=1)
    run.cluster.budgets["api"] = 1000
    run.problems()
    assert run.cluster.is_cordoned("osl-w-2")


def test_an_interrupted_drain_takes_its_cordon_back():
    run = Run(cluster(pod("api")))
    run.cluster.budgets["api"] = 1000

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    clients = Clients(lambda: run.cluster, run.server, run.said.append, UID)
    object.__setattr__(clients.clock, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        decommission(document(), clients)
    assert not run.cluster.is_cordoned("osl-w-2")


def test_a_cordon_that_cannot_be_taken_back_is_said_with_the_remedy():
    run = Run(cluster(pod("by-hand", owner=None)))
    run.cluster.nodes["osl-w-2"] = node("osl-w-2", cordoned="us")
    run.cluster.unreachable = [False] * 7 + [True]  # UID, record, node, four lists, then the patch
    assert "has no controller" in run.problems()[0]
    assert any("kubectl uncordon osl-w-2" in line for line in run.said)


def test_an_api_server_that_falls_silent_half_way_is_asked_again():
    run = Run(cluster(pod("api")))
    run.cluster.unreachable = [False] * 12 + [True]  # until after the cordon and the second look
    assert run().cluster == "drained"
    assert any("the cluster does not answer" in line for line in run.said)


def test_a_cluster_that_does_not_answer_fails_and_nothing_is_lost():
    run = Run(cluster())
    run.cluster.unreachable = [True]
    with pytest.raises(OperationError, match=r"neither drained nor decommissioned .*no answer in time") as caught:
        run()
    assert "whenUnreachable: abandon" in str(caught.value)
    assert run.server.removed == 0


def test_with_consent_a_cluster_that_does_not_answer_is_a_warning():
    run = Run(cluster(), when_unreachable="abandon")
    run.cluster.unreachable = [True]
    outcome = run()
    assert "was not drained: the cluster does not answer" in outcome.warnings[0]
    assert outcome.server == "decommissioned"


def silent() -> FakeServer:
    return FakeServer(error=UnansweredError("no answer in time"))


def test_a_node_that_does_not_answer_is_found_out_before_any_pod_is_moved():
    run = Run(cluster(pod("api")), silent())
    [problem] = run.problems()
    assert "node osl-w-2 (192.0.2.22 port 22) can't be decommissioned: no answer in time" in problem
    assert "its entry stays in the state" in problem
    assert "whenUnreachable: abandon" in problem
    assert run.cluster.evictions() == []
    assert not run.cluster.is_cordoned("osl-w-2")


def test_a_destroy_of_a_node_that_does_not_answer_fails_too():
    assert "no answer in time" in Run(cluster(record=False), silent()).problems()[0]


@pytest.mark.parametrize("record", [True, False])
def test_with_consent_it_is_abandoned_with_a_warning_that_names_what_is_on_it(record):
    outcome = Run(cluster(record=record), silent(), when_unreachable="abandon")()
    assert outcome.server == "abandoned"
    [warning] = outcome.warnings
    assert warning.startswith("192.0.2.22 port 22 can't be decommissioned (no answer in time) and is abandoned")
    for path in FILES_ON_NODE:
        assert path in warning


def test_with_consent_a_dead_nodes_pods_are_asked_to_leave_and_not_waited_for():
    dead = FakeCluster(
        node("osl-w-2", ready=False), node("osl-cp-1"), pods=[pod("api"), pod("web"), pod("x", owner=None)]
    )
    dead.lingers = {"api": 1000}
    dead.budgets = {"web": 1000}
    dead.attachments, dead.detaches_after = [attachment("pv-1")], 9
    outcome = Run(dead, silent(), when_unreachable="abandon")()
    assert (outcome.cluster, outcome.server) == ("drained", "abandoned")
    assert outcome.evicted == ["shop/api"]
    pods, volumes, _ = outcome.warnings
    assert "shop/api, shop/web (can't be evicted: The disruption budget shop-api" in pods
    assert "shop/x (has no controller)" in pods
    assert "pv-1" in volumes


def test_with_consent_a_node_that_has_just_died_is_waited_for_until_the_cluster_knows():
    dying = cluster(pod("api"))
    dying.lingers["api"] = 1000
    run = Run(dying, silent(), when_unreachable="abandon")
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 20:
            dying.nodes["osl-w-2"]["status"] = node("osl-w-2", ready=False)["status"]

    outcome = decommission(
        document(when_unreachable="abandon"),
        Clients(lambda: dying, run.server, print, UID, Clock(lambda: sum(waits), sleep)),
    )
    assert len(waits) == 20
    assert "these pods may still run on it: shop/api" in outcome.warnings[0]


def test_a_dead_node_without_consent_is_refused_at_once():
    run = Run(FakeCluster(node("osl-w-2", ready=False), pods=[pod("api")]))
    assert "node osl-w-2: is not Ready" in run.problems()[0]
    assert not run.cluster.is_cordoned("osl-w-2")


@pytest.mark.parametrize("consent", ["fail", "abandon"])
@pytest.mark.parametrize("record", [True, False])
def test_a_node_that_answers_and_refuses_fails_whatever_the_consent(consent, record):
    server = FakeServer(error=RefusedError("it does not let root in with the stack's key: put it there"))
    [problem] = Run(cluster(record=record), server, when_unreachable=consent).problems()
    assert problem == "node osl-w-2 (192.0.2.22 port 22): it does not let root in with the stack's key: put it there"


def test_a_value_that_did_not_go_back_is_a_warning():
    printed = '{"key": "a.b", "before": "1", "live": "2", "state": "refused"}\nchanged\n'
    assert Run(cluster(), FakeServer(printed))().warnings == [
        "a.b is 2 and was 1 before: the kernel refused that value"
    ]


def test_a_service_that_did_not_go_back_is_a_warning():
    rows = [{"service": name, "state": state} for name, state in (("swap", "refused"), ("time", "restored"))]
    printed = "".join(f"{json.dumps(row)}\n" for row in rows) + "changed\n"
    [warning] = Run(cluster(), FakeServer(printed))().warnings
    assert warning.startswith("swap is still off: swapon refused a device")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_cluster_that_answers_503_in_the_middle_of_a_drain_is_asked_again(status):
    run = Run(cluster(pod("api")))
    run.cluster.busy = [0] * 12 + [status]  # until after the cordon and the second look
    assert run().cluster == "drained"
    assert any("the cluster can't answer now (busy)" in line for line in run.said)


def test_a_cluster_that_stays_busy_is_not_asked_longer_than_the_drain_may_take():
    run = Run(cluster(pod("api")), drain_seconds=10)
    run.cluster.busy = [0] * 12 + [503] * 6
    assert any("the cluster can't answer now" in line for line in run.problems())


def test_a_cluster_that_forbids_in_the_middle_of_a_drain_is_not_asked_again():
    run = Run(cluster(pod("api")))
    run.cluster.busy = [0] * 12 + [403]
    with pytest.raises(OperationError, match="the cluster refused"):
        run()


@pytest.mark.parametrize(
    ("made", "uncordoned"),
    [
        (lambda: node("osl-w-2", cordoned="us"), True),
        (lambda: node("osl-w-2", cordoned="somebody"), False),
        (lambda: node("osl-w-2"), False),
        (lambda: node("osl-cp-1"), False),
    ],
)
def test_only_our_own_cordon_is_taken_back_when_a_node_comes_again(made: Callable[[], Any], uncordoned):
    one, said = FakeCluster(made()), []
    before = one.is_cordoned("osl-w-2") if "osl-w-2" in one.nodes else False
    recommission(document(), one, said.append)
    assert bool(said) == uncordoned
    assert [call for call in one.calls if call[0] == "PATCH"] == ([("PATCH", "/api/v1/nodes/osl-w-2")] * uncordoned)
    if "osl-w-2" in one.nodes:
        assert one.is_cordoned("osl-w-2") == (before and not uncordoned)


@pytest.mark.parametrize(
    "printed", ["", "5\n", "[" * 200_000, '{"service": "swap"}\nchanged\n', "{oops\nchanged\n", '{"key": 5}\nchanged\n']
)
def test_a_node_that_prints_odd_lines_is_decommissioned_and_what_was_restored_is_not_known(printed):
    outcome = Run(cluster(), FakeServer(printed))()
    assert outcome.server == "decommissioned"
    assert outcome.restored == []
    [warning] = outcome.warnings
    assert warning.startswith("what was restored is not known: the node's script printed")
