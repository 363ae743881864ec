"""What may be drained, and which pods must go."""

from typing import Any

import pytest

from tests.support.fake_cluster import attachment, gateway, node, pod
from vds.decommission.plan import ClusterState, attached, refusals, work


def refused(*nodes: Any, pods: Any = (), gateways: Any = ((), ()), abandon: bool = False) -> dict[str, str]:
    found = refusals("osl-w-2", ClusterState(nodes, pods, *gateways), abandon=abandon)
    return {problem.rule: str(problem) for problem in found}


def test_a_worker_among_others_may_go():
    assert (
        refused(node("osl-cp-1", member=True), node("osl-w-2"), pods=[pod("api")], gateways=gateway("osl-cp-1")) == {}
    )


@pytest.mark.parametrize(
    ("others_ready", "refusal"),
    [
        ([], "0 ready ones would be left: etcd needs 1"),
        ([True], "1 ready one would be left: etcd needs 2"),
        ([True, True], None),
        ([True, False], "1 ready one would be left: etcd needs 2"),
        ([True, True, True], None),
        ([True, True, True, False], None),
        ([True, True, False, False], "2 ready ones would be left: etcd needs 3"),
    ],
)
def test_etcd_keeps_its_majority(others_ready, refusal):
    others = [node(f"cp-{number}", member=True, ready=ready) for number, ready in enumerate(others_ready)]
    found = refused(node("osl-w-2", member=True), *others)
    assert set(found) == ({"drain-quorum"} if refusal else set())
    assert refusal is None or refusal in found["drain-quorum"]


def test_a_worker_is_no_member_of_etcd():
    assert refused(node("osl-w-2"), node("cp-1", member=True, ready=False)) == {}


def test_two_members_that_leave_at_once_do_not_count_on_each_other():
    nodes = [node("osl-w-2", member=True), node("cp-1", member=True, cordoned="us"), node("cp-2", member=True)]
    assert "with cp-1, drained by us too" in refused(*nodes)["drain-quorum"]


def test_the_last_gateway_is_not_shut():
    found = refused(node("osl-w-2"), gateways=gateway("osl-w-2", "osl-w-2"))
    assert "Service gateway-system/traefik" in found["drain-last-gateway"]
    assert "run another pod on another node first" in found["drain-last-gateway"]


def test_one_gateway_of_two_may_go_unless_the_other_is_going_too():
    assert refused(node("osl-w-2"), node("osl-w-1"), gateways=gateway("osl-w-2", "osl-w-1")) == {}
    found = refused(node("osl-w-2"), node("osl-w-1", cordoned="us"), gateways=gateway("osl-w-2", "osl-w-1"))
    assert "with osl-w-1" in found["drain-last-gateway"]


def test_a_gateway_elsewhere_or_nowhere_and_inner_services_are_no_reason():
    assert refused(node("osl-w-2"), gateways=gateway("osl-cp-1")) == {}
    assert refused(node("osl-w-2"), gateways=gateway()) == {}
    assert refused(node("osl-w-2"), gateways=gateway("osl-w-2", kind="ClusterIP")) == {}


def test_a_pod_that_nobody_would_start_again_is_named():
    found = refused(node("osl-w-2"), pods=[pod("by-hand", owner=None)])
    assert "pod shop/by-hand: is on node osl-w-2 and has no controller" in found["drain-orphan"]


def test_a_node_whose_kubelet_is_dead_is_refused_unless_it_may_be_left():
    nodes, pods = [node("osl-w-2", ready=False)], [pod("api"), pod("by-hand", owner=None)]
    assert set(refused(*nodes, pods=pods)) == {"drain-not-ready", "drain-orphan"}
    assert "whenUnreachable: abandon" in refused(*nodes, pods=pods)["drain-not-ready"]
    assert refused(*nodes, pods=pods, abandon=True) == {}
    assert refused(*nodes, pods=[pod("agent", owner="DaemonSet")]) == {}


def test_consent_does_not_break_etcd_or_shut_the_gateway():
    nodes = [node("osl-w-2", member=True, ready=False), node("cp-1", member=True)]
    assert set(refused(*nodes, gateways=gateway("osl-w-2"), abandon=True)) == {"drain-quorum", "drain-last-gateway"}


def test_everything_is_refused_at_once():
    found = refused(node("osl-w-2", member=True), pods=[pod("by-hand", owner=None)], gateways=gateway("osl-w-2"))
    assert set(found) == {"drain-quorum", "drain-last-gateway", "drain-orphan"}


def test_daemons_static_pods_and_finished_ones_stay():
    staying = [
        pod("agent", owner="DaemonSet"),
        pod("etcd-osl-3", owner="Node", annotations={"kubernetes.io/config.mirror": "x"}),
        pod("done", phase="Succeeded", owner="Job"),
        pod("failed", phase="Failed", owner=None),
    ]
    assert work(staying).is_done


def test_pods_go_in_order_of_their_names_and_those_on_their_way_are_waited_for():
    todo = work([pod("b"), pod("a"), pod("gone", deletionTimestamp="now"), pod("by-hand", owner=None)])
    assert [item.name for item in todo.evict] == ["a", "b"]
    assert [item.name for item in todo.leaving] == ["gone"]
    assert [item.name for item in todo.orphans] == ["by-hand"]


@pytest.mark.parametrize(
    ("toleration", "counts"),
    [
        ({"operator": "Exists"}, False),
        ({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, False),
        ({"key": "node.kubernetes.io/unschedulable", "effect": "NoExecute"}, True),
        ({"key": "dedicated", "operator": "Exists"}, True),
    ],
)
def test_a_pod_that_ignores_cordons_is_not_evicted_for_ever(toleration, counts):
    late = pod("late")
    late["spec"]["tolerations"] = [toleration]
    assert bool(work([late], first=frozenset()).evict) == counts
    assert work([late], first=frozenset({"uid-late"})).evict
    assert work([late]).evict


def test_volumes_attached_to_this_node_are_named():
    inline = {"metadata": {"name": "x"}, "spec": {"nodeName": "osl-w-2", "source": {"inlineVolumeSpec": {}}}}
    found = attached("osl-w-2", [attachment("pv-2"), attachment("pv-1"), attachment("pv-9", on="osl-cp-1"), inline])
    assert found == ["an inline volume", "pv-1", "pv-2"]
