"""The configurations of five published articles, as stack files: what they render then and now, whole."""

import pytest
import yaml

from components.network.calico.values import after_calico, before_calico, calico_namespace, calico_values
from components.network.cilium.chart.command_line import command_line, merge_words
from components.network.cilium.chart.explain import explain, judge
from components.network.cilium.chart.migrate import migrate
from components.network.cilium.chart.nested import flatten
from components.network.cilium.releases import NEWEST
from components.network.cilium.values import cilium_values
from components.network.model import Calico, ChartContext
from components.network.mtu import solve
from components.stackfile.parsing import parse
from tests.support.cilium_trials import trial
from tests.support.golden import assert_golden
from tests.support.manifests import to_yaml
from tests.support.stacks import ROOT, problems

SEEDS = {
    "000-direct-routing": "1.14.4",
    "001-dsr-geneve": "1.16.1",
    "003-vxlan": "1.14.2",
    "004-kube-1-24": "1.11.5",
}
NOW = "1.20.2"
WORDS = {
    "000-direct-routing": "--version 1.14.4 --set kubeProxyReplacement=strict --set nativeRoutingCIDR=10.0.0.0/8 "
    "--set tunnel=disabled --set autoDirectNodeRoutes=true",
    "001-dsr-geneve": "--version 1.16.1 --set kubeProxyReplacement=true --set loadBalancer.mode=dsr",
    "003-vxlan": "--version 1.14.2 --set kubeProxyReplacement=strict",
    "004-kube-1-24": "--version 1.11.5 --set kubeProxyReplacement=strict",
}
"""What the articles' command lines say of the data path; where the API server is, they leave to the reader."""


def stack_data(seed):
    content = yaml.safe_load((ROOT / "examples" / f"seed-{seed}.yaml").read_text())
    return content["config"]["vds-platform:spec"]


def rendered(data):
    spec = parse(data, base_dir=ROOT)
    return cilium_values(spec.cni, spec.network, ChartContext(spec.environment))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seeds_values_for_today(seed):
    assert stack_data(seed)["cni"]["version"] == NOW
    assert_golden(f"seed-{seed}-{NOW}-values.yaml", yaml.safe_dump(rendered(stack_data(seed))))


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_of_them_is_ignored_or_refused(seed):
    assert [item for item in explain(flatten(rendered(stack_data(seed))), trial(NOW)) if not item.as_meant] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_author_meant_is_what_runs(seed):
    line = command_line(f"helm install cilium cilium/cilium {WORDS[seed]}")
    meant = migrate(flatten(merge_words({}, line.words)), trial(line.version), trial(NOW), meant=True)
    assert line.version == SEEDS[seed]
    wanted, runs = meant.paths[1], judge(flatten(rendered(stack_data(seed))), trial(NOW)).path
    assert (runs.native, runs.replaces_proxy) == (wanted.native, wanted.replaces_proxy)
    assert runs.lb_mode == wanted.lb_mode
    assert not wanted.native_cidr or runs.native_cidr == wanted.native_cidr


@pytest.mark.parametrize(
    ("seed", "arithmetic"),
    [
        ("000-direct-routing", "1500 − 0 (native routing) = 1500"),
        ("001-dsr-geneve", "1500 − 50 (Geneve) = 1450"),
        ("002-calico-bgp", "1500 − 0 (no encapsulation) = 1500"),
        ("003-vxlan", "1500 − 50 (VXLAN) = 1450"),
        ("004-kube-1-24", "1500 − 50 (VXLAN) = 1450"),
    ],
)
def test_the_mtu_trap_is_not_in_them(seed, arithmetic):
    spec = parse(stack_data(seed), base_dir=ROOT)
    assert solve(spec.cni, spec.network.underlay_mtu).arithmetic == arithmetic


def test_calico_by_bgp_in_place_of_flannel():
    spec = parse(stack_data("002-calico-bgp"), base_dir=ROOT)
    assert isinstance(spec.cni, Calico)
    assert spec.cni.summary() == ("Calico 3.32.1: encapsulation None, Iptables data plane, BGP, kube-proxy with ipvs")
    assert "deprecated since Kubernetes 1.35" in str(spec.advice[0])
    around = [calico_namespace(), *before_calico(spec.cni, spec.network), *after_calico(spec.cni)]
    values = yaml.safe_dump(calico_values(spec.cni, spec.network, ChartContext("oslo")))
    assert_golden("seed-002-calico-bgp.yaml", f"{to_yaml(around)}---\n{values}")


@pytest.mark.parametrize("seed", ["000-direct-routing", "001-dsr-geneve", "003-vxlan", "004-kube-1-24"])
def test_a_seed_does_not_jump_to_today(seed):
    data = stack_data(seed)
    data["cni"]["runningVersion"] = SEEDS[seed]
    (problem,) = problems(data)
    assert f"take the path {SEEDS[seed]} → " in problem
    assert problem.index(NEWEST["1.19"]) < problem.index(f"→ {NOW}")


def test_a_calico_from_before_its_operator_is_refused():
    data = stack_data("002-calico-bgp")
    data["cni"]["version"] = "3.1.7"
    (problem,) = problems(data)
    assert "before Calico's operator, which came with 3.15" in problem


def test_flannel_of_2018_and_its_mtu_are_refused():
    data = stack_data("002-calico-bgp")
    data["cni"] = {"kind": "flannel"}
    assert "pods then get 1500 − 50 (VXLAN) = 1450" in problems(data)[0]
    data["cni"] = {"kind": "flannel", "legacy": True, "podMtu": 1500}
    assert "write podMtu: 1450" in problems(data)[0]


def test_one_model_in_the_words_of_every_minor():
    data = stack_data("000-direct-routing")
    data["gateway"].pop("bundleVersion", None)
    words = {}
    for version in ("1.18.11", "1.19.6", "1.20.2"):
        data["cni"]["version"] = version
        words[version] = rendered(data)
    assert_golden("native-values-by-release.yaml", yaml.safe_dump(words, sort_keys=False))
