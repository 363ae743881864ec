"""The read-only identity: its rules are exactly the doctor's requests, and no node is asked with it."""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from components.core.untrusted import yaml_documents
from components.existing_cluster.reading import ask
from components.kubernetes_api import ApiError
from components.nodes.preflight.verdict import State
from components.pools.model import ByCilium
from tests.support.kubeconfigs import kubeconfig
from tests.support.stacks import ROOT, existing_data, stack
from tests.support.tools import Tools
from vds.doctor import command, gateway
from vds.doctor.diagnosis import GatewayFinding
from vds.main import application

MANIFEST = ROOT / "examples" / "ci" / "cluster" / "read-only.yaml"
_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/[^/]+(?:/namespaces/(?P<namespace>[^/]+))?/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?"
)
Right = tuple[str, str, str, str, str]
"""Verb, API group, resource, name, and namespace of a Role; empty: all."""


def rights() -> Iterator[Right]:
    for one in yaml_documents(MANIFEST.read_text(encoding="utf-8")):
        for rule in one.get("rules", ()):
            names = rule.get("resourceNames", [""])
            for group, resource, name, verb in product(rule["apiGroups"], rule["resources"], names, rule["verbs"]):
                yield verb, group, resource, name, one["metadata"].get("namespace", "")


class Recording:
    """A cluster with one object of each kind that leads to a further request; it records what it was asked."""

    def __init__(self) -> None:
        self.asked: set[Right] = set()

    def request(self, method: str, path: str, _body: Any = None, **_: Any) -> Any:
        assert method == "GET", "nothing is changed"
        if path == "/version":  # ClusterRole system:public-info-viewer, which every user has
            return {"gitVersion": "v1.36.3"}
        found = _PATH.fullmatch(path)
        assert found, path
        group, namespace, resource, name = (found[key] or "" for key in ("group", "namespace", "resource", "name"))
        self.asked.add(("get" if name else "list", group, resource, name, namespace))
        if resource == "gateways":
            return {"status": {"addresses": [{"value": "192.0.2.200"}]}}
        if resource == "services":
            ingress = [{"ip": "192.0.2.200"}]
            return {
                "items": [
                    {"metadata": {"namespace": "g", "name": "t"}, "status": {"loadBalancer": {"ingress": ingress}}}
                ]
            }
        if name:
            raise ApiError(404, "not found")
        return {"items": []}


def requests_of_the_doctor(monkeypatch: pytest.MonkeyPatch) -> set[Right]:
    api = Recording()
    monkeypatch.setattr(gateway, "Cluster", lambda _: api)
    monkeypatch.setattr(gateway, "_listener", lambda *_: [])  # only connects to the gateway, which is not there
    lab = stack("lab")
    by_cilium = lab.metallb.model_copy(update={"install": ByCilium(kind="cilium")})
    for spec in (lab, stack("oslo"), lab.model_copy(update={"metallb": by_cilium})):
        ask(api)
        gateway.examine(spec, "a kubeconfig", datetime.now(UTC))
        gateway.examine_running(spec, "a kubeconfig")
    return api.asked


def covers(rule: Right, asked: Right) -> bool:
    *kind, name, namespace = rule
    return kind == list(asked[:3]) and name in ("", asked[3]) and namespace in ("", asked[4])


def test_the_rules_are_exactly_what_the_doctor_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, given = requests_of_the_doctor(monkeypatch), set(rights())
    assert ("get", "coordination.k8s.io", "leases", "cilium-l2announce-g-t", "kube-system") in asked
    assert [one for one in sorted(asked) if not any(covers(rule, one) for rule in given)] == []
    assert [rule for rule in sorted(given) if not any(covers(rule, one) for one in asked)] == []


def test_the_identity_reads_no_secret_writes_nothing_and_has_no_wildcard() -> None:
    found = list(rights())
    assert {verb for verb, *_ in found} == {"get", "list"}
    assert not [one for one in found if "secrets" in one or any("*" in word or "/" in word for word in one[1:3])]


@pytest.fixture
def without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig, and an engine that shows a stack's configuration only without its secrets."""
    config = {"vds-platform:spec": {"objectValue": existing_data(), "secret": False}}
    (tmp_path / "answer.json").write_text(json.dumps(config))
    tools = Tools(tmp_path / "bin")
    tools.add("pulumi", f"case \"$*\" in *--show-secrets*) exit 6;; esac; cat '{tmp_path}/answer.json'")
    monkeypatch.setenv("PATH", f"{tools.folder}:{os.environ['PATH']}")
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "cluster_findings", lambda *_: [])
    monkeypatch.setattr(command, "read_cluster", lambda _: None)
    file = tmp_path / "read-only.kubeconfig"
    file.write_text(kubeconfig())
    return file


@pytest.mark.parametrize(("state", "status"), [("ok", 0), ("fails", 1), ("unknown", 1)])
def test_without_passphrase_and_keys_nodes_are_not_asked_and_not_passed(
    without_secrets: Path, monkeypatch: pytest.MonkeyPatch, state: State, status: int
) -> None:
    monkeypatch.setattr(command, "examine", lambda *_: [GatewayFinding("gateway", state, "said")])
    monkeypatch.setattr(command, "examine_running", lambda *_: [])
    words = ["doctor", "--stack", "oslo", "--kubeconfig", str(without_secrets)]
    done = CliRunner().invoke(application(), [*words, "--json"])
    assert done.exit_code == status, done.output
    document = json.loads(done.stdout)
    assert {node["verdict"] for node in document["nodes"].values()} == {"not asked"}
    assert document["converged"] is False
    table = CliRunner().invoke(application(), words).stdout
    assert "not asked: the doctor has no SSH key" in table
    assert ("nothing fails; the nodes were not asked" in table) is (status == 0)


def test_a_kubeconfig_that_cannot_be_used_is_refused(without_secrets: Path) -> None:
    def refused(*words: str) -> str:
        done = CliRunner().invoke(application(), ["doctor", "--stack", "oslo", *words])
        assert done.exit_code != 0
        return str(done.exception)

    assert "name another file" in refused("--kubeconfig", "missing")
    assert "asks no node" in refused("--kubeconfig", str(without_secrets), "--fix")
    without_secrets.write_text(kubeconfig(user={"exec": {"command": "sh"}}))
    assert "runs a program" in refused("--kubeconfig", str(without_secrets))
