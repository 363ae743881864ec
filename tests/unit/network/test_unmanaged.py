"""Flannel, and what somebody else installs: refused or taken as it is, and judged either way."""

import pytest

from components.network.mtu import solve
from components.network.rules import kernel_floor
from components.stackfile.parsing import parse
from components.tenancy.registration.rules import environment_problems
from tests.support.registrations import registration
from tests.support.stacks import ROOT, problems, stack_data

FLANNEL = {"kind": "flannel", "version": "0.27.4"}
OWN = {
    "kind": "unmanaged",
    "name": "kube-router",
    "podMtu": 1480,
    "layers": ["ipip"],
    "serviceProxy": "ipvs",
    "networkPolicies": True,
}


def data(cni):
    return stack_data("oslo") | {"cni": cni}


def spec(cni):
    return parse(data(cni), base_dir=ROOT)


def test_flannel_is_refused_with_the_reason_and_the_way_out():
    (problem,) = problems(data(FLANNEL))
    assert problem == (
        "cni.kind: flannel enforces no NetworkPolicy: every tenant could reach every other: write kind: cilium or "
        "calico. Where it runs already and is to go later, write legacy: true (pods then get 1500 − 50 (VXLAN) = 1450)"
    )


def test_a_running_flannel_gets_its_computed_1450_and_no_tenants():
    legacy = {**FLANNEL, "legacy": True}
    published = spec(legacy).published
    (problem,) = [one for one in environment_problems(registration(), published) if one.subject == "tenant"]
    assert "flannel of environment oslo enforces no NetworkPolicy, so nothing keeps tenants apart" in problem.message
    cni = spec(legacy).cni
    assert solve(cni, 1500)[:3] == (1450, 1450, "FLANNEL_MTU")
    assert cni.requirements().udp_ports == ((8472, "Flannel's VXLAN"),)
    assert kernel_floor(cni)[0] == "3.10"


def test_the_trap_of_2018_is_refused_by_its_number():
    (problem,) = problems(data({**FLANNEL, "legacy": True, "podMtu": 1500}))
    assert "1500, but pods get 1500 − 50 (VXLAN) = 1450: write podMtu: 1450" in problem


def test_host_gw_needs_one_segment_and_foreign_sources():
    cni = spec({**FLANNEL, "legacy": True, "backend": "host-gw"}).cni
    assert cni.requirements().same_segment == cni.requirements().foreign_sources == "Flannel with backend: host-gw"
    assert solve(cni, 1500).pod == 1500


def test_somebody_elses_cni_is_taken_as_it_is():
    cni = spec(OWN).cni
    assert solve(cni, 1500).arithmetic == "1500 − 20 (IPIP) = 1480"
    assert cni.summary() == "kube-router, installed by somebody else: ipip, kube-proxy with ipvs, policies"
    assert solve(spec({**OWN, "podMtu": 1400}).cni, 1500)[0::3] == (1400, "1400 of 1500 − 20 (IPIP) = 1480")


@pytest.mark.parametrize(
    ("layers", "fits"),
    [([], 1500), (["vxlan"], 1450), (["ipip"], 1480), (["vxlan", "wireguard"], 1390), (["wireguard"], 1440)],
)
def test_pods_larger_than_what_fits_are_refused(layers, fits):
    cni = {**OWN, "layers": layers}
    (problem,) = problems(data({**cni, "podMtu": fits + 1}))
    assert f"set kube-router's pod MTU to {fits}" in problem
    assert problems(data({**cni, "podMtu": fits})) == []


def test_calicos_own_number_for_wireguard_is_taken_where_somebody_else_installs_it():
    """1440 on 1500 is its default over IPv4; 80 bytes would be right over IPv6 only, and nobody sees which it is."""
    assert problems(data({**OWN, "name": "calico", "layers": ["wireguard"], "podMtu": 1440})) == []
    plain = spec({**OWN, "layers": [], "podMtu": 1500}).cni
    assert solve(plain, 1500).arithmetic == "1500 − 0 (no encapsulation) = 1500"


def test_a_layer_that_occurs_twice_is_refused_because_it_would_be_counted_once():
    (problem,) = problems(data({**OWN, "layers": ["ipip", "ipip"]}))
    assert "ipip occurs twice" in problem


def test_tenants_need_somebody_who_enforces_policies():
    for policies in (True, False):
        published = spec({**OWN, "networkPolicies": policies}).published
        assert published.enforces_policies is policies
        found = {one.subject for one in environment_problems(registration(), published)}
        assert ("tenant" in found) is not policies


def test_the_kernel_follows_who_carries_services():
    assert kernel_floor(spec(OWN).cni) == ("3.10", "kube-proxy with ipvs")
    assert kernel_floor(spec({**OWN, "serviceProxy": "ebpf"}).cni) == ("5.4", "eBPF of somebody else's")
    assert kernel_floor(spec({**OWN, "serviceProxy": "nftables"}).cni) == ("5.13", "kube-proxy with nftables")


def test_what_cannot_be_seen_has_to_be_said():
    found = problems(data({"kind": "unmanaged", "name": "x"}))
    assert {line.split(":")[0] for line in found} == {"cni.podMtu", "cni.serviceProxy", "cni.networkPolicies"}
