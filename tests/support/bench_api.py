"""An API server in memory with kubelets of a kind: every pod that is made has already become what a test says."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from components.kubernetes_api import ApiError, UnreachableError
from vds.bench.manifests import NAMESPACE

RECORDED = Path(__file__).parent / "recorded"
TCP, UDP, REFUSED = ((RECORDED / f"iperf3-3.12-{name}.json").read_text() for name in ("tcp", "udp", "refused"))
TRIPS = json.dumps({"round_trips": 9000, "p50_ms": 0.21, "p99_ms": 0.9, "max_ms": 4.0})

Status = dict[str, Any]


def running(address: str = "10.244.2.9") -> Status:
    return {"phase": "Running", "podIP": address, "containerStatuses": [{"state": {"running": {}}}]}


def ended(message: str, code: int = 0, reason: str = "Completed") -> Status:
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    return {"phase": "Failed" if code else "Succeeded", "containerStatuses": [{"state": state}]}


def waiting(reason: str, message: str = "") -> Status:
    return {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": reason, "message": message}}}]}


WELL = {
    "iperf-server": [running()],
    "latency-server": [running()],
    "throughput-1": [ended(TCP)],
    "loss-1": [ended(UDP)],
    "latency-1": [ended(TRIPS)],
}


class FakeApi:
    """Pods by name, each with its statuses in the order in which they are seen; the last one stays."""

    def __init__(self, **pods: Sequence[Status]) -> None:
        self.statuses = {**WELL, **{name.replace("_", "-"): seen for name, seen in pods.items()}}
        self.nodes = {"osl-cp-1": "True", "osl-w-1": "True", "osl-w-2": "True"}
        self.namespace: dict[str, Any] | None = None
        self.made: dict[str, dict[str, Any]] = {}
        self.lingers = 2
        """For how many looks a deleted namespace is still there."""
        self.calls: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] = lambda *_: None
        """What a test wants to happen at a call."""

    def request(self, method: str, path: str, body: Any = None, **_: Any) -> dict[str, Any]:
        self.calls.append((method, path))
        self.before(method, path)
        if path.startswith("/api/v1/nodes/"):
            return self._node(path.rsplit("/", 1)[1])
        if method == "POST":
            return self._make(body)
        if path == f"/api/v1/namespaces/{NAMESPACE}":
            return self._namespace(method, body)
        seen = self.statuses[path.rsplit("/", 1)[1]]
        return {"status": seen.pop(0) if isinstance(seen, list) and len(seen) > 1 else seen[0]}

    def unreachable_once(self, method: str, part: str) -> None:
        """The next such call has no answer."""

        def fail(asked: str, path: str) -> None:
            if asked == method and part in path:
                self.before = lambda *_: None
                raise UnreachableError("https://192.0.2.10:6443: no answer in time")

        self.before = fail

    def _node(self, name: str) -> dict[str, Any]:
        if name not in self.nodes:
            raise ApiError(404, f"nodes {name!r} not found")
        return {"status": {"conditions": [{"type": "Ready", "status": self.nodes[name]}]}}

    def _make(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["kind"] == "Namespace":
            if self.namespace:
                raise ApiError(409, "namespaces already exists")
            self.namespace = {"metadata": {**body["metadata"], "uid": "u1"}}
        self.made[body["metadata"]["name"]] = body
        return body

    def _namespace(self, method: str, body: Any) -> dict[str, Any]:
        if self.namespace and "deletionTimestamp" in self.namespace["metadata"]:
            self.lingers -= 1
            if self.lingers <= 0:
                self.namespace = None
        if self.namespace is None:
            raise ApiError(404, "not found")
        if method == "DELETE":
            assert body["preconditions"] == {"uid": "u1"}
            self.namespace["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
        return self.namespace
