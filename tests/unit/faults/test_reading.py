"""What does not run in a namespace: the pod, the container, its image, its state and the last event."""

from collections.abc import Sequence
from typing import Any

from components.faults.hook import explanation, server_fault
from components.faults.reading import Fault, faults
from tests.support.api import kubeconfig, serving

IMAGE = "quay.io/cilium/cilium:v1.20.2"
WHERE = "/api/v1/namespaces/kube-system"


class Namespace:
    """An API server with these objects in kube-system."""

    def __init__(self, pods: Sequence[Any] = (), jobs: Sequence[Any] = (), events: Sequence[Any] = ()) -> None:
        self.lists = {f"{WHERE}/pods": pods, f"{WHERE}/events": events}
        self.lists["/apis/batch/v1/namespaces/kube-system/jobs"] = jobs

    def request(self, method: str, path: str, body: Any = None, *, query: Sequence[tuple[str, str]] = ()) -> Any:
        assert method == "GET"
        assert body is None
        assert query == ([("fieldSelector", "type=Warning")] if path.endswith("events") else ())
        return {"items": list(self.lists[path])}


def pod(name: str, *, phase: str = "Running", conditions: Sequence[Any] = (), **status: Any) -> dict[str, Any]:
    owner = {"kind": "DaemonSet", "name": "cilium"}
    containers = {
        field: [{"name": one["name"], "image": IMAGE} for one in status.get(of, ())]
        for field, of in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses"))
    }
    node = {"nodeName": "osl-w-1"} if phase == "Running" else {}
    return {
        "metadata": {"namespace": "kube-system", "name": name, "ownerReferences": [owner]},
        "spec": {**node, **containers},
        "status": {"phase": phase, "conditions": list(conditions), **status},
    }


def container(state: dict[str, Any], *, ready: bool = False, last: dict[str, Any] | None = None) -> dict[str, Any]:
    ended = {"lastState": {"terminated": last}} if last else {}
    return {"name": "cilium-agent", "image": "sha256:5c71a8d6", "ready": ready, "state": state, **ended}


def event(kind: str, name: str, reason: str, message: str, at: str = "2026-11-26T04:00:00Z") -> dict[str, Any]:
    about = {"kind": kind, "name": name}
    return {"involvedObject": about, "reason": reason, "message": message, "lastTimestamp": at}


def test_what_runs_is_no_fault() -> None:
    ready = pod("a", conditions=[{"type": "Ready", "status": "True"}])
    done = pod("b", phase="Succeeded")
    leaving = pod("c")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-26T04:00:00Z"
    ended = {"metadata": {"namespace": "kube-system", "name": "j"}, "spec": {"template": {"spec": {}}}}
    ended["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}  # type: ignore[dict-item]
    assert (
        faults(Namespace([ready, done, leaving], [ended], [event("Pod", "a", "Unhealthy", "once")]), "kube-system")
        == []
    )


def test_a_container_that_ends_again_and_again_is_named_with_its_own_last_words() -> None:
    last = {"exitCode": 1, "message": "level=info msg=start\n" * 40 + 'level=fatal msg="no device eth9"'}
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}
    found = pod("cilium-x", containerStatuses=[container(waiting, last=last)])
    events = [
        event("Pod", "cilium-x", "BackOff", "Back-off restarting failed container", "2026-11-26T04:09:00Z"),
        event("Pod", "cilium-x", "Unhealthy", "an earlier one"),
    ]
    [fault] = faults(Namespace([found], events=events), "kube-system")
    assert fault.item == "pod kube-system/cilium-x on osl-w-1, of DaemonSet cilium"
    assert fault.says.startswith(f"container cilium-agent, image {IMAGE}: CrashLoopBackOff, exit code 1, …")
    assert 'level=fatal msg="no device eth9"; event BackOff: Back-off restarting failed container' in fault.says


def test_an_image_that_is_not_there_is_named_with_the_registrys_answer() -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": f"Back-off pulling image {IMAGE}: not found"}}
    [fault] = faults(Namespace([pod("a", containerStatuses=[container(waiting)])]), "kube-system")
    assert (
        fault.says
        == f"container cilium-agent, image {IMAGE}: ImagePullBackOff, Back-off pulling image {IMAGE}: not found"
    )


def test_the_init_container_that_fails_is_named_and_not_the_ones_that_wait_for_it() -> None:
    done = container({"terminated": {"exitCode": 0, "reason": "Completed"}})
    failed = container({"terminated": {"exitCode": 2, "reason": "Error"}}) | {"name": "mount-cgroup"}
    waits = container({"waiting": {"reason": "PodInitializing"}})
    found = pod("a", initContainerStatuses=[done, failed], containerStatuses=[waits])
    [fault] = faults(Namespace([found]), "kube-system")
    assert fault.says == f"container mount-cgroup, image {IMAGE}: Error, exit code 2"


def test_a_pod_that_runs_and_is_not_ready_is_named_with_its_probe() -> None:
    [fault] = faults(
        Namespace(
            [pod("a", containerStatuses=[container({"running": {}})])],
            events=[event("Pod", "a", "Unhealthy", "Readiness probe failed: connection refused")],
        ),
        "kube-system",
    )
    assert "runs, but its probe fails; event Unhealthy: Readiness probe failed: connection refused" in fault.says


def test_a_pod_without_a_node_says_why() -> None:
    said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}
    [fault] = faults(Namespace([pod("a", phase="Pending", conditions=[said])]), "kube-system")
    assert fault == Fault("pod kube-system/a, of DaemonSet cilium", "Unschedulable: 0/3 nodes are available")


def test_a_hooks_job_that_does_not_end_is_named_with_its_image() -> None:
    spec = {"template": {"spec": {"containers": [{"image": "quay.io/cilium/certgen:v0.4.8"}]}}}
    job = {"metadata": {"namespace": "kube-system", "name": "hubble-generate-certs"}, "spec": spec, "status": {}}
    events = [event("Job", "hubble-generate-certs", "FailedCreate", "exceeded quota")]
    [fault] = faults(Namespace(jobs=[job], events=events), "kube-system")
    assert fault.item == "Job kube-system/hubble-generate-certs"
    assert fault.says == "has not ended; image quay.io/cilium/certgen:v0.4.8; event FailedCreate: exceeded quota"


def test_a_warning_about_something_else_is_shown() -> None:
    found = faults(
        Namespace(events=[event("Service", "traefik", "AllocationFailed", "no available IPs")]), "kube-system"
    )
    assert found == [Fault("Service kube-system/traefik", "event AllocationFailed: no available IPs")]


def test_a_cluster_that_does_not_answer_is_said_with_what_to_do() -> None:
    said = explanation("not a kubeconfig", "cni-cilium", "kube-system")
    assert said.startswith("cni-cilium: what runs in kube-system can't be read")
    assert "vds doctor" in said


def test_a_server_that_can_write_has_no_fault() -> None:
    with serving([]) as url:
        assert server_fault(kubeconfig(url)) is None


def test_a_server_without_etcd_says_where_to_look() -> None:
    with serving([], status=500) as url:
        said = server_fault(kubeconfig(url)) or ""
    assert "etcd does not answer the API server" in said
    assert "df /var/lib/etcd" in said


def test_a_server_that_does_not_answer_says_where_to_look() -> None:
    with serving([]) as url:
        known = kubeconfig(url)
    assert "crictl ps --all" in (server_fault(known) or "")


def test_a_kubeconfig_that_is_none_is_said_without_its_text() -> None:
    said = server_fault("a secret") or ""
    assert said
    assert "a secret" not in said
