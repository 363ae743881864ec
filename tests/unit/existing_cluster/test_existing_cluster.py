"""An existing cluster, asked over the API: what it says of itself against the stack file."""

import json
from typing import Any, get_args

import pytest

from components.existing_cluster.checks import CHECKS, cluster_findings
from components.existing_cluster.model import ClusterFacts
from components.existing_cluster.reading import ask, read_cluster
from components.kubernetes_api import ApiError, UnreachableError
from components.nodes.model import AcceptedCheck, CheckId
from components.nodes.preflight.verdict import CheckResult, accepted
from components.stackfile.parsing import parse
from tests.support.stacks import ROOT, existing_data
from tests.support.surveys import table_of

STACK = existing_data("1.36")
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gateways.gateway.networking.k8s.io"
PROXY = "/api/v1/namespaces/kube-system/configmaps/kube-proxy"
SETS = "/apis/apps/v1/daemonsets"
PODS = "/api/v1/namespaces/kube-system/pods"
DNS = "/apis/apps/v1/namespaces/kube-system/deployments"
NODES = "/api/v1/nodes"


def node(name: str, address: str, number: int, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, **metadata},
        "spec": {"podCIDRs": [f"10.244.{number}.0/24"]},
        "status": {"addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]},
    }


def items(*found: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(found)}


def named(name: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": status}


def daemons(*names: str) -> dict[str, Any]:
    return items(*(named(name, desiredNumberScheduled=6) for name in names))


def crd(version: str) -> dict[str, Any]:
    marks = {"bundle-version": version, "channel": "standard"}
    return {"metadata": {"annotations": {f"gateway.networking.k8s.io/{key}": value for key, value in marks.items()}}}


def proxy(mode: str, *, strict: bool = False) -> dict[str, Any]:
    return {"data": {"config.conf": json.dumps({"mode": mode, "ipvs": {"strictARP": strict}})}}


def nodes() -> list[dict[str, Any]]:
    return [node(one["name"], one["address"], number) for number, one in enumerate(STACK["nodes"])]


class FakeApi:
    """A fresh cluster of kubeadm without kube-proxy and CNI, in which a test changes answers by their paths."""

    def __init__(self, **changes: Any) -> None:
        self.answers: dict[str, Any] = {
            "/version": {"gitVersion": "v1.36.3"},
            NODES: items(*nodes()),
            SETS: items(),
            PODS: items(named("etcd-osl-cp-1"), named("kube-apiserver-osl-cp-1")),
            CRD: crd("v1.5.1"),
            DNS: items({"metadata": {"name": "coredns"}, "spec": {"replicas": 2}, "status": {"readyReplicas": 2}}),
        }
        self.answers |= changes

    def request(self, method: str, path: str, body: Any = None, *, query: Any = ()) -> dict[str, Any]:
        assert (method, body) == ("GET", None), f"nothing is changed: {method} {path} {query}"
        answer = self.answers.get(path)
        if answer is None:
            raise ApiError(404, "not found")
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def judge(changes: dict[str, Any], **of_spec: Any) -> dict[str, CheckResult]:
    """The results by check, of a cluster with other answers and a stack file with other values."""
    spec = parse(STACK | of_spec, base_dir=ROOT)
    facts = ask(FakeApi(**changes))
    kept = ClusterFacts(**json.loads(json.dumps(facts._asdict())))
    assert kept == facts, "a facts file keeps all of it"
    return {row.check.id: row for row in cluster_findings(facts, spec.cluster_requirements)}


def test_a_cluster_as_the_stack_file_says_passes_every_check():
    found = judge({})
    assert list(found) == [check.id for check in CHECKS]
    assert {row.state for row in found.values()} == {"ok"}, [row for row in found.values() if row.state != "ok"]


def test_the_stack_file_names_exactly_the_checks_that_may_be_undecided():
    required = {check.id for check in CHECKS if check.required}
    assert {name for name in get_args(CheckId) if name.startswith("cluster")} == required


def test_the_how_to_has_the_table():
    table = table_of(CHECKS)
    assert table in (ROOT / "docs" / "howto" / "examine-nodes.md").read_text(encoding="utf-8"), f"write:\n{table}"


FIRST = STACK["nodes"][0]
K3S = {"k3s.io/node-args": '["server", "--cluster-init"]'}
K3S_BARE = {"k3s.io/node-args": '["server", "--flannel-backend=none", "--disable-kube-proxy"]'}
EXCLUDED = {"node.kubernetes.io/exclude-from-external-load-balancers": ""}


def changed(first: dict[str, Any]) -> dict[str, Any]:
    return {NODES: items(first, *nodes()[1:])}


IPTABLES = {"cni": STACK["cni"] | {"serviceProxy": "iptables"}}
IPVS = {"cni": STACK["cni"] | {"serviceProxy": "ipvs"}}
RUNS = {SETS: daemons("kube-proxy")}
CASES: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("cluster-version", {"/version": {"gitVersion": "v1.35.1+k3s1"}}, {}, "fails", 'write kubernetesVersion: "1.35"'),
    ("cluster-nodes", {NODES: items(*nodes()[1:])}, {}, "fails", "osl-cp-1 is not in the cluster"),
    ("cluster-nodes", changed(node("osl-cp-1", "192.0.2.9", 0)), {}, "fails", "address 192.0.2.9, not 198.51.100.11"),
    ("cluster-nodes", {NODES: items(*nodes(), node("a", "192.0.2.9", 9))}, {}, "advice", "also a"),
    ("cluster-pod-cidrs", changed(nodes()[0] | {"spec": {}}), {}, "fails", "osl-cp-1 has none"),
    ("cluster-pod-cidrs", changed(nodes()[0] | {"spec": {"podCIDRs": ["10.42.0.0/24"]}}), {}, "fails", "10.42.0.0/24"),
    ("cluster-kube-proxy", RUNS, {}, "fails", "delete daemonset kube-proxy"),
    ("cluster-kube-proxy", {SETS: items(named("kube-proxy", desiredNumberScheduled=0))}, {}, "ok", "does not run"),
    ("cluster-kube-proxy", {PODS: items(named("kube-proxy-osl-cp-1"))}, {}, "fails", "runs"),
    ("cluster-kube-proxy", changed(node("osl-cp-1", FIRST["address"], 0, annotations=K3S)), {}, "fails", "runs"),
    ("cluster-kube-proxy", changed(node("osl-cp-1", FIRST["address"], 0, annotations=K3S_BARE)), {}, "ok", "not run"),
    ("cluster-kube-proxy", {}, IPTABLES, "fails", "run it, or write serviceProxy: ebpf"),
    ("cluster-kube-proxy", RUNS | {PROXY: proxy("")}, IPTABLES, "ok", "mode iptables"),
    ("cluster-kube-proxy", RUNS, IPTABLES, "ok", "not in a ConfigMap"),
    ("cluster-kube-proxy", RUNS | {PROXY: proxy("nftables")}, IPTABLES, "fails", "write serviceProxy: nftables"),
    ("cluster-kube-proxy", RUNS | {PROXY: proxy("ipvs")}, IPVS, "fails", "write ipvs.strictARP: true"),
    ("cluster-kube-proxy", RUNS | {PROXY: proxy("ipvs", strict=True)}, IPVS, "ok", "mode ipvs"),
    ("cluster-kube-proxy", RUNS, IPVS, "unknown", "no ConfigMap"),
    ("cluster-kube-proxy", RUNS | {PROXY: {"data": {"config.conf": "{"}}}, IPVS, "unknown", "not understood"),
    ("cluster-cni", {SETS: daemons("cilium")}, {}, "ok", "cilium"),
    ("cluster-cni", {SETS: daemons("calico-node", "cilium")}, {}, "fails", "remove calico first"),
    ("cluster-cni", changed(node("osl-cp-1", FIRST["address"], 0, annotations=K3S)), {}, "fails", "flannel-backend"),
    ("cluster-crds", {CRD: None}, {}, "fails", "write gateway.crds of kind bundle"),
    ("cluster-crds", {CRD: {"metadata": {}}}, {}, "unknown", "no bundle version"),
    (
        "cluster-crds",
        {CRD: crd("v1.4.0")},
        {"gateway": STACK["gateway"] | {"bundleVersion": "1.5.1"}},
        "fails",
        "write gateway.bundleVersion: 1.4.0",
    ),
    (
        "cluster-labels",
        {NODES: items(*(one | {"metadata": {**one["metadata"], "labels": EXCLUDED}} for one in nodes()))},
        {},
        "fails",
        "exclude-from-external-load-balancers-",
    ),
    ("cluster-labels", changed(node("osl-cp-1", FIRST["address"], 0, labels=EXCLUDED)), {}, "ok", "on osl-cp-1"),
    ("cluster-dns", {DNS: items()}, {}, "advice", "no deployment"),
    ("cluster-dns", {DNS: items({"metadata": {"name": "coredns"}, "spec": {"replicas": 2}})}, {}, "advice", "0 of 2"),
    ("cluster-version", {"/version": {"gitVersion": "who knows"}}, {}, "unknown", "not understood"),
    ("cluster-nodes", {NODES: ApiError(403, "nodes is forbidden")}, {}, "unknown", "nodes is forbidden"),
]


@pytest.mark.parametrize(("check", "changes", "of_spec", "state", "said"), CASES)
def test_what_the_cluster_says_is_held_against_the_stack_file(check, changes, of_spec, state, said):
    row = judge(changes, **of_spec)[check]
    assert (row.state, said in str(row)) == (state, True), row
    if state != "ok":
        assert row.remedy


def test_ipvs_with_layer_2_pools_is_refused_until_strict_arp_is_on():
    """The case 42-ipvs-existing-l2: the stack file alone can't say."""
    stack = {"cluster": {"kind": "existing", "kubernetesVersion": "1.36"}, **IPVS}
    assert judge(RUNS | {PROXY: proxy("ipvs")}, **stack)["cluster-kube-proxy"].stops
    assert not judge(RUNS | {PROXY: proxy("ipvs", strict=True)}, **stack)["cluster-kube-proxy"].stops


def test_every_wrong_thing_is_found_at_once():
    found = judge({"/version": {"gitVersion": "v1.30.0"}, NODES: items(), SETS: daemons("kube-proxy", "canal")})
    stops = {name for name, row in found.items() if row.stops}
    unknown = {"cluster-pod-cidrs", "cluster-labels"}  # of no node
    assert stops == {"cluster-version", "cluster-nodes", "cluster-kube-proxy", "cluster-cni"} | unknown
    assert {name for name, row in found.items() if row.undecided} == unknown


@pytest.mark.parametrize(
    "error", [UnreachableError("https://198.51.100.10:6443: no answer in time"), ApiError(401, "Unauthorized")]
)
def test_a_cluster_that_does_not_answer_is_one_row_that_stops_the_run_or_is_accepted(error):
    found = list(judge({"/version": error}).values())
    assert [(row.check.id, row.stops) for row in found] == [("cluster", True)]
    assert str(error) in str(found[0])
    assert "cluster: API server is not known" in f"{found[0].subject}: {found[0]}"
    accept = AcceptedCheck.model_validate(
        {"check": "cluster", "until": "2026-12-31", "reason": "the runner can't reach it"}
    )
    assert [row.stops for row in accepted(found, [accept], accept.until)] == [False]


@pytest.mark.parametrize("text", ["not: a kubeconfig", "{", "", "1"])
def test_what_is_no_kubeconfig_is_a_reason_and_no_error(text):
    assert "is not a kubeconfig" in read_cluster(text).failure


def test_a_cluster_that_was_not_asked_is_not_judged():
    assert cluster_findings(None, parse(STACK, base_dir=ROOT).cluster_requirements) == []
