"""Kubernetes is upgraded by a patch, under load through the gateway: stopped by a budget once, and then continued."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from components.core import labels
from lab import fabric
from lab.asking import ask, from_host
from lab.cluster import rolled_out
from lab.layout import CLIENT, NODES, OPERATOR, WORKERS
from lab.processes import wait_until
from lab.proof.gateway import gateway_address, question
from lab.toolchain.pins import module_version
from lab.verify import images, load_spec
from tests.lab.conftest import Lab, lab_command

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

BEFORE = module_version("kubernetes-earlier", "k8s.io/kubernetes")
AFTER = module_version("kubernetes", "k8s.io/kubernetes")
STOPPED_AT = WORKERS[1]
_SHOP = ("api-stable", "api-canary")
_LOAD_SECONDS = 10  # of one start of the client


@pytest.fixture
def older() -> Iterator[Lab]:
    """A lab of the patch release before; at the end there is no lab, so that the next test has an ordinary one."""
    lab_command("down")
    try:
        done = lab_command("up", "--earlier", "patch", "--json")
        assert done.returncode == 0, done.stderr
        with fabric.inside(OPERATOR):
            yield Lab()
    finally:
        lab_command("down")


def budget(namespace: str, name: str, **spec: int) -> dict[str, Any]:
    selector = {"matchLabels": {"app.kubernetes.io/name": name}}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**spec, "selector": selector},
    }


def one_that_stays(image: str) -> dict[str, Any]:
    """A Deployment of one pod on one node; no other could take its place there."""
    selector = {"app.kubernetes.io/name": "stays"}
    pod = {
        "nodeSelector": {"kubernetes.io/hostname": STOPPED_AT.name},
        "containers": [{"name": "stays", "image": image, "args": ["pause"]}],
        "terminationGracePeriodSeconds": 1,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "stays", "namespace": "default"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": selector}, "spec": pod},
        },
    }


def ready(lab: Lab, namespace: str, name: str, replicas: int) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    wait_until(
        lambda: rolled_out(lab.cluster.request("GET", path)), 120, lambda: f"{name} has not {replicas} ready pods"
    )


@contextmanager
def load(asked: dict[str, Any]) -> Iterator[Counter[str]]:
    """Requests from outside, one after the other, for as long as the block takes; what became of them."""
    found: Counter[str] = Counter()
    ended = threading.Event()

    def send() -> None:  # what it raises fails the test: requests that were not counted are not answered
        while not ended.is_set():
            [said] = ask(from_host(CLIENT), [asked | {"ask": "load", "seconds": _LOAD_SECONDS}])
            found.update(answered=said["answered"], **said["failures"])

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        try:
            yield found
        finally:
            ended.set()
        sending.result()


def kubelets(lab: Lab) -> dict[str, str]:
    nodes = lab.cluster.request("GET", "/api/v1/nodes")["items"]
    return {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}


def test_a_patch_upgrade_loses_no_request_and_goes_on_where_it_was_stopped(older: Lab) -> None:
    lab = older
    spec = load_spec(lab.layout)
    namespace = spec.tenants[0].name
    for name in _SHOP:
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        lab.cluster.request("PATCH", path, {"spec": {"replicas": 2}})
        lab.cluster.apply(budget(namespace, name, maxUnavailable=1))
        ready(lab, namespace, name, 2)
    lab.cluster.apply(one_that_stays(images(lab.layout)["e2e/agnhost"]))
    ready(lab, "default", "stays", 1)
    stays = budget("default", "stays", minAvailable=1)
    lab.cluster.apply(stays)
    assert set(kubelets(lab).values()) == {f"v{BEFORE}"}

    def raised(**of_node: Any) -> Any:
        def change(content: dict[str, Any]) -> None:
            content["cluster"]["kubernetesVersion"] = AFTER
            next(node for node in content["nodes"] if node["name"] == STOPPED_AT.name).update(of_node)

        return lab.variant(change)

    seen = lab.deployment.run("preview", config_file=raised(drainSeconds=5))
    assert seen.exit_code == 0, seen.diagnostics
    change = f"kubeadm, kubectl, kubelet {BEFORE}-1.1 → {AFTER}-1.1"
    for number, node in enumerate(NODES, 1):
        limit = 5 if node == STOPPED_AT else 300
        assert f"{number}. {node.name}: {change}; drained for at most {limit} s" in seen.output
    assert set(kubelets(lab).values()) == {f"v{BEFORE}"}, "a preview changes nothing"

    with load(question(lab.layout, spec, gateway_address(lab.cluster, spec))) as requests:
        began = time.monotonic()
        stopped = lab.deployment.run("up", config_file=raised(drainSeconds=5))
        seconds = time.monotonic() - began
        assert stopped.exit_code
        assert (
            f"node {STOPPED_AT.name}: still has pods after its drainSeconds, 5, so it was not upgraded"
            in stopped.output
        )
        assert "The disruption budget stays needs 1 healthy pods and has 1 currently" in stopped.output
        others = {node.name: f"v{AFTER}" for node in NODES if node != STOPPED_AT}
        assert kubelets(lab) == others | {STOPPED_AT.name: f"v{BEFORE}"}

        lab.cluster.delete(stays)
        began = time.monotonic()
        done = lab.deployment.run("up", config_file=raised())
        seconds += time.monotonic() - began
        assert done.exit_code == 0, done.diagnostics
    print(f"upgrade {BEFORE} → {AFTER} of {len(NODES)} machines: {seconds:.0f} s, requests {dict(requests)}")
    assert set(kubelets(lab).values()) == {f"v{AFTER}"}
    assert lab.cluster.request("GET", "/version")["gitVersion"] == f"v{AFTER}"
    for node in lab.cluster.request("GET", "/api/v1/nodes")["items"]:
        assert not node["spec"].get("unschedulable")
        assert labels.CORDONED not in node["metadata"].get("annotations", {})
    assert requests.pop("answered") > 1000
    assert requests == {}
    again = lab.deployment.run("up", config_file=raised())
    assert again.unchanged, again.output
