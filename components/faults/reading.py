"""Reads what does not run in a namespace: pods with container, image and event, Jobs, and other objects' warnings."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from components.kubernetes_api import Api, get, list_items

Object = Mapping[str, Any]

_LONGEST = 300
"""Characters of a message of the cluster; the last ones of a container's own, where its error is."""


class Fault(NamedTuple):
    """One object that does not run."""

    item: str
    """As in `pod kube-system/cilium-x2b7 on osl-w-1`."""
    says: str


def not_running(api: Api, namespace: str, *, labels: str = "") -> list[Fault]:
    """Pods and Jobs of the namespace that do not run, sorted. Raises ApiError, UnreachableError.

    `labels` is a label selector.
    """
    warnings, chosen = _warnings(api, namespace), (("labelSelector", labels),) if labels else ()
    pods = list_items(api, f"/api/v1/namespaces/{namespace}/pods", query=chosen)
    jobs = list_items(api, f"/apis/batch/v1/namespaces/{namespace}/jobs", query=chosen)
    return sorted([*_pods(pods, warnings), *_jobs(jobs, warnings)])


def faults(api: Api, namespace: str) -> list[Fault]:
    """The same, and warnings about other objects, such as a Service without an address. Raises the same."""
    others = [
        Fault(f"{kind} {namespace}/{name}", _event(event))
        for (kind, name), event in _warnings(api, namespace).items()
        if kind not in ("Pod", "Job")
    ]
    return sorted([*not_running(api, namespace), *others])


def node_fault(api: Api, name: str) -> Fault | None:
    """Why a node is not Ready; None if it is. Raises ApiError, UnreachableError."""
    node = get(api, f"/api/v1/nodes/{name}")
    if node is None:
        return Fault(f"node {name}", "it is not in the cluster")
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = next((one for one in conditions if one["type"] == "Ready"), None)
    if ready is None:
        return Fault(f"node {name}", "not Ready: its kubelet has reported nothing")
    if ready["status"] == "True":
        return None
    return Fault(f"node {name}", f"not Ready: {ready.get('reason')}: {_cut(ready.get('message') or '')}")


def _pods(pods: Sequence[Object], warnings: Mapping[tuple[str, str], Object]) -> Iterator[Fault]:
    for pod in pods:
        if _runs(pod):
            continue
        meta, node = pod["metadata"], pod["spec"].get("nodeName")
        says = list(_containers(pod)) or [_unscheduled(pod)]
        event = warnings.get(("Pod", _name(pod)))
        owner = next((f", of {one['kind']} {one['name']}" for one in meta.get("ownerReferences") or ()), "")
        item = f"pod {meta['namespace']}/{_name(pod)}{f' on {node}' if node else ''}{owner}"
        yield Fault(item, "; ".join([*says, *([_event(event)] if event else [])]))


def _runs(pod: Object) -> bool:
    status = pod.get("status") or {}
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ())
    return ready or status.get("phase") == "Succeeded" or "deletionTimestamp" in pod["metadata"]


def _containers(pod: Object) -> Iterator[str]:
    """Each container that is not ready, with its image and its state; of init containers the one that is not done."""
    status, spec = pod.get("status") or {}, pod["spec"]
    # The status of an image that is pinned by digest has only the digest of its configuration.
    images = {one["name"]: one["image"] for one in [*spec.get("initContainers", ()), *spec.get("containers", ())]}
    first = status.get("initContainerStatuses") or ()
    for container in [*first, *(status.get("containerStatuses") or ())]:
        state, last = container.get("state") or {}, (container.get("lastState") or {}).get("terminated")
        ended = state.get("terminated")
        if container.get("ready") or (container in first and ended and not ended.get("exitCode")):
            continue
        waiting = state.get("waiting")
        if waiting and waiting.get("reason") == "PodInitializing":
            continue
        words = [(waiting or ended or {}).get("reason") or "runs, but its probe fails"]
        words += [_cut(waiting["message"])] if waiting and waiting.get("message") and not last else []
        for end in (ended, last):
            if end:
                words.append(f"exit code {end.get('exitCode')}")
                words += [_end(end["message"])] if end.get("message") else []
        yield f"container {container['name']}, image {images[container['name']]}: {', '.join(words)}"


def _unscheduled(pod: Object) -> str:
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["status"] == "False" and condition.get("message"):
            return f"{condition.get('reason')}: {_cut(condition['message'])}"
    return f"phase {status.get('phase')}"


def _jobs(jobs: Sequence[Object], warnings: Mapping[tuple[str, str], Object]) -> Iterator[Fault]:
    """Jobs that have not ended. A chart's hook is one, and Helm does not name it."""
    for job in jobs:
        status = job.get("status") or {}
        if any(one["type"] == "Complete" and one["status"] == "True" for one in status.get("conditions") or ()):
            continue
        failed = next((one for one in status.get("conditions") or () if one["type"] == "Failed"), None)
        says = f"failed: {_cut(failed.get('message') or failed.get('reason') or '')}" if failed else "has not ended"
        images = {one["image"] for one in job["spec"]["template"]["spec"].get("containers") or ()}
        event = warnings.get(("Job", _name(job)))
        more = [f"image {image}" for image in sorted(images)] + ([_event(event)] if event else [])
        yield Fault(f"Job {job['metadata']['namespace']}/{_name(job)}", "; ".join([says, *more]))


def _warnings(api: Api, namespace: str) -> dict[tuple[str, str], Object]:
    """The newest warning about each object."""
    events = list_items(api, f"/api/v1/namespaces/{namespace}/events", query=[("fieldSelector", "type=Warning")])
    found: dict[tuple[str, str], Object] = {}
    for event in sorted(events, key=lambda one: str(one.get("lastTimestamp") or one.get("eventTime") or "")):
        about = event.get("involvedObject") or {}
        found[str(about.get("kind")), str(about.get("name"))] = event
    return found


def _event(event: Object) -> str:
    return f"event {event.get('reason')}: {_cut(str(event.get('message') or ''))}"


def _name(item: Object) -> str:
    return str(item["metadata"]["name"])


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _end(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else "…" + line[1 - _LONGEST :]
