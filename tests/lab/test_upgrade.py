"""docs/howto/upgrade-kubernetes.md, typed word for word under load through the gateway: a patch, which a budget stops
once, and a minor of a cluster with three control planes. And the next minor of Cilium, under the same load."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from components.core import labels
from lab import data_center, fabric
from lab.asking import pods, ssh
from lab.chaos import changes
from lab.cluster import condition, rolled_out
from lab.images.registry import Registry
from lab.layout import CONTROL_PLANES, NODES, OPERATOR, SITE, WORKERS, Host
from lab.processes import wait_until
from lab.progress import Progress
from lab.proof.gateway import gateway_address, question
from lab.proof.network import network_facts
from lab.stack_file import SPEC
from lab.tenants.settings import NAMESPACE
from lab.toolchain.pins import EARLIER_FOLDERS, MODULES, module_version
from lab.verify import images, load_spec
from tests.lab.conftest import Lab, lab_command
from tests.support import howtos
from tests.support.gateway_load import load
from tests.support.howtos import Terminal

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

PAGE = "upgrade-kubernetes"
VERSIONS, PACKAGES, PREVIEW, UP, DOCTOR = howtos.blocks(PAGE)
AFTER = module_version("kubernetes", "k8s.io/kubernetes")
STOPPED_AT = WORKERS[1]
SNAPSHOT = re.compile(rf"etcd's snapshot: {CONTROL_PLANES[0].name}:(\S+)")
_SHOP = ("api", "api-canary")
_SETTLED_SECONDS = 240


@pytest.fixture
def older(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab of an earlier release; at the end there is no lab, so that the next test has an ordinary one."""
    lab_command("down")
    try:
        done = lab_command("up", "--earlier", request.param, "--json")
        assert done.returncode == 0, done.stderr
        with fabric.inside(OPERATOR):
            yield Lab()
    finally:
        lab_command("down")


def earlier(step: str) -> str:
    return module_version(EARLIER_FOLDERS[step], "k8s.io/kubernetes")


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


def kubelets(lab: Lab) -> dict[str, str]:
    nodes = lab.cluster.request("GET", "/api/v1/nodes")["items"]
    return {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}


def shop(lab: Lab) -> None:
    """Two pods of each application. Each has a budget, which the agency's App makes."""
    for name in _SHOP:
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}"
        lab.cluster.request("PATCH", path, {"spec": {"replicas": 2}})
        ready(lab, NAMESPACE, name, 2)


def edited(terminal: Terminal, edit: Callable[[dict[str, Any]], None]) -> None:
    """An edit of the stack file on the operator's laptop."""
    file = terminal.folder / "Pulumi.lab.yaml"
    content = yaml.safe_load(file.read_text())
    edit(content["config"][SPEC])
    file.write_text(yaml.safe_dump(content))


def raised(spec: dict[str, Any]) -> None:
    """What the page writes to the stack file."""
    [stack_file] = howtos.blocks(PAGE, "yaml")
    howtos.written(spec, stack_file, {"1.36.4": AFTER})


def drained_for(seconds: int | None) -> Callable[[dict[str, Any]], None]:
    """The limit of the node that a budget stops; None: the default."""

    def edit(spec: dict[str, Any]) -> None:
        node = next(node for node in spec["nodes"] if node["name"] == STOPPED_AT.name)
        node.pop("drainSeconds", None)
        node |= {} if seconds is None else {"drainSeconds": seconds}

    return edit


def planned(terminal: Terminal, lab: Lab, before: str, nodes: tuple[Host, ...], limits: dict[Host, int]) -> None:
    """The page up to its preview, which has the plan and changes nothing."""
    asked = terminal.run(VERSIONS)
    assert asked.returncode in (0, 1), "1: the lab's own versions are older than the table's"
    assert AFTER in asked.stdout
    assert f"kubeadm | {before}-1.1" in " ".join(terminal.type(PACKAGES).split())
    seen = terminal.type(PREVIEW)
    change = f"kubeadm, kubectl, kubelet {before}-1.1 → {AFTER}-1.1"
    for number, node in enumerate(nodes, 1):
        assert f"{number}. {node.name}: {change}; drained for at most {limits.get(node, 300)} s" in seen
    assert set(kubelets(lab).values()) == {f"v{before}"}, "a preview changes nothing"


def checked(terminal: Terminal, lab: Lab, upgraded: str) -> None:
    """Everything has the new version and takes pods, there is a snapshot, and the doctor finds nothing."""
    assert set(kubelets(lab).values()) == {f"v{AFTER}"}
    assert lab.cluster.request("GET", "/version")["gitVersion"] == f"v{AFTER}"
    for node in lab.cluster.request("GET", "/api/v1/nodes")["items"]:
        assert not node["spec"].get("unschedulable")
        assert labels.CORDONED not in node["metadata"].get("annotations", {})
    [path] = set(SNAPSHOT.findall(upgraded))
    size = int(ssh(lab.layout, CONTROL_PLANES[0].address, f"stat -c %s {path}").stdout)
    print(f"snapshot of etcd before the upgrade: {size} bytes")
    assert size > 100_000
    said = [""]

    def well() -> bool:
        done = terminal.run(DOCTOR)
        said[0] = done.stdout
        return done.returncode == 0

    wait_until(well, _SETTLED_SECONDS, lambda: f"the doctor still finds: {said[0]}")


@pytest.mark.parametrize("older", ["patch"], indirect=True)
def test_a_patch_upgrade_loses_no_request_and_goes_on_where_it_was_stopped(older: Lab) -> None:
    lab, before = older, earlier("patch")
    shop(lab)
    lab.cluster.apply(one_that_stays(images(lab.layout)["e2e/agnhost"]))
    ready(lab, "default", "stays", 1)
    stays = budget("default", "stays", minAvailable=1)
    lab.cluster.apply(stays)
    terminal = lab.terminal(lab.deployment.config_file, {})
    for edit in (raised, drained_for(5)):
        edited(terminal, edit)
    planned(terminal, lab, before, NODES, {STOPPED_AT: 5})

    spec = load_spec(lab.layout)
    with load(question(lab.layout, spec, gateway_address(lab.cluster, spec))) as requests:
        began = time.monotonic()
        stopped = terminal.run(UP)
        seconds = time.monotonic() - began
        assert stopped.returncode
        assert (
            f"node {STOPPED_AT.name}: still has pods after its drainSeconds, 5, so it was not upgraded"
            in stopped.stdout
        )
        assert "The disruption budget stays needs 1 healthy pods and has 1 currently" in stopped.stdout
        others = {node.name: f"v{AFTER}" for node in NODES if node != STOPPED_AT}
        assert kubelets(lab) == others | {STOPPED_AT.name: f"v{before}"}

        lab.cluster.delete(stays)
        edited(terminal, drained_for(None))
        began = time.monotonic()
        terminal.type(UP)
        seconds += time.monotonic() - began
    print(f"upgrade {before} → {AFTER} of {len(NODES)} machines: {seconds:.0f} s, requests {dict(requests)}")
    assert requests.pop("answered") > 1000
    assert requests == {}
    checked(terminal, lab, stopped.stdout)
    assert re.search(r"^ +\d+ unchanged$", terminal.type(UP), re.MULTILINE)


@pytest.mark.timeout(3600)  # Kubernetes of the minor before is built first
@pytest.mark.parametrize("older", ["minor"], indirect=True)
def test_a_minor_upgrade_of_three_control_planes_loses_no_request(older: Lab) -> None:
    lab, before = older, earlier("minor")
    data_center.ensure(lab.layout, Progress(total=1, quiet=True), CONTROL_PLANES[1:])
    terminal = lab.terminal(lab.variant(changes.control_planes), {})
    terminal.type(UP)
    shop(lab)
    edited(terminal, raised)
    nodes = (*CONTROL_PLANES, *WORKERS[:2])
    planned(terminal, lab, before, nodes, {})

    spec = load_spec(lab.layout)
    with load(question(lab.layout, spec, gateway_address(lab.cluster, spec))) as requests:
        began = time.monotonic()
        upgraded = terminal.type(UP)
        seconds = time.monotonic() - began
    print(f"upgrade {before} → {AFTER} of {len(nodes)} machines: {seconds:.0f} s, requests {dict(requests)}")
    assert requests.pop("answered") > 1000
    assert requests == {}
    checked(terminal, lab, upgraded)


def agents(lab: Lab) -> set[str]:
    """The image of each agent that runs and is ready."""
    path = "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dcilium"
    pods = lab.cluster.request("GET", path)["items"]
    return {pod["spec"]["containers"][0]["image"] for pod in pods if condition(pod, "Ready") == "True"}


@pytest.mark.timeout(3600)  # Cilium of the minor before is built first
@pytest.mark.parametrize("older", ["cilium"], indirect=True)
def test_the_next_minor_of_cilium_loses_no_request(older: Lab) -> None:
    lab, module = older, MODULES["cilium"][1]
    before, after = (module_version(folder, module) for folder in (EARLIER_FOLDERS["cilium"], "cilium"))
    assert {image.partition("@")[0].rpartition(":")[2] for image in agents(lab)} == {f"v{before}"}
    shop(lab)
    with Registry(f"https://{SITE.address}", lab.layout.authority) as registry:
        pins = {name: registry.digest(name, f"v{after}") for name in ("cilium/cilium", "cilium/operator-generic")}

    def next_minor(spec: dict[str, Any]) -> None:
        spec["cni"] |= {"version": after, "runningVersion": before}
        spec["images"]["pins"] |= pins

    file = lab.variant(next_minor)
    spec = load_spec(lab.layout)
    with load(question(lab.layout, spec, gateway_address(lab.cluster, spec))) as requests:
        began = time.monotonic()
        outcome = lab.deployment.run("up", config_file=file)
        seconds = time.monotonic() - began
    assert outcome.exit_code == 0, outcome.diagnostics
    print(f"Cilium {before} → {after} on {len(NODES)} machines: {seconds:.0f} s, requests {dict(requests)}")
    assert {image.partition("@")[2] for image in agents(lab)} == {pins["cilium/cilium"]}
    assert requests.pop("answered") > 200
    assert requests == {}
    facts = network_facts(lab.layout, spec, pods(lab.layout, lab.cluster))
    assert facts["ok"], facts
    assert lab.deployment.run("up", config_file=file).unchanged
