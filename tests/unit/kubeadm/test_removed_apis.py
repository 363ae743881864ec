"""APIs that the next minor removes and that are in use stop an upgrade: asked of a real API server, and judged."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.kubeadm.upgrade.reading import NodeVersions, RemovedApi, parse, question
from components.kubeadm.upgrade.rules import removed_problems
from components.kubernetes_api import Cluster
from lab.progress import Progress
from lab.toolchain import build
from lab.toolchain.pins import TOOLS
from tests.support.api_server import api_server
from tests.support.stacks import ROOT

PROGRAM = ROOT / "components/kubeadm/upgrade/removed_apis.py"
BETA = "resource.k8s.io/v1beta1"  # served with v1 since Kubernetes 1.34
POLICY = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
DEVICES = {
    "apiVersion": BETA,
    "kind": "DeviceClass",
    "metadata": {"name": "of-a-test"},
    "spec": {"selectors": []},
}


class Node:
    """A control plane: the program with its paths changed to those of a server on loopback."""

    def __init__(self, folder: Path, kubeconfig: str) -> None:
        self.folder = folder
        (folder / "admin.conf").write_text(kubeconfig)
        port = json.loads(kubeconfig)["clusters"][0]["cluster"]["server"].rpartition(":")[2]
        (folder / "manifest.yaml").write_text(f"    - --advertise-address=127.0.0.1\n    - --secure-port={port}\n")
        [kubectl] = [tool for tool in TOOLS if tool.name == "kubectl"]
        self.kubectl = build.ensure(Progress(total=1, quiet=True), [kubectl]).path("kubectl")

    def said(self) -> NodeVersions:
        text = PROGRAM.read_text()
        for old, new in (
            ("/etc/kubernetes/manifests/kube-apiserver.yaml", self.folder / "manifest.yaml"),
            ("/var/log/kubernetes/audit/audit.log", self.folder / "audit.log"),
            ("/etc/kubernetes/admin.conf", self.folder / "admin.conf"),
            ('"kubectl"', f'"{self.kubectl}"'),
        ):
            assert str(old) in text
            text = text.replace(str(old), str(new))
        done = subprocess.run([sys.executable, "-I", "-c", text], capture_output=True, text=True, check=True)
        return parse(done.stdout)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Cluster]]:
    folder = tmp_path_factory.mktemp("api")
    (folder / "policy.json").write_text(json.dumps(POLICY))
    more = {
        "runtime_config": BETA,
        "audit_log_path": folder / "audit.log",
        "audit_policy_file": folder / "policy.json",
    }
    with api_server(folder, **more) as kubeconfig:
        yield Node(folder, kubeconfig), Cluster(kubeconfig)


def test_an_api_server_says_who_asks_for_what_a_later_release_removes(server: tuple[Node, Cluster]) -> None:
    node, cluster = server
    cluster.request("GET", "/apis/resource.k8s.io/v1/deviceclasses")
    assert node.said() == NodeVersions(asked=True), "no client has asked for a beta"
    cluster.request("POST", f"/apis/{BETA}/deviceclasses", DEVICES)
    [found] = node.said().removed
    assert (found.api, found.resource) == (BETA, "deviceclasses")
    assert found.clients[0].startswith("admin (")
    assert found.stored == 0, "v1 shows it, too"
    [problem] = removed_problems(f"{found.release}.0", {"cp": NodeVersions(True, {}, "1.36.3", False, (found,), True)})
    assert "deviceclasses of resource.k8s.io/v1beta1: " in str(problem)
    assert "by admin (" in problem.message


def test_objects_without_another_api_are_counted_and_our_own_requests_are_no_clients(tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    api = "coordination.k8s.io/v1beta1"  # of LeaseCandidates there is no v1
    more = {
        "runtime_config": api,
        "feature_gates": "CoordinatedLeaderElection=true",
        "audit_log_path": tmp_path / "audit.log",
        "audit_policy_file": tmp_path / "policy.json",
    }
    spec = {"leaseName": "of-a-test", "binaryVersion": "1.36.0", "emulationVersion": "1.36.0"}
    spec["strategy"] = "OldestEmulationVersion"
    candidate = {"apiVersion": api, "kind": "LeaseCandidate", "metadata": {"name": "of-a-test"}, "spec": spec}
    with api_server(tmp_path, **more) as kubeconfig:
        node, cluster = Node(tmp_path, kubeconfig), Cluster(kubeconfig)
        path = f"/apis/{api}/namespaces/default/leasecandidates"
        cluster.request("POST", path, candidate)
        [found] = node.said().removed
        assert (found.api, found.resource, found.stored) == (api, "leasecandidates", 1)
        (tmp_path / "audit.log").write_text("")  # who made it is forgotten; what follows is our own
        cluster.request("DELETE", f"{path}/of-a-test")
        asked = [client for one in node.said().removed for client in one.clients]
        assert asked, "the deletion has a client"
        assert not [client for client in asked if "kubectl" in client]


def test_a_server_that_does_not_answer_is_no_good_answer(server: tuple[Node, Cluster], tmp_path: Path) -> None:
    node, _ = server
    dead = Node(tmp_path, json.dumps({"clusters": [{"cluster": {"server": "https://127.0.0.1:1"}}]}))
    said = dead.said()
    assert not said.asked
    assert said.unasked
    [problem] = removed_problems("1.37.0", {"cp": said._replace(api_server="1.36.3")})
    assert problem.rule == "upgrade-removed-api"
    assert "did not say which APIs are in use that 1.37.0 removes" in problem.message
    assert node.folder != dead.folder


def removed(release: str = "1.37", stored: int = 0, *clients: str) -> RemovedApi:
    return RemovedApi(
        api="example.k8s.io/v1beta1", resource="things", release=release, clients=[*clients], stored=stored
    )


def asked(*found: RemovedApi, version: str = "1.36.3") -> NodeVersions:
    return NodeVersions(member=True, api_server=version, removed=found, asked=True)


def test_what_stays_in_the_wanted_release_stops_nothing() -> None:
    assert removed_problems("1.37.0", {"cp": asked(removed("1.38"))}) == []
    assert removed_problems("1.36.4", {"cp": NodeVersions(member=True, api_server="1.36.3")}) == [], "a patch"
    assert removed_problems("1.37.0", {"w": NodeVersions(member=True)}) == [], "a worker"


def test_all_control_planes_are_named_in_one_finding_with_the_clients() -> None:
    found = {"cp-1": asked(removed("1.37", 0, "ci (helm/v3)")), "cp-2": asked(removed()), "w": NodeVersions()}
    [problem] = removed_problems("1.37.0", found)
    assert str(problem) == (
        "things of example.k8s.io/v1beta1: 1.37 removes it, and cp-1, cp-2 was asked for it by ci (helm/v3): change "
        "the client to an API that 1.37.0 has, restart that API server, and run again"
    )


def test_objects_that_no_other_api_shows_are_counted() -> None:
    [problem] = removed_problems("1.37.0", {"cp": asked(removed("1.37", 12))})
    assert "12 objects have no other API" in problem.message


def test_only_a_server_of_another_minor_is_asked() -> None:
    line = question({"kubeadm": "1.37.0-1.1"}, removed_apis=True)
    assert "1.37.*" in line
    assert "python3" not in question({"kubeadm": "1.37.0-1.1"})


@pytest.mark.parametrize(
    "text", ["{}", "[]", "nothing", '{"api": "a", "resource": "b", "release": "x", "clients": [], "stored": 0}']
)
def test_another_answer_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"understood|JSON|expected"):
        parse(f"removed {text}")
