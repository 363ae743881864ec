"""A pod's status as a kubelet would write it, of what the supervisor knows: the same facts, the same bytes."""

from __future__ import annotations

from typing import Any

from lab.cluster import Manifest
from lab.node.pods import Pod


def current(
    manifest: Manifest, pod: Pod | None, host: str, now: str, *, restarts: int, waiting: dict[str, str] | None
) -> dict[str, Any]:
    """Of a pod that runs, or that waits for its (next) start; `now` is RFC 3339."""
    container = manifest["spec"]["containers"][0]
    running = pod is not None
    ready = bool(pod and pod.ready)
    status = {
        "phase": "Running" if running else "Pending",
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "startTime": now,
        "conditions": _conditions(now, ready=ready),
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": ready,
                "started": running,
                "restartCount": restarts,
                "state": {"running": {"startedAt": now}} if running else {"waiting": waiting},
            }
        ],
    }
    if pod is not None:
        # A pod that starts again has another address; merged by its key, the old one would stay beside it.
        status |= {"podIP": pod.address, "podIPs": [{"ip": pod.address}, {"$patch": "replace"}]}
    return status


def says_ready(manifest: Manifest) -> bool:
    """Whether a pod, as the API server has it, is called ready."""
    conditions = (manifest.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def finished(pod: Pod, terminated: dict[str, Any], now: str) -> dict[str, Any]:
    """Of a pod that is not started again: `terminated` is how its container ended."""
    container = pod.manifest["spec"]["containers"][0]
    return {
        "phase": "Failed" if terminated["exitCode"] else "Succeeded",
        "conditions": _conditions(now, ready=False),
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": False,
                "started": False,
                "restartCount": 0,
                "state": {"terminated": {**terminated, "finishedAt": now}},
            }
        ],
    }


def _conditions(now: str, *, ready: bool) -> list[dict[str, str]]:
    return [
        {"type": kind, "status": str(value), "lastTransitionTime": now}
        for kind, value in (
            ("Initialized", True),
            ("PodScheduled", True),
            ("ContainersReady", ready),
            ("Ready", ready),
        )
    ]
