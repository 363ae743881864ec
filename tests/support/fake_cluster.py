"""An API server in memory, as much of it as a drain asks: merge patches, evictions with budgets, pods that linger."""

from collections.abc import Sequence
from typing import Any

from components.core import labels
from components.kubernetes_api import ApiError, UnreachableError
from vds.shared.clock import Clock

Object = dict[str, Any]


def node(name: str, *, member: bool = False, ready: bool = True, cordoned: str = "") -> Object:
    """`cordoned`: by `us` or by `somebody`."""
    metadata: Object = {"name": name, "labels": {"node-role.kubernetes.io/control-plane": ""} if member else {}}
    if cordoned == "us":
        metadata["annotations"] = {labels.CORDONED: "true"}
    spec = {"unschedulable": True} if cordoned else {}
    return {
        "metadata": metadata,
        "spec": spec,
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}]},
    }


def pod(
    name: str, *, on: str = "osl-w-2", owner: str | None = "ReplicaSet", phase: str = "Running", **more: Any
) -> Object:
    """A pod of the namespace `shop`; `more` goes into its metadata."""
    owners = [{"kind": owner, "controller": True}] if owner else []
    metadata = {"namespace": "shop", "name": name, "uid": f"uid-{name}", "ownerReferences": owners, **more}
    return {"metadata": metadata, "spec": {"nodeName": on}, "status": {"phase": phase}}


def gateway(*on: str, kind: str = "LoadBalancer") -> tuple[list[Object], list[Object]]:
    """A Service of the gateway with a ready pod on each of these nodes: services, slices."""
    service = {"metadata": {"namespace": "gateway-system", "name": "traefik"}, "spec": {"type": kind}}
    endpoints = [{"nodeName": name, "conditions": {"ready": True}} for name in on]
    endpoints.append({"nodeName": "osl-9", "conditions": {"ready": False}})
    labelled = {"labels": {"kubernetes.io/service-name": "traefik"}}
    return [service], [{"metadata": labelled, "endpoints": endpoints}]


def attachment(volume: str, on: str = "osl-w-2") -> Object:
    return {"metadata": {"name": f"csi-{volume}"}, "spec": {"nodeName": on, "source": {"persistentVolumeName": volume}}}


UID = "6f1c4f5e-0000-4000-8000-000000000001"


class FakeCluster:
    """Objects, and what a test wants to go wrong with them."""

    def __init__(self, *nodes: Object, pods: Sequence[Object] = (), record: bool = True, uid: str = UID) -> None:
        self.uid = uid
        self.nodes = {item["metadata"]["name"]: item for item in nodes}
        self.pods = {item["metadata"]["name"]: item for item in pods}
        self.record = record
        self.services: list[Object] = []
        self.slices: list[Object] = []
        self.attachments: list[Object] = []
        self.budgets: dict[str, int] = {}
        """How often a budget still keeps a pod."""
        self.lingers: dict[str, int] = {}
        """For how many lists an evicted pod is still seen; 0 where nothing is said."""
        self.detaches_after = 0
        """For how many lists a volume is still attached."""
        self.unreachable: list[bool] = []
        """Of the next calls, in order: whether nobody answers."""
        self.busy: list[int] = []
        """Of the next calls, in order: the status that they end with; 0 where they are answered."""
        self.calls: list[tuple[str, str]] = []
        self.leases: dict[str, Object] = {}
        """Path → Lease, each with its own resourceVersion."""

    def request(
        self, method: str, path: str, body: Any = None, *, query: Sequence[tuple[str, str]] = ()
    ) -> dict[str, Any]:
        self.calls.append((method, path))
        if self.unreachable and self.unreachable.pop(0):
            raise UnreachableError("https://192.0.2.10:6443: no answer in time")
        if self.busy and (status := self.busy.pop(0)):
            raise ApiError(status, "busy")
        if "/leases" in path:
            return self._lease(method, path, body)
        if method == "PATCH":
            return _merge(self._node(path), body)
        if method == "POST":
            return self._evict(path, body)
        if method == "DELETE":
            return self.nodes.pop(self._node(path)["metadata"]["name"])
        if path == "/api/v1/namespaces/kube-system/configmaps/vds-platform":
            if not self.record:
                raise ApiError(404, "not found")
            return {"data": {"nodes": "[]"}}
        if path == "/api/v1/namespaces/kube-system":
            return {"metadata": {"uid": self.uid}}
        lists: dict[str, list[Object]] = {
            "/api/v1/nodes": list(self.nodes.values()),
            "/api/v1/namespaces/gateway-system/services": self.services,
            "/apis/discovery.k8s.io/v1/namespaces/gateway-system/endpointslices": self.slices,
        }
        if path == "/api/v1/pods":
            return {"items": self._list_pods(dict(query)["fieldSelector"])}
        if path == "/apis/storage.k8s.io/v1/volumeattachments":
            self.detaches_after -= 1
            return {"items": self.attachments if self.detaches_after >= 0 else []}
        return {"items": lists[path]} if path in lists else self._node(path)

    def evictions(self) -> list[str]:
        return [path.split("/")[6] for method, path in self.calls if method == "POST"]

    def is_cordoned(self, name: str) -> bool:
        return bool(self.nodes[name]["spec"].get("unschedulable"))

    def _node(self, path: str) -> Object:
        name = path.removeprefix("/api/v1/nodes/")
        if name not in self.nodes:
            raise ApiError(404, f"nodes {name!r} not found")
        return self.nodes[name]

    def _list_pods(self, selector: str) -> list[Object]:
        on = selector.removeprefix("spec.nodeName=")
        for name in [name for name, item in self.pods.items() if "deletionTimestamp" in item["metadata"]]:
            self.lingers[name] = self.lingers.get(name, 0) - 1
            if self.lingers[name] < 0:
                del self.pods[name]
        return [item for item in self.pods.values() if item["spec"]["nodeName"] == on]

    def _lease(self, method: str, path: str, body: Any) -> Object:
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
        before = self.leases.get(path)
        if method == "GET":
            if before is None:
                raise ApiError(404, "not found")
            return before
        version = (before or {"metadata": {}})["metadata"].get("resourceVersion")
        if body["metadata"].get("resourceVersion") != version:
            raise ApiError(409, "conflict")
        metadata = {**body["metadata"], "resourceVersion": str(int(version or 0) + 1)}
        self.leases[path] = {**body, "metadata": metadata}
        return self.leases[path]

    def _evict(self, path: str, body: Any) -> Object:
        name = path.split("/")[6]
        assert body["apiVersion"] == "policy/v1"
        if name not in self.pods:
            raise ApiError(404, f"pods {name!r} not found")
        metadata = self.pods[name]["metadata"]
        assert body["deleteOptions"]["preconditions"]["uid"] == metadata["uid"]
        if self.budgets.get(name, 0):
            self.budgets[name] -= 1
            causes = ["The disruption budget shop-api needs 2 healthy pods and has 2 currently"]
            raise ApiError(429, "Cannot evict pod as it would violate the pod's disruption budget.", causes)
        metadata["deletionTimestamp"] = "2026-11-21T10:00:00Z"
        return {"status": "Success"}


def _merge(target: Object, patch: Object) -> Object:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value
    return target


def fake_clock() -> Clock:
    """Time that passes only where somebody waits."""
    seconds = [0.0]

    def sleep(duration: float) -> None:
        seconds[0] += duration

    return Clock(lambda: seconds[0], sleep, lambda: seconds[0])
