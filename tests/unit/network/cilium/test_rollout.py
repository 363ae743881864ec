"""What an update waits for beside the Release, and the values that the stack file adds."""

from typing import Any

import pytest

from components.core.labels import WAITED_FOR
from components.network.cilium.values import cilium_values, rollout_annotations
from components.network.model import ChartContext
from components.stackfile.parsing import parse
from tests.support.networks import cilium
from tests.support.stacks import ROOT, problems, stack, stack_data

LAB = stack("lab")


def mark(values: dict[str, Any], **cni: Any) -> str:
    agents, operator = rollout_annotations(cilium("1.20.2", l7Proxy=False, **cni), values)
    assert [item["metadata"]["name"] for item in (agents, operator)] == ["cilium", "cilium-operator"]
    return str(agents["metadata"]["annotations"][WAITED_FOR])


def test_it_changes_with_every_value_and_not_with_the_nodes() -> None:
    """A node that is gone for good would be waited for in vain."""
    assert mark({"MTU": 1500}) == mark({"MTU": 1500})
    assert mark({"MTU": 1500}) != mark({"MTU": 1400})


def test_every_object_of_the_chart_that_has_pods_is_waited_for() -> None:
    def waited(version: str, **values: Any) -> set[str]:
        found = rollout_annotations(cilium(version), values)
        return {f"{item['kind']} {item['metadata']['name']}" for item in found}

    agents = {"DaemonSet cilium", "Deployment cilium-operator"}
    assert waited("1.18.12") == waited("1.20.2") == agents | {"DaemonSet cilium-envoy"}
    relay = {"relay": {"enabled": True}}
    assert waited("1.20.2", hubble=relay) - waited("1.20.2") == {"Deployment hubble-relay"}
    assert waited("1.20.2", hubble={"enabled": False}) == waited("1.20.2")


def test_the_operators_do_not_follow_the_number_of_nodes() -> None:
    """A changed number would restart them when a node comes or goes."""
    data = stack_data("lab")
    more = [{**data["nodes"][-1], "name": f"osl-w-{n}", "address": f"192.0.2.{20 + n}"} for n in (3, 4, 5)]
    values = [
        cilium_values(spec.cni, spec.network, spec.chart_context)  # type: ignore[arg-type]
        for spec in (parse({**data, "nodes": data["nodes"] + more[:count]}, base_dir=ROOT) for count in range(4))
    ]
    assert all(item == values[0] for item in values)
    assert values[0]["operator"]["replicas"] == 2


@pytest.mark.parametrize("version", ["1.18.12", "1.20.2"])
def test_a_changed_value_is_other_pods_one_after_the_other(version: str) -> None:
    values = cilium_values(cilium(version), LAB.network, ChartContext("lab"))
    assert values["rollOutCiliumPods"] is values["operator"]["rollOutPods"] is True
    assert values["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1}
    if "envoy" in values:
        assert values["envoy"]["rollOutPods"] is True
        assert values["envoy"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1}


def with_values(**values: Any) -> dict[str, Any]:
    data = stack_data("lab")
    data["cni"]["install"]["values"] = values
    return data


def test_values_of_the_stack_file_stand_beside_the_platforms_own() -> None:
    capabilities = {"ciliumAgent": ["CHOWN"], "cleanCiliumState": ["NET_ADMIN"]}
    data = with_values(securityContext={"capabilities": capabilities}, operator={"resources": {"limits": {"cpu": "1"}}})
    assert problems(data) == []
    cni = cilium("1.20.2", install=data["cni"]["install"])
    values = cilium_values(cni, LAB.network, ChartContext("lab"))
    assert values["securityContext"] == {"capabilities": capabilities}
    assert values["operator"]["resources"] == {"limits": {"cpu": "1"}}
    assert values["operator"]["replicas"] == 2
    assert list(values) == sorted(values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"MTU": 9000}, "cni.install.values: MTU is set by the platform"),
        ({"operator": {"replicas": 3}}, "cni.install.values: operator.replicas is set by the platform"),
        ({"operator": "none"}, "cni.install.values: operator is set by the platform"),
        ({"image": {"repository": "quay.io/x/y"}}, "cni.install.values: image.repository is set by the platform"),
    ],
)
def test_a_key_of_the_platforms_own_is_refused_by_name(values: dict[str, Any], said: str) -> None:
    (problem,) = problems(with_values(**values))
    assert problem.startswith(said)


def test_metallbs_chart_takes_values_as_ciliums_does() -> None:
    data = stack_data("lab")
    data["metallb"]["install"]["values"] = {"speaker": {"tolerateMaster": False}}
    assert problems(data) == []
    data["metallb"]["install"]["values"] = {"speaker": {"frr": {"enabled": True}}}
    (problem,) = problems(data)
    assert problem.startswith("metallb.install.values: speaker.frr.enabled is set by the platform")


def test_calicos_chart_does_too() -> None:
    data = stack_data("oslo")
    data["cni"] = {"kind": "calico", "version": "3.32.1", "install": {"kind": "helm"}}
    data["cni"]["install"]["values"] = {"installation": {"enabled": False}, "resources": {}}
    (problem,) = problems(data)
    assert problem.startswith("cni.install.values: installation.enabled is set by the platform")
