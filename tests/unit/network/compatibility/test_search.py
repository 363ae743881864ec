"""The table of what works together, and what a stack file hears of it."""

from itertools import product

import pytest

from components.core.versions import between
from components.network.cilium.releases import NEWEST
from components.network.compatibility.matrix import TABLE, Combination, Feature, Part
from components.network.compatibility.releases import candidates, table
from components.network.compatibility.search import conflicts, floor, nearest, untested
from components.network.rules import kernel_floor
from components.stackfile.parsing import parse
from components.stackfile.releases import release_advice
from components.stackfile.rules import accepts
from tests.support.networks import cilium
from tests.support.stacks import ROOT, problems, stack, stack_data


def said(cni=None, kubernetes=None, **gateway):
    data = stack_data("oslo")
    data["cluster"] = {"kind": "existing", "kubernetesVersion": kubernetes or "1.33"}
    data["cni"].update({"version": "1.18.12", **(cni or {})})
    data["gateway"].update({"install": {"kind": "existing"}, **gateway})
    return problems(data)


def test_a_gateway_api_too_new_for_cilium_names_both_ways_out():
    (problem,) = said({"gatewayApi": True}, bundleVersion="1.6.1")
    assert problem == (
        "gateway.bundleVersion: Gateway API 1.6.1 does not work with Cilium 1.18.12 with Cilium's Gateway, which needs "
        "1.4.1 at most: its controller knows no later kinds (Cilium 1.20's upgrade notes): write "
        "gateway.bundleVersion: 1.4.1, or cni.version: 1.20.3, or gatewayApi: false"
    )
    assert said({"gatewayApi": True}, bundleVersion="1.4.1") == []
    assert said({"gatewayApi": True, "version": "1.20.0"}, bundleVersion="1.6.1") == []


def test_a_proposed_version_is_asked_of_every_other_rule():
    (problem,) = said({"gatewayApi": True, "runningVersion": "1.18.2"}, bundleVersion="1.6.1")
    assert problem.endswith("write gateway.bundleVersion: 1.4.1, or gatewayApi: false")  # 1.20 would jump over 1.19
    (problem,) = said({"gatewayApi": True, "runningVersion": "1.19.6", "version": "1.19.6"}, bundleVersion="1.6.1")
    assert "write gateway.bundleVersion: 1.4.1, or cni.version: 1.20.3" in problem


def test_what_is_proposed_for_a_kubeadm_cluster_is_a_whole_version_that_its_kubeadm_takes():
    data = stack_data("oslo")
    data["cluster"]["kubernetesVersion"] = "1.32.4"
    data["gateway"] = {**data["gateway"], "install": {"kind": "existing"}}
    data["cni"]["serviceProxy"] = "nftables"
    spec = parse(data, base_dir=ROOT)
    (ended,) = release_advice(spec.combination.versions, table().day, accepts(spec))
    assert ended.remedy == "write 1.35.9 or 1.36.5"  # 1.37 is not one of those that kubeadm was tested with


def test_a_gateway_api_needs_a_kubernetes_that_validates_its_crds():
    (problem,) = said(kubernetes="1.24", bundleVersion="1.4.1")
    assert "write cluster.kubernetesVersion: 1.35, or gateway.bundleVersion: 1.0.0" in problem


def test_a_gateway_api_too_old_for_cilium():
    (problem,) = said({"gatewayApi": True, "version": "1.20.0"}, bundleVersion="1.4.1")
    assert "which needs 1.6.1 or newer" in problem
    assert "write cni.version: 1.19.8, or gateway.bundleVersion: 1.6.3" in problem


def test_what_is_not_on_and_what_is_not_known_is_not_refused():
    assert said(bundleVersion="1.6.1") == []
    assert said({"gatewayApi": True}) == []


def test_nftables_needs_a_kubernetes_that_has_it_on():
    (problem,) = said({"serviceProxy": "nftables"}, kubernetes="1.29")
    assert "Kubernetes 1.29 does not work with kube-proxy with nftables, which needs 1.31 or newer" in problem
    assert "write cluster.kubernetesVersion: 1.35, or another mode of kube-proxy" in problem
    assert said({"serviceProxy": "nftables"}, kubernetes="1.31") == []


def test_a_bundle_with_an_admission_policy_needs_a_kubernetes_that_has_them():
    (problem,) = said(kubernetes="1.29", bundleVersion="1.5.1")
    assert "write gateway.bundleVersion: 1.4.1, or cluster.kubernetesVersion: 1.35" in problem


def test_a_metallb_without_objects_is_refused():
    data = stack_data("oslo")
    data["metallb"]["install"]["version"] = "0.12.1"
    (problem,) = problems(data)
    assert "metallb.install.version: MetalLB 0.12.1" in problem
    assert "write metallb.install.version: 0.16.2" in problem


def test_calicos_nftables_came_late():
    data = stack_data("oslo")
    data["cni"] = {"kind": "calico", "version": "3.28.5", "install": {"kind": "helm"}, "dataplane": "Nftables"}
    (problem,) = problems(data)
    assert "write cni.version: 3.31.7, or dataplane: Iptables" in problem


def test_a_jump_over_minors_is_refused_with_the_path_to_take():
    (problem,) = said({"version": "1.18.12", "runningVersion": "1.14.4"})
    assert problem == (
        "cni.version: 1.18.12, but 1.14.4 runs, and Cilium goes one minor at a time: take the path 1.14.4 → 1.15.19 → "
        "1.16.19 → 1.17.18 → 1.18.12, one update each; use Cilium's own tools for versions that a stack "
        "file does not take (`vds cilium-values migrate --to` writes the values of each step)"
    )


@pytest.mark.parametrize("running", ["1.17.1", "1.18.2", "1.19.6"])
def test_the_next_minor_and_the_one_before_are_no_jump(running):
    assert said({"version": "1.18.12", "runningVersion": running}) == []


def test_going_back_has_a_path_too():
    (problem,) = said({"version": "1.18.2", "runningVersion": "1.20.0"})
    assert f"goes back one minor at a time: take the path 1.20.0 → {NEWEST['1.19']} → 1.18.2" in problem


@pytest.mark.parametrize(
    ("running", "version", "path"),
    [
        ("1.10.20", "1.18.12", "1.10.20 → 1.11.20 → 1.12.19 → "),
        ("1.22.1", "1.20.0", "goes back one minor at a time: take the path 1.22.1 → 1.21 → 1.20.0, one"),
        ("0.15.9", "1.18.2", "no way over a major version is known"),
    ],
)
def test_a_jump_from_a_minor_whose_charts_are_not_known_is_a_jump_all_the_same(running, version, path):
    (problem,) = said({"version": version, "runningVersion": running})
    assert problem.startswith("cni.version: ")
    assert path in problem


def test_a_neighbour_whose_charts_are_not_known_is_no_jump():
    assert said({"version": "1.20.0", "runningVersion": "1.21.0"}) == []


def test_a_first_minor_from_the_future_is_refused():
    (problem,) = said({"upgradedFrom": "1.20"})
    assert "cni.upgradedFrom: 1.20 is newer than 1.18" in problem


def test_a_kubernetes_that_the_makers_do_not_list_is_advice_and_no_refusal():
    found, remedy = untested(Combination({Part.CILIUM: "1.18.12", Part.KUBERNETES: "1.36"}))
    assert "tested by its makers with Kubernetes 1.30 to 1.33, and this is 1.36" in found
    assert remedy == "write a Kubernetes from 1.30 to 1.33, or another version of Cilium"
    assert untested(Combination({Part.CILIUM: "1.18.12", Part.KUBERNETES: "1.33.4"})) == ("", "")
    assert untested(Combination({Part.KUBERNETES: "1.36"})) == ("", "")


def test_what_a_minors_makers_tested_is_unknown_where_their_page_was_not_read():
    for part, version in ((Part.CILIUM, "1.17.18"), (Part.CALICO, "3.28.0")):
        found, remedy = untested(Combination({part: version, Part.KUBERNETES: "1.30"}))
        assert found.startswith(f"{part} {version} is not known to be tested with Kubernetes 1.30")
        assert remedy


def test_the_production_example_runs_what_ciliums_makers_tested():
    assert [text for text in map(str, stack("oslo").advice) if "tested" in text] == []


def test_every_row_can_be_met_and_every_row_can_be_broken():
    for requirement in TABLE:
        versions = [*(candidates(requirement.other) or ("3.2", "5.10", "6.12")), "0.0.1", "99.0"]
        assert any(between(version, requirement.at_least, requirement.at_most) for version in versions)
        assert any(not between(version, requirement.at_least, requirement.at_most) for version in versions)
        assert requirement.why
        assert requirement.source


def test_every_proposal_works_and_nothing_nearer_in_the_same_parts_does():
    features = [frozenset(), frozenset({Feature.CILIUM_GATEWAY}), frozenset({Feature.PROXY_NFTABLES})]
    parts = (Part.CILIUM, Part.GATEWAY_API, Part.KUBERNETES)
    for *versions, on in product(*(candidates(part) for part in parts), features):
        combination = Combination(dict(zip(parts, versions, strict=True)), on)
        if not conflicts(combination):
            continue
        ways = nearest(combination)
        assert ways
        for way in ways:
            assert conflicts(Combination({**combination.versions, **way}, on)) == []
            assert all(combination.versions[part] != version for part, version in way.items())


def test_the_kernel_that_nodes_need_comes_from_the_table():
    both = Combination({Part.CILIUM: "1.20.2", Part.KERNEL: "5.10"}, frozenset({Feature.PROXY_NFTABLES}))
    assert [item.subject for item in conflicts(both)] == ["kube-proxy with nftables"]
    nftables = cilium("1.20.2", serviceProxy="nftables")
    assert floor(both, Part.KERNEL) == ("5.13", "kube-proxy with nftables") == kernel_floor(nftables)
