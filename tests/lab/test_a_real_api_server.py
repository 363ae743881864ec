"""What the real Kubernetes provider does to an API server, where the platform depends on it."""

import pytest

from tests.support.api_server import api_server
from tests.support.bundles import published
from tests.support.engine import ProgramOnApiServer

pytestmark = pytest.mark.lab

PROGRAM = """
import json
from pathlib import Path
import pulumi_kubernetes as kubernetes
from components.gateway.bundle import read_bundle
from components.gateway.component import GatewayCrds
from components.nodes.inventory import Placement
from components.nodes.model import NodeSpec

asked = json.loads(Path("asked.json").read_text())
provider = kubernetes.Provider("provider", kubeconfig=asked["kubeconfig"])
if asked["bundle"]:
    GatewayCrds("crds", read_bundle(asked["bundle"]), provider=provider)
nodes = [NodeSpec.model_validate(node) for node in asked["nodes"]]
Placement("placement", nodes, kept=True, provider=provider, depends_on=[])
"""


class Stack(ProgramOnApiServer):
    """A stack of this program, and the API server that it changes."""

    def up(self, bundle: str = "", **nodes: dict[str, str]) -> str:
        """What a failed update says; nothing if it succeeds. `nodes`: the labels of each."""
        about = {"address": "192.0.2.1", "country": "NO", "provider": {"name": "Lab", "country": "NO"}}
        specs = [{"name": name, "labels": labels, **about} for name, labels in nodes.items()]
        self.ask(bundle=bundle, nodes=specs)
        done = self.engine.run("up", "--stack", "real", "--yes", "--skip-preview")
        return f"{done.stdout}{done.stderr}" if done.returncode else ""

    def labels(self) -> dict[str, dict[str, str]]:
        """Of every Node object."""
        found = self.api.request("GET", "/api/v1/nodes")["items"]
        return {node["metadata"]["name"]: node["metadata"].get("labels", {}) for node in found}


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    with api_server(folder) as kubeconfig:
        yield Stack(folder / "engine", kubeconfig, PROGRAM)


def test_a_node_that_was_deleted_by_hand_does_not_come_back_empty(stack):
    for name in ("n1", "n2"):
        stack.api.request("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    assert stack.up(n1={"example.no/rack": "a"}, n2={"example.no/rack": "b"}) == ""
    assert stack.labels() == {"n1": {"example.no/rack": "a"}, "n2": {"example.no/rack": "b"}}
    stack.api.request("DELETE", "/api/v1/nodes/n2")
    assert stack.up(n1={}) == ""
    assert stack.labels() == {"n1": {}}, "the last label of n1 is gone, and n2 is no empty Node"


def test_a_bundle_that_a_destroyed_stack_left_is_taken_over_and_another_one_is_not(stack):
    assert stack.up(published("1.5.1")) == ""
    stack.engine.must("destroy", "--stack", "real", "--yes", "--skip-preview")
    assert stack.up(published("1.5.1")) == "", "the same version, with its admission policy"
    stack.engine.must("destroy", "--stack", "real", "--yes", "--skip-preview")
    assert "conflict" in stack.up(published("1.6.1"))
