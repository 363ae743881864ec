import pytest

from components.nodes.model import NodeSpec, Sysctl
from components.nodes.rules import setting_problems
from components.nodes.settings.profiles import PROFILES, compose, conflicts, larger, wanted
from components.nodes.settings.script import modules


def node(*profiles, sysctls=()):
    return NodeSpec(
        name="osl-1",
        address="192.0.2.11",
        country="NO",
        provider={"name": "Nordic VDS AS", "country": "NO"},
        profiles=profiles,
        sysctls=sysctls,
    )


def test_the_larger_minimum_wins_whatever_the_order():
    asked = {setting.key: setting.value for setting in wanted(node("large-cluster", "high-throughput"))}
    assert asked["net.netfilter.nf_conntrack_max"] == "262144"
    assert wanted(node("large-cluster", "high-throughput")) == wanted(node("high-throughput", "large-cluster"))


def test_values_of_several_numbers_grow_number_by_number():
    assert larger("4096 87380 6291456", "8192 65536 16777216") == "8192 87380 16777216"


def test_an_exact_value_stands_before_a_minimum():
    key = "net.core.somaxconn"
    composed = compose([Sysctl(key=key, value="4096"), Sysctl(key=key, value="1024", how="exact")])
    assert composed == (Sysctl(key=key, value="1024", how="exact"),)


def test_required_by_one_is_required():
    key = "net.core.somaxconn"
    composed = compose([Sysctl(key=key, value="1", required=True), Sysctl(key=key, value="2")])
    assert composed == (Sysctl(key=key, value="2", required=True),)


def test_two_exact_values_that_differ_are_a_conflict():
    key = "net.ipv4.tcp_syn_retries"
    spec = node(sysctls=(Sysctl(key=key, value="3", how="exact"), Sysctl(key=key, value="5", how="exact")))
    (problem,) = setting_problems(spec)
    assert conflicts(spec.sysctls) == {key: ("3", "5")}
    assert "wanted as 3 and as 5" in problem.message


def test_a_nodes_own_exact_value_stands_for_its_profiles():
    spec = node("edge", "high-throughput", sysctls=(Sysctl(key="net.ipv4.tcp_fastopen", value="1", how="exact"),))
    assert list(setting_problems(spec)) == []
    assert {setting.key: setting.value for setting in wanted(spec)}["net.ipv4.tcp_fastopen"] == "1"


def test_what_the_cni_sets_for_itself_is_not_ours_to_set():
    key = "net.ipv4.conf.all.rp_filter"
    (problem,) = setting_problems(node(sysctls=(Sysctl(key=key, value="1"),)))
    assert "CNI" in problem.message


def test_no_profile_sets_what_the_cni_sets():
    for name in PROFILES:
        assert list(setting_problems(node(name))) == []


def test_every_profile_can_be_had_beside_every_other():
    assert list(setting_problems(node(*PROFILES))) == []


@pytest.mark.parametrize("proxy", ["ebpf", "iptables", "nftables", "ipvs"])
def test_conntrack_keys_ask_for_the_module_that_brings_them(proxy):
    assert "nf_conntrack" in modules(proxy, wanted(node("high-throughput")))


def test_an_ebpf_data_path_needs_no_bridge_or_ipvs_modules():
    assert modules("ebpf", wanted(node("baseline"))) == ()


def test_ipvs_needs_its_schedulers():
    assert {"ip_vs", "ip_vs_rr", "ip_vs_sh", "ip_vs_wrr"} <= set(modules("ipvs", ()))
