"""Facts against limits: every failure of every node at once, and nothing that is not known is called good."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.nodes.model import NodeRequirements, NodeSpec, PortNeed, PreflightSpec
from components.nodes.preflight.checks import CHECKS
from components.nodes.preflight.facts import Survey
from components.nodes.preflight.gate import PreflightError, require_fit
from components.nodes.preflight.judges import MissingFactError, steal_percent
from components.nodes.preflight.verdict import CheckResult, advice, findings, problems

NAMES = ("osl-1", "osl-2", "osl-3")
REQUIREMENTS = NodeRequirements(
    "ebpf",
    "5.10",
    "Cilium 1.18.2",
    ports=(PortNeed(10250, "tcp", "the kubelet"), PortNeed(8472, "udp", "Cilium's VXLAN")),
    same_segment="native routing with routes: same-l2",
    source_address_filtering="native routing",
    announcements="MetalLB's layer-2 pools",
    preflight=PreflightSpec(reference_points=({"name": "exchange", "address": "203.0.113.1"},)),
)
COUNTERS = {"nic": {"rx_packets": 1, "rx_dropped": 0}, "softnet": {"dropped": 0, "squeezed": 0}}
BEFORE = {"cpu": [0] * 10, **COUNTERS}
AFTER = {"cpu": [50, 0, 50, 100, 0, 0, 0, 0, 0, 0], **COUNTERS}


def node(name: str) -> NodeSpec:
    return NodeSpec(
        name=name,
        address=f"192.0.2.1{name[-1]}",
        country="NO",
        provider={"name": "Lab", "country": "NO"},
        roles=("control-plane", "worker"),
    )


NODES = tuple(map(node, NAMES))


def facts(name: str) -> dict[str, Any]:
    """What a node says that is as it should be."""
    others = [other for other in NAMES if other != name]
    return {
        "kernel": {"release": "6.1.0-18-amd64", "btf": True, "options": {"BPF": "y", "NET_CLS_BPF": "m"}},
        "system": {"name": "Debian GNU/Linux 13", "id": "debian", "cpus": 4},
        "memory": {"bytes": 8 * 2**30, "swap_bytes": 0},
        "cgroup": {"version": 2},
        "time_sync": {"synchronised": True},
        "conntrack": {"count": 100, "max": 131072},
        "window": {"seconds": 2, "before": BEFORE, "after": AFTER},
        "link": {
            "interface": "eth0",
            "mtu": 1500,
            "mac": f"02:00:00:00:00:0{name[-1]}",
            "speed_mbit": 10000,
            "driver": "virtio_net",
            "ring": {"rx": 256, "rx_max": 256},
        },
        "paths": {
            "tried": 1500,
            "peers": {o: {"mtu": 1500, "milliseconds": 0.3, "mac": f"02:00:00:00:00:0{o[-1]}"} for o in others},
        },
        "references": {"points": {"exchange": {"milliseconds": 1.5}}},
        "ports": {"peers": {o: {"10250/tcp": "refused"} for o in others}},
        "wire": {"heard": {o: ["8472/udp", "arp", "pod-source"] for o in others}},
        "resolver": {"servers": ["9.9.9.9"], "ndots": 1, "search": [], "name": "kubernetes.io", "milliseconds": 12.0},
        "services": {"fact": "services", "containerd": "active"},
        "disk": {"folder": "/var/lib", "filesystem": "ext4", "p99_ns": 1_500_000, "mean_ns": 700_000},
    }


def judge(change: dict[str, Any], *, in_container: bool = False, clock_offset: float = 0.0) -> list[CheckResult]:
    """The findings of osl-1, of whose facts some are others."""
    first = Survey("osl-1", facts("osl-1") | change, clock_offset=clock_offset, in_container=in_container)
    surveys = [first, *(Survey(name, facts(name)) for name in NAMES[1:])]
    return [finding for finding in findings(surveys, NODES, REQUIREMENTS) if finding.node == "osl-1"]


def of(found: list[CheckResult], check: str) -> CheckResult:
    [finding] = [finding for finding in found if finding.check.id == check]
    return finding


def test_a_fit_node_has_a_row_for_every_limit_and_all_are_good():
    found = judge({})
    assert [finding.check for finding in found] == list(CHECKS)
    assert {finding.state for finding in found} == {"ok"}, [f for f in found if f.state != "ok"]


HEARD = {"osl-2": ["8472/udp", "arp", "pod-source"]}
CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("kernel", {"kernel": {"release": "5.4.0-150-generic", "btf": True, "options": {}}}, "fails", "limit 5.10"),
    ("bpf", {"kernel": {"release": "6.1", "btf": False, "options": {"NET_CLS_BPF": "n"}}}, "fails", "CONFIG_NET_CLS"),
    ("bpf", {"kernel": {"release": "6.1", "btf": False, "options": {}}}, "unknown", "does not publish"),
    ("cpus", {"system": {"name": "Debian", "id": "debian", "cpus": 1}}, "fails", "limit 2"),
    ("memory", {"memory": {"bytes": 2**30, "swap_bytes": 0}}, "fails", "1024 MiB, limit 1700 MiB"),
    ("swap", {"memory": {"bytes": 2**33, "swap_bytes": 2**30}}, "advice", "1024 MiB"),
    ("cgroup", {"cgroup": {"version": 1}}, "fails", "limit 2 for Kubernetes 1.36"),
    ("time-sync", {"time_sync": {"synchronised": False}}, "advice", "not synchronised"),
    ("conntrack", {"conntrack": {"count": 120_000, "max": 131_072}}, "advice", "(92 %), limit 75 %"),
    ("conntrack", {"conntrack": {"count": 100, "max": 0}}, "ok", "100, no limit"),
    ("conntrack", {"conntrack": {"unknown": "the module is not loaded"}}, "unknown", "not loaded"),
    ("etcd-disk", {"disk": {"folder": "/", "filesystem": "ext4", "p99_ns": 25e6}}, "fails", "25.00 ms on ext4"),
    ("etcd-disk", {"disk": {"unknown": "etcd (process 7) runs on this disk"}}, "unknown", "process 7"),
    ("path-mtu", {"paths": {"peers": {"osl-2": {"mtu": 1450}, "osl-3": {"mtu": None}}}}, "fails", "osl-2: 1450, osl-3"),
    ("segment", {"paths": {"peers": {"osl-2": {"mac": "02:ff:ff:ff:ff:ff"}}}}, "fails", "not shared with osl-2"),
    ("source-address-filtering", {"wire": {"heard": HEARD | {"osl-3": ["arp"]}}}, "fails", "not arrive from osl-3"),
    ("source-address-filtering", {"wire": {"heard": HEARD | {"osl-3": ["foreign-source"]}}}, "ok", "none from any"),
    ("announcements", {"wire": {"heard": HEARD | {"osl-3": ["pod-source"]}}}, "fails", "not heard from osl-3"),
    ("ports", {"ports": {"peers": {"osl-2": {"10250/tcp": "silent"}}}}, "fails", "10250/tcp to osl-2 (the kubelet)"),
    ("ports", {"wire": {"heard": HEARD | {"osl-3": ["arp"]}}}, "fails", "8472/udp from osl-3 (Cilium's VXLAN)"),
    ("references", {"references": {"points": {"exchange": {"milliseconds": 28.0}}}}, "advice", "28.00 ms"),
    ("references", {"references": {"points": {"exchange": {"milliseconds": None}}}}, "advice", "no answer"),
    (
        "nic-drops",
        {"window": {"seconds": 2, "before": BEFORE, "after": AFTER | {"nic": {"rx_dropped": 9}}}},
        "advice",
        "9",
    ),
    ("nic-ring", {"link": {"ring": {"rx": 256, "rx_max": 4096}}}, "advice", "256, limit 4096"),
    ("names", {"resolver": {"unknown": "no answer"}}, "unknown", "no answer"),
    ("kernel", {"kernel": {"release": "who knows"}}, "unknown", "not understood"),
    ("steal", {"window": {"seconds": 2, "before": {"cpu": [1]}, "after": {"cpu": [2]}}}, "unknown", "not understood"),
]


@pytest.mark.parametrize(("check", "change", "state", "said"), CASES)
def test_a_fact_is_weighed_by_its_limit(check, change, state, said):
    finding = of(judge(change), check)
    assert finding.state == state
    assert said in str(finding)


@pytest.mark.parametrize("check", [check.id for check in CHECKS])
def test_a_fact_that_is_not_there_is_never_called_good(check):
    silent = {name: {"unknown": "it was not said"} for name in facts("osl-1")}
    finding = of(judge(silent), check)
    assert finding.state == ("ok" if check in ("clock", "survey") else "unknown"), "both come with any answer"


def test_a_node_that_could_not_be_surveyed_stops_the_run_with_the_reason():
    reason = "it has no python3, by which it is surveyed: apt-get install python3"
    surveys = [Survey("osl-1", {}, failure=reason), *(Survey(name, facts(name)) for name in NAMES[1:])]
    found = findings(surveys, NODES, REQUIREMENTS)
    assert [finding.check.id for finding in found if finding.node == "osl-1"] == ["survey"], (
        "nothing else is known of it"
    )
    assert [finding for finding in found if finding.state == "fails"] == [of(found[:1], "survey")]
    with pytest.raises(PreflightError, match="node osl-1: survey of the node it has no python3"):
        require_fit(found)


def test_an_unread_node_does_not_move_the_others_clock_median():
    late = [Survey(name, facts(name), clock_offset=100.0) for name in NAMES[1:]]  # whose laptop asks is 100 s behind
    found = findings([Survey("osl-1", {}, failure="it hung"), *late], NODES, REQUIREMENTS)
    assert [finding.measured for finding in found if finding.check.id == "clock"] == ["+0.0 s", "+0.0 s"]


@pytest.mark.parametrize(("offset", "state"), [(0.0, "ok"), (29.0, "ok"), (31.0, "fails"), (-31.0, "fails")])
def test_a_clock_is_held_against_the_median_of_the_others(offset, state):
    assert of(judge({}, clock_offset=offset), "clock").state == state


def test_a_container_proves_nothing_by_the_disk_that_it_shares():
    found = judge({"disk": {"p99_ns": 10**9, "filesystem": "ext4", "folder": "/var/lib"}}, in_container=True)
    assert {f.check for f in found if f.state == "unproved"} == {check for check in CHECKS if check.of_machine}
    assert problems(found) == []


def test_what_the_shared_kernel_says_is_judged_in_a_container_as_everywhere():
    found = judge({"memory": {"bytes": 1, "swap_bytes": 0}}, in_container=True)
    assert {violation.rule for violation in problems(found)} == {"preflight-memory"}


def test_cgroup_v1_is_fit_only_where_the_stack_file_says_that_it_is_there():
    survey = Survey("osl-1", facts("osl-1") | {"cgroup": {"version": 1}})
    for said, state in ((False, "fails"), (True, "ok")):
        found = findings([survey], NODES, REQUIREMENTS._replace(kubernetes="1.36.3", cgroup_v1=said))
        assert [f.state for f in found if f.check.id == "cgroup"] == [state]


def test_all_failures_of_all_nodes_are_in_one_error_and_advice_is_not():
    bad = {"cgroup": {"version": 1}, "memory": {"bytes": 2**30, "swap_bytes": 2**20}}
    surveys = [Survey(name, facts(name) | bad) for name in NAMES]
    found = findings(surveys, NODES, REQUIREMENTS)
    assert len(advice(found)) == 3
    with pytest.raises(PreflightError) as caught:
        require_fit(found)
    text = str(caught.value)
    assert "6 failures; nothing was changed" in text
    for name in NAMES:
        assert f"node {name}: cgroup version 1, limit 2" in text
        assert f"node {name}: memory 1024 MiB, limit 1700 MiB (kubeadm's own preflight" in text
    assert "rent a larger server" in text
    assert "swap" not in text


def test_nobody_is_judged_who_was_not_asked():
    assert findings([], NODES, REQUIREMENTS) == []
    require_fit([])


@given(
    st.lists(st.integers(0, 1000), min_size=10, max_size=10), st.lists(st.integers(-5, 1000), min_size=10, max_size=10)
)
def test_steal_is_a_share_or_is_refused(before, passed):
    after = [old + new for old, new in zip(before, passed, strict=True)]
    if min(passed[:8]) < 0 or not sum(passed[:8]):
        with pytest.raises(MissingFactError):
            steal_percent(before, after)
    else:
        assert 0 <= steal_percent(before, after) <= 100


def test_half_a_percent_of_steal_is_the_alarm():
    window = {"seconds": 2, "before": BEFORE, "after": AFTER | {"cpu": [100, 0, 0, 95, 0, 0, 0, 5, 0, 0]}}
    finding = of(judge({"window": window}), "steal")
    assert finding.state == "advice"
    assert "2.50 % in 2 s, limit 0.5 %" in str(finding)
