"""Scripts, values and configuration of the committed stacks, whole: a change here is a change on servers."""

import pytest
import yaml

from components.network.calico.values import calico_values
from components.network.cilium.values import cilium_values
from components.network.model import Calico, CalicoHelm, ChartContext
from components.nodes.settings.script import node_script
from tests.support.golden import assert_golden
from tests.support.stacks import stack


@pytest.mark.parametrize(("name", "node"), [("lab", "osl-w-2"), ("oslo", "osl-w-1")])
def test_a_nodes_script(name, node):
    spec = stack(name)
    chosen = next(item for item in spec.nodes if item.name == node)
    assert_golden(f"{name}-{node}.sh", node_script(chosen, spec.node_requirements))


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_cilium_values(name):
    spec = stack(name)
    values = cilium_values(spec.cni, spec.network, ChartContext(spec.environment, images=spec.images))
    assert_golden(f"{name}-cilium-values.yaml", yaml.safe_dump(values))


def test_a_calico_installation_without_encapsulation():
    cni = Calico(kind="calico", version="3.32.1", install=CalicoHelm(kind="helm"), encapsulation="None", bgp=True)
    network = stack("oslo").network
    assert_golden("calico-values.yaml", yaml.safe_dump(calico_values(cni, network, ChartContext("oslo"))))
