import pytest

from components.network.kube_proxy import kube_proxy_advice, kube_proxy_configuration
from components.network.rules import kernel_floor
from components.nodes.settings.script import modules
from components.stackfile.parsing import parse
from tests.support.networks import cilium
from tests.support.stacks import ROOT, existing_data, stack_data


def test_ipvs_answers_arp_only_for_what_is_its_own():
    assert kube_proxy_configuration("ipvs") == {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "ipvs",
        "ipvs": {"scheduler": "rr", "strictARP": True},
    }
    assert "ipvs" not in kube_proxy_configuration("nftables")


@pytest.mark.parametrize(
    ("proxy", "version", "advice"),
    [
        ("ipvs", "1.36", "deprecated since Kubernetes 1.35, and this is 1.36"),
        ("ipvs", "1.34.2", "deprecated from Kubernetes 1.35 on"),
        ("ipvs", "1.24", ""),
        ("nftables", "1.31", "stable since Kubernetes 1.33"),
        ("nftables", "1.33", ""),
        ("iptables", "1.36", ""),
        ("ebpf", "1.36", ""),
    ],
)
def test_what_to_know_of_a_mode(proxy, version, advice):
    found = [str(one) for one in kube_proxy_advice(proxy, version) if one.advice and one.remedy]
    assert len(found) == bool(advice)
    assert advice in "".join(found)


def test_a_stack_file_with_ipvs_gets_its_modules_and_the_advice():
    data = existing_data("1.33")
    data["cni"]["serviceProxy"] = "ipvs"
    spec = parse(data, base_dir=ROOT)
    assert {"ip_vs", "ip_vs_rr", "ip_vs_sh", "ip_vs_wrr", "nf_conntrack"} <= set(
        modules(spec.node_requirements.service_proxy, [])
    )
    assert any("write nftables, which is stable since 1.33" in str(text) for text in spec.advice)
    assert any("ipvs.strictARP: true" in str(text) for text in spec.advice)


def test_kubeadms_kube_proxy_gets_strict_arp_from_the_platform():
    data = stack_data("oslo")
    data["cni"]["serviceProxy"] = "ipvs"
    assert not any("strictARP" in str(text) for text in parse(data, base_dir=ROOT).advice)


def test_nftables_needs_a_newer_kernel_than_cilium_does():
    assert kernel_floor(cilium(serviceProxy="nftables")) == ("5.13", "kube-proxy with nftables")
    assert kernel_floor(cilium(serviceProxy="ipvs"))[0] == "5.10"
