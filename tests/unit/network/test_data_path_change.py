"""A changed data path, found by comparing what the real chart renders for one stack file with another stack file."""

from typing import Any

import pytest

from components.charts.render import ChartSource, render
from components.network.cilium.values import cilium_values
from components.network.data_path_change import _read, changes
from components.network.model import Cilium
from components.stackfile.parsing import parse
from components.stackfile.spec import PlatformSpec
from tests.support.modules import cilium_chart, pinned
from tests.support.stacks import ROOT, stack, stack_data


def with_cni(**cni: Any) -> PlatformSpec:
    data = stack_data("lab")
    data["cni"] = {**data["cni"], **cni}
    data["cni"].pop("podMtu")
    return parse(data, base_dir=ROOT)


def config(spec: PlatformSpec) -> dict[str, str]:
    """The data of the chart's cilium-config."""
    assert isinstance(spec.cni, Cilium)
    values = cilium_values(spec.cni, spec.network, spec.chart_context)
    chart = ChartSource(str(cilium_chart(pinned("cilium"))))
    found = render(chart, values, release="cilium", namespace="kube-system", kubernetes="1.36.2").manifests
    [data] = [
        item["data"] for item in found if (item["kind"], item["metadata"]["name"]) == ("ConfigMap", "cilium-config")
    ]
    return dict(data)


def between(old: PlatformSpec, new: PlatformSpec) -> list[str]:
    assert isinstance(new.cni, Cilium)
    return list(changes(new.cni, new.network, config(old)))


NATIVE: dict[str, Any] = {
    "routing": {"mode": "native", "nativeCidr": "10.244.0.0/16", "routes": "same-l2"},
    "loadBalancing": {"mode": "dsr", "dispatch": "geneve"},
    "encryption": "wireguard",
}


@pytest.mark.parametrize("spec", [stack("lab"), stack("oslo"), with_cni(**NATIVE), with_cni(serviceProxy="iptables")])
def test_what_runs_as_the_stack_file_says_is_no_change(spec: PlatformSpec) -> None:
    assert between(spec, spec) == []


def test_every_changed_setting_is_named_with_what_it_interrupts() -> None:
    routing, encryption, balancing = between(stack("lab"), with_cni(**NATIVE))
    assert routing.startswith("cni: the data path changes: routing a VXLAN tunnel → native routing: agents restart one")
    assert routing.endswith("packets between nodes with the old and the new one are lost")
    assert "encryption none → wireguard" in encryption
    assert "load balancing snat → dsr with geneve" in balancing


def test_a_proxy_that_changes_is_named() -> None:
    found = "\n".join(between(stack("lab"), with_cni(serviceProxy="iptables")))
    assert "kube-proxy replacement on → off" in found


def test_a_cluster_that_can_not_be_asked_is_said() -> None:
    lab = stack("lab")
    assert isinstance(lab.cni, Cilium)
    [line] = _read("no kubeconfig", lab.cni, lab.network)
    assert "whether the data path changes is not known" in line
