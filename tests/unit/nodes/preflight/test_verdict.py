"""Facts against limits: every failure of every node at once, and nothing that is not known is called good."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.nodes.model import (
    AcceptedCheck,
    ApiEndpoint,
    NodeRequirements,
    NodeSpec,
    PortNeed,
    Position,
    PreflightSpec,
)
from components.nodes.preflight.checks import CHECKS, MissingFactError, steal_percent
from components.nodes.preflight.facts import Survey
from components.nodes.preflight.gate import PreflightError, require_fit
from components.nodes.preflight.verdict import CheckResult, accepted, advice, findings, problems
from tests.support.surveys import AFTER, fit_facts, window

NAMES = ("osl-1", "osl-2", "osl-3")
OSLO = {"latitude": 59.91, "longitude": 10.75}
FRANKFURT = {"latitude": 50.11, "longitude": 8.68}
"""1,098 km from Oslo: light in fibre needs 10.75 ms there and back."""
REQUIREMENTS = NodeRequirements(
    "ebpf",
    "5.10",
    "Cilium 1.18.2",
    ports=(
        PortNeed(10250, "tcp", "the kubelet"),
        PortNeed(8472, "udp", "Cilium's VXLAN"),
        PortNeed(2380, "tcp", "etcd's members", on="control-planes", asked_by="control-planes"),
    ),
    api_server=ApiEndpoint("api.example.no", 6443, exists=True),
    same_segment="native routing with routes: same-l2",
    source_address_filtering="native routing",
    announcements="MetalLB's layer-2 pools",
    preflight=PreflightSpec(
        reference_points=({"name": "exchange", "address": "203.0.113.1", "position": OSLO},),
        probes=("gratuitous-arp", "spoofed-sources"),
    ),
)


@pytest.mark.parametrize(
    ("where", "point", "delay", "state", "said"),
    [
        (OSLO, OSLO, 0.4, "ok", "exchange at most 41 km (0.40 ms), by the stack file 0 km"),
        (OSLO, FRANKFURT, 24.0, "ok", "by the stack file 1098 km"),
        (OSLO, FRANKFURT, 0.5, "fails", "exchange at most 51 km (0.50 ms), by the stack file 1098 km"),
        (OSLO, FRANKFURT, 10.6, "fails", "at most 1082 km"),
        (OSLO, FRANKFURT, None, "unknown", "the reference point exchange does not answer"),
        (None, OSLO, 0.4, "ok", "not compared"),
        (OSLO, None, 0.4, "ok", "not compared"),
    ],
)
def test_an_answer_that_comes_sooner_than_light_refutes_a_position(where, point, delay, state, said):
    references = PreflightSpec(reference_points=({"name": "exchange", "address": "203.0.113.1", "position": point},))
    spec = node("osl-1").model_copy(update={"position": Position(**where) if where else None})
    survey = Survey("osl-1", facts("osl-1") | {"references": {"points": {"exchange": {"milliseconds": delay}}}})
    results = findings([survey], [spec], REQUIREMENTS._replace(preflight=references))
    [row] = [row for row in results if row.check.id == "position"]
    assert (row.state, said in row.measured) == (state, True), row.measured
    assert row.stops is (state != "ok")


def node(name: str) -> NodeSpec:
    return NodeSpec(
        name=name,
        address=f"192.0.2.1{name[-1]}",
        country="NO",
        position=OSLO,
        provider={"name": "Lab", "country": "NO"},
        roles=("control-plane", "worker"),
    )


NODES = tuple(map(node, NAMES))


def facts(name: str) -> dict[str, Any]:
    """What a node says that is as it should be."""
    return fit_facts(name, NAMES)


def judge(
    change: dict[str, Any],
    *,
    clock_offset: float = 0.0,
    others: dict[str, Any] | None = None,
    requirements: NodeRequirements = REQUIREMENTS,
    **of_node: Any,
) -> list[CheckResult]:
    """The findings of osl-1, of whose facts some are others, as may be those of its peers."""
    first = Survey("osl-1", facts("osl-1") | change, clock_offset=clock_offset)
    surveys = [first, *(Survey(name, facts(name) | (others or {})) for name in NAMES[1:])]
    nodes = (NODES[0].model_copy(update=of_node), *NODES[1:])
    return [finding for finding in findings(surveys, nodes, requirements) if finding.node == "osl-1"]


def of(found: list[CheckResult], check: str) -> CheckResult:
    [finding] = [finding for finding in found if finding.check.id == check]
    return finding


def test_a_fit_node_has_a_row_for_every_limit_and_all_are_good():
    found = judge({})
    assert [finding.check for finding in found] == list(CHECKS)
    assert {finding.state for finding in found} == {"ok"}, [f for f in found if f.state != "ok"]


@pytest.mark.parametrize(
    ("check", "probe"), [("announcements", "gratuitous-arp"), ("source-address-filtering", "spoofed-sources")]
)
def test_what_was_not_probed_is_not_known_and_not_passed(check: str, probe: str) -> None:
    quiet = REQUIREMENTS._replace(preflight=PreflightSpec())
    silent = heard(third=["8472/udp"])
    found = of(judge(silent, requirements=quiet), check)
    assert (found.state, found.stops) == ("unknown", True)
    assert found.measured == f"not probed: preflight.probes does not have {probe}"
    assert f"preflight.probes: [{probe}]" in found.remedy
    assert f"accept check {check}" in found.remedy
    unneeded = quiet._replace(announcements="", source_address_filtering="")
    assert of(judge(silent, requirements=unneeded), check).measured.startswith("not needed, and not known: not probed")


HEARD = {"osl-2": ["8472/udp", "arp", "pod-source"]}
NSPAWN = {"machine": {"container": "systemd-nspawn", "said_by": "systemd-detect-virt"}}
DISK = {"folder": "/", "filesystem": "ext4", "writes": 10_030}


def heard(**of: list[str]) -> dict[str, Any]:
    return {"wire": {"heard": HEARD | {"osl-3": of["third"]}, "passed": {}, "free": []}}


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
    ("conntrack-full", {"conntrack": {"count": 131_072, "max": 131_072}}, "advice", "(100 %)"),
    ("conntrack-full", window(conntrack=6), "advice", "1 connections dropped in 10 minutes"),
    ("conntrack-full", {"window": {"before": None, "after": AFTER}}, "ok", "5 connections dropped"),
    ("machine", NSPAWN, "fails", "a container (systemd-nspawn), says systemd-detect-virt, limit a kernel of its own"),
    ("machine", {"machine": {"container": "", "virtual": "none"}}, "ok", "a physical machine"),
    ("machine", {"machine": {"unknown": "/proc is not mounted"}}, "unknown", "/proc is not mounted"),
    ("etcd-disk", {"disk": DISK | {"p99_ns": 25e6}}, "fails", "25.00 ms on ext4 at /, 10030 writes, limit 10 ms"),
    ("etcd-disk", {"disk": DISK | {"p99_ns": 25e6, "by": "etcd"}}, "advice", "10030 writes of the running etcd"),
    ("etcd-disk", {"disk": DISK | {"p99_ns": 9e6, "by": "etcd"}}, "ok", "9.00 ms"),
    ("etcd-disk", {"disk": {"unknown": "etcd runs here (process 7)"}}, "unknown", "process 7"),
    (
        "api-server",
        {"api_server": {"addresses": [], "answer": "", "reason": "unknown name"}},
        "fails",
        "no address here",
    ),
    ("api-server", {"api_server": {"addresses": ["192.0.2.10"], "answer": "silent"}}, "fails", "answers osl-2, osl-3"),
    ("cluster-names", {"cluster_dns": {"name": "k", "milliseconds": 250.0, "code": 0}}, "advice", "250 ms"),
    ("cluster-names", {"cluster_dns": {"name": "k", "milliseconds": 1.0, "code": 3}}, "advice", "error 3"),
    ("path-mtu", {"paths": {"peers": {"osl-2": {"mtu": 1450}, "osl-3": {"mtu": None}}}}, "fails", "osl-2: 1450, osl-3"),
    ("segment", {"paths": {"peers": {"osl-2": {"mac": "02:ff:ff:ff:ff:ff"}}}}, "fails", "not shared with osl-2"),
    ("source-address-filtering", heard(third=["arp"]), "fails", "not arrive from osl-3"),
    ("source-address-filtering", heard(third=["foreign-source"]), "ok", "none from any"),
    ("announcements", heard(third=["pod-source"]), "fails", "not heard from osl-3"),
    ("ports", {"ports": {"peers": {"osl-2": {"10250/tcp": "silent"}}}}, "fails", "10250/tcp to osl-2 (the kubelet)"),
    ("ports", {"ports": {"peers": {"osl-2": {"2380/tcp": "silent"}}}}, "fails", "2380/tcp to osl-2 (etcd's members)"),
    ("ports", heard(third=["arp"]), "fails", "8472/udp from osl-3 (Cilium's VXLAN)"),
    ("ports", heard(third=["8472/udp"]), "ok", "8472/udp in use, so seen at the link only"),
    ("references", {"references": {"points": {"exchange": {"milliseconds": 28.0}}}}, "advice", "28.00 ms"),
    ("references", {"references": {"points": {"exchange": {"milliseconds": None}}}}, "advice", "no answer"),
    (
        "nic-drops",
        window(nic={"packets": 20_100, "dropped": 407}),
        "advice",
        "400 of 20000 packets (2.00 %) in 10 ",
    ),
    ("nic-drops", window(nic={"packets": 20_100, "dropped": 8}), "ok", "1 of 20000 packets"),
    ("nic-drops", window(nic={"packets": 5000, "dropped": 1000}), "ok", "993 of 4900 packets"),
    ("softnet", window(softnet={"dropped": 6004, "squeezed": 0}), "advice", "6001 in 10 minutes, limit 10 per second"),
    ("softnet", window(softnet={"dropped": 4, "squeezed": 0}), "ok", "1 in 10 minutes"),
    ("softnet", window(softnet={"dropped": 0, "squeezed": 0}), "unknown", "were reset"),
    ("steal", window(uptime=1030.0), "unknown", "counted for 30 s only"),
    ("listen-drops", window(listen={"dropped": 2 + 601}), "advice", "601 in 10 minutes, limit 1 per second"),
    ("listen-drops", window(listen={"dropped": 2 + 600}), "ok", "600 in 10 minutes"),
    ("softnet", window(uptime=1030.0), "unknown", "--window 60"),
    ("nic-ring", {"link": {"ring": {"rx": 256, "rx_max": 4096}}}, "advice", "256, limit 4096"),
    ("names", {"resolver": {"unknown": "no answer"}}, "unknown", "no answer"),
    ("kernel", {"kernel": {"release": "who knows"}}, "unknown", "not understood"),
    ("steal", window(cpu=[1]), "unknown", "not understood"),
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


def test_a_container_is_refused_and_no_check_of_it_passes_for_that():
    assert [row.check.id for row in judge(NSPAWN) if row.stops] == ["machine"]
    assert "rent a virtual machine" in of(judge(NSPAWN), "machine").remedy


def test_a_container_of_a_lab_proves_nothing_by_what_it_shares():
    found = judge(NSPAWN | {"disk": DISK | {"p99_ns": 10**9}}, machine="container")
    assert {row.check for row in found if row.state == "unproved"} == {check for check in CHECKS if check.of_machine}
    assert {finding.rule for finding in problems(found)} == {"preflight-machine", "preflight-etcd-disk"}


def test_a_server_is_not_judged_as_a_container_because_the_stack_file_says_so():
    found = judge({"disk": DISK | {"p99_ns": 10**9}}, machine="container")
    assert {row.check.id for row in found if row.state == "fails"} == {"machine", "etcd-disk"}


def test_what_the_shared_kernel_says_is_judged_in_a_container_as_everywhere():
    found = judge(NSPAWN | {"memory": {"bytes": 1, "swap_bytes": 0}}, machine="container")
    assert "preflight-memory" in {violation.rule for violation in problems(found)}


def accept(check: str, *nodes: str, until: str = "2026-12-31") -> AcceptedCheck:
    return AcceptedCheck.model_validate(
        {"check": check, "nodes": nodes, "until": until, "reason": "the provider opens it in January"}
    )


TODAY = date(2026, 11, 26)


def test_every_required_check_that_could_not_be_made_stops_the_run_and_says_what_makes_it_known():
    silent = {name: {"unknown": "it was not said"} for name in facts("osl-1")}
    found = judge(silent)
    required = {check.id for check in CHECKS if check.required} - {"survey", "clock"}  # both come with any answer
    assert {row.check.id for row in found if row.stops} == required
    with pytest.raises(PreflightError) as caught:
        require_fit(found)
    for finding in caught.value.problems:
        assert "is not known: it was not said" in finding.message
        assert "; or accept check " in finding.remedy
        assert not finding.decided
    assert "apt-get install iputils-ping" in of(found, "path-mtu").remedy


def test_a_stack_of_one_node_has_nothing_between_nodes():
    alone = {"paths": {"peers": {}}, "ports": {"peers": {}}, "wire": {"heard": {}, "passed": {}, "free": []}}
    [survey] = [Survey("osl-1", facts("osl-1") | alone)]
    assert problems(findings([survey], NODES[:1], REQUIREMENTS)) == []


def test_where_no_other_node_answered_nothing_between_them_is_known():
    alone = {"paths": {"peers": {}}, "ports": {"peers": {}}, "wire": {"heard": {}, "passed": {}, "free": []}}
    found = findings([Survey("osl-1", facts("osl-1") | alone)], NODES, REQUIREMENTS)
    assert {row.check.id for row in found if row.stops} == {
        *("announcements", "path-mtu", "ports", "segment", "source-address-filtering")
    }


def test_a_property_of_the_network_that_nothing_needs_may_be_unknown():
    silent = {"wire": {"unknown": "the packet socket is refused"}}
    nothing = REQUIREMENTS._replace(source_address_filtering="", announcements="", ports=())
    found = judge(silent, requirements=nothing)
    assert of(found, "announcements").measured == "not needed, and not known: the packet socket is refused"
    assert {row.check.id for row in found if row.stops} == {"ports"}


def test_a_worker_needs_no_disk_for_etcd():
    row = of(judge({"disk": {"unknown": "not asked for"}}, roles=("worker",)), "etcd-disk")
    assert (row.state, row.measured) == ("ok", "no etcd here; not measured: not asked for")


def test_what_is_accepted_by_name_until_a_day_stops_nothing_and_is_shown():
    found = judge({"paths": {"unknown": "ping is not installed"}})
    assert {row.check.id for row in found if row.stops} == {"path-mtu", "segment"}
    agreed = accepted(found, [accept("path-mtu"), accept("segment", "osl-1")], TODAY)
    assert problems(agreed) == []
    [first, _] = [finding for finding in advice(agreed) if finding.rule in ("preflight-path-mtu", "preflight-segment")]
    assert "accepted until 2026-12-31: the provider opens it in January" in str(first)


@pytest.mark.parametrize(
    "wrong", [accept("ports"), accept("path-mtu", "osl-2"), accept("path-mtu", until="2026-11-25")]
)
def test_an_acceptance_of_something_else_or_that_has_ended_accepts_nothing(wrong):
    found = accepted(judge({"paths": {"unknown": "ping is not installed"}}), [wrong], TODAY)
    assert of(found, "path-mtu").stops
    if wrong.ended(TODAY):
        assert "accepted until 2026-11-25, which has passed" in str(of(found, "path-mtu"))


def test_what_was_measured_and_fails_cannot_be_accepted():
    found = accepted(judge({"cgroup": {"version": 1}}), [accept("cgroup")], TODAY)
    assert of(found, "cgroup").stops


def test_a_cluster_that_kubeadm_will_make_need_not_answer_until_it_answers_somebody():
    endpoint = REQUIREMENTS._replace(api_server=ApiEndpoint("192.0.2.10", 6443))
    refused = {"api_server": {"addresses": ["192.0.2.10"], "answer": "refused"}}
    row = of(judge(refused, others=refused, requirements=endpoint), "api-server")
    assert (row.state, "yet: kubeadm makes the cluster" in row.measured) == ("ok", True)
    assert of(judge(refused, requirements=endpoint), "api-server").state == "fails"
    nameless = {"api_server": {"addresses": [], "answer": "", "reason": "unknown name"}}
    assert of(judge(nameless, others=nameless, requirements=endpoint), "api-server").state == "fails"


def test_a_closed_port_names_the_firewall_that_closes_it():
    closed = {"ports": {"peers": {"osl-2": {"10250/tcp": "silent"}}}}
    assert of(judge(closed), "ports").remedy == "open them in the provider's firewall for the nodes' network"
    row = of(judge(closed, others={"firewall": {"kind": "ufw"}}), "ports")
    assert row.remedy == "on osl-2: ufw allow proto tcp from 192.0.2.0/24 to any port 10250"


def test_udp_that_reaches_the_link_and_not_the_socket_is_closed_by_the_nodes_own_firewall():
    wire = facts("osl-1")["wire"] | {"passed": {"osl-2": ["8472/udp"]}}
    row = of(judge({"wire": wire, "firewall": {"kind": "nftables"}}), "ports")
    assert row.measured == "closed: 8472/udp from osl-3 at this node's own firewall (Cilium's VXLAN)"
    assert row.remedy.startswith("on osl-1: in the nftables input chain, accept `ip saddr 192.0.2.0/24 udp dport 8472`")


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
    finding = of(judge(window(cpu=[100, 0, 0, 95, 0, 0, 0, 5, 0, 0])), "steal")
    assert finding.state == "advice"
    assert "2.50 % in 10 minutes, limit 0.5 %" in str(finding)


def test_one_tick_of_steal_on_two_processors_is_no_alarm():
    a_minute = [6000, 0, 0, 5999, 0, 0, 0, 1, 0, 0]
    assert of(judge(window(uptime=1060.0, cpu=a_minute)), "steal").state == "ok"
