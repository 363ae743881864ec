"""`vds gateway-crds`: live CRDs asked one by one, and what is said of the bundle."""

import json

import pytest
import typer
from typer.testing import CliRunner

from components.gateway.bundle import read_bundle
from components.kubernetes_api import ApiError, UnreachableError
from tests.support.bundles import crd, text
from tests.support.stacks import stack
from vds.gateway_crds import command
from vds.gateway_crds.command import live_crds
from vds.shared.errors import OperationError
from vds.shared.stack import Opened

BUNDLE = read_bundle(text(crd(release="v1.5.1"), crd("gateways", "v1.5.1")))


class Api:
    """An API server that has these CRDs, or none to be reached."""

    def __init__(self, *crds, down=False):
        self.crds = {item["metadata"]["name"]: item for item in crds}
        self.down = down

    def request(self, _method, path, _body=None, *, query=()):  # noqa: ARG002  the protocol's
        if self.down:
            raise UnreachableError("https://192.0.2.10:6443: no answer in time")
        name = path.rpartition("/")[2]
        if name not in self.crds:
            raise ApiError(404, "not found")
        return self.crds[name]


def test_only_what_the_bundle_has_and_the_cluster_has_is_judged():
    found = live_crds(Api(crd(), crd("others")), BUNDLE)
    assert [item["metadata"]["name"] for item in found] == ["httproutes.gateway.networking.k8s.io"]


def test_a_cluster_that_does_not_answer_is_said():
    with pytest.raises(OperationError, match=r"did not give its CRDs: .* no answer in time"):
        live_crds(Api(down=True), BUNDLE)


def run(monkeypatch, *live, bundles=(BUNDLE,), words=()):
    opened = Opened("oslo", stack("oslo"), "a key", "a kubeconfig")
    monkeypatch.setattr(command, "open_stack", lambda _name, **_more: opened)
    monkeypatch.setattr(command, "gateway_crds", lambda _spec: bundles)
    monkeypatch.setattr(command, "Cluster", lambda _kubeconfig: Api(*live))
    app = typer.Typer()
    app.callback()(lambda: None)
    app.command("gateway-crds")(command.gateway_crds_command)
    return CliRunner().invoke(app, ["gateway-crds", "-s", "oslo", *words])


def test_a_downgrade_is_status_1_and_names_what_to_use(monkeypatch):
    done = run(monkeypatch, crd(release="v1.6.1"))
    assert done.exit_code == 1
    assert "in the cluster: 1 of 2 CRDs (v1.6.1); bundle: v1.5.1" in done.output
    assert "use v1.6.1 or newer" in done.output
    [problem] = json.loads(run(monkeypatch, crd(release="v1.6.1"), words=["--json"]).output)["problems"]
    assert problem["remedy"] == "use v1.6.1 or newer"


def test_an_empty_cluster_takes_any_bundle(monkeypatch):
    done = run(monkeypatch, words=["--json"])
    assert done.exit_code == 0
    assert json.loads(done.output) == {"live": 0, "bundle": "1.5.1", "problems": []}


def test_a_stack_without_a_bundle_is_said(monkeypatch):
    done = run(monkeypatch, bundles=())
    assert isinstance(done.exception, OperationError)
    assert "gateway.crds of kind existing" in str(done.exception)
