"""Three control planes: two more join a running cluster, and it outlives the loss of the first."""

from collections.abc import Iterator

import pytest

from lab import data_center, fabric
from lab.chaos import changes
from lab.layout import CONTROL_PLANES, OPERATOR, Layout
from lab.machines import machine
from lab.processes import wait_until
from lab.progress import Progress
from tests.lab.conftest import Lab, lab_command

pytestmark = pytest.mark.lab

_ELECTION_SECONDS = 120


@pytest.fixture
def more_machines(lab: Lab) -> Iterator[Lab]:
    """The lab with the machines of two more control planes; at the end there is no lab, so that no member is left."""
    try:
        data_center.ensure(lab.layout, Progress(total=1, quiet=True), CONTROL_PLANES[1:])
        yield lab
    finally:
        lab_command("down")


def test_a_cluster_of_three_outlives_its_first_control_plane(more_machines: Lab) -> None:
    lab = more_machines
    variant = lab.variant(changes.control_planes)
    outcome = lab.deployment.run("up", config_file=variant)
    assert outcome.exit_code == 0, outcome.diagnostics
    nodes = lab.cluster.request("GET", "/api/v1/nodes")["items"]
    label = "node-role.kubernetes.io/control-plane"
    planes = {node["metadata"]["name"] for node in nodes if label in node["metadata"]["labels"]}
    assert planes == {host.name for host in CONTROL_PLANES}

    machine.power_off(Layout(), CONTROL_PLANES[0])
    with fabric.inside(OPERATOR):
        ready = lambda: bool(lab.cluster.text("GET", "/readyz"))  # noqa: E731
        wait_until(ready, _ELECTION_SECONDS, lambda: "no API server answers without the first")
        written = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "written", "namespace": "default"}}
        lab.cluster.apply(written)  # a write needs etcd's quorum
        lab.cluster.delete(written)
