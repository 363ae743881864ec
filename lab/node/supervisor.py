"""The part that a kubelet would play on a node of the lab: registers it, runs the CNI's agent, attaches pods.

Level-triggered: every turn reads what should be and makes it so, so a missed event cannot matter.
Run inside the node's namespaces: `python -m lab.node.supervisor SETTINGS.json`.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from kubernetes.client.exceptions import ApiException

from lab.cluster import Cluster, Manifest
from lab.node import machine, records, status
from lab.node.cni_agent import CiliumAgent
from lab.node.pods import Pod, Settings, UnknownImageError, ended, is_ready, start_pod, stop_pod
from lab.processes import LabError

_TURN_SECONDS = 0.3
_HEARTBEAT_SECONDS = 10  # the kubelet's own interval; the node controller waits for 40


class Supervisor:
    """One node's reconcile loop."""

    def __init__(self, settings: Settings, raw: dict[str, Any], sshd: subprocess.Popen[bytes]) -> None:
        self.settings = settings
        self.cluster = Cluster(Path(raw["kubeconfig"]))
        self.agent = CiliumAgent(
            settings,
            raw["kubeconfig"],
            Path(raw["bpf_source"]),
            with_operator=settings.node.endswith("-1"),
        )
        self.sshd = sshd
        self.pods: dict[str, Pod] = {}
        self.network_ready = False
        """Whether pods can be attached; the node's own condition is said with the heartbeat."""
        self._last_heartbeat = 0.0
        self._said_ready = False
        self._failures: dict[str, tuple[int, float]] = {}  # pod uid → (tries, not before)

    def turn(self) -> None:
        """Make the node what the API server says it should be, once."""
        self.network_ready = self._converge_agent()
        # An agent that is replaced takes seconds: a node that said at once that it is not ready would lose its pods.
        if self._is_heartbeat_due() or (self.network_ready and not self._said_ready):
            self._heartbeat()
        self._converge_pods()

    def _is_heartbeat_due(self) -> bool:
        return time.monotonic() - self._last_heartbeat > _HEARTBEAT_SECONDS

    def _converge_agent(self) -> bool:
        try:
            config = self.cluster.request("GET", "/api/v1/namespaces/kube-system/configmaps/cilium-config")["data"]
        except ApiException as error:
            if error.status != 404:
                raise
            config = None
        started = self.agent.converge(config)
        if config is None:
            return False
        # Once up, health is asked with the heartbeat only: each question starts a process.
        if self.network_ready and not started and not self._is_heartbeat_due():
            return True
        return self.agent.is_healthy()

    def _heartbeat(self) -> None:
        name = self.settings.node
        now = datetime.datetime.now(datetime.UTC)
        self.cluster.apply(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "namespace": "kube-node-lease"},
                "spec": {
                    "holderIdentity": name,
                    "leaseDurationSeconds": 40,
                    "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                },
            }
        )
        stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        reason = ("KubeletReady", "True") if self.network_ready else ("NetworkPluginNotReady", "False")
        status = {
            "addresses": [
                {"type": "InternalIP", "address": self.settings.address},
                {"type": "Hostname", "address": name},
            ],
            "capacity": {"cpu": "2", "memory": "4Gi", "pods": "110"},
            "allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"},
            "conditions": [
                {
                    "type": "Ready",
                    "status": reason[1],
                    "reason": reason[0],
                    "message": "the lab's supervisor",
                    "lastHeartbeatTime": stamp,
                    "lastTransitionTime": stamp,
                }
            ],
            "nodeInfo": _node_info(),
        }
        self.cluster.request(
            "PATCH",
            f"/api/v1/nodes/{name}/status",
            {"status": status},
            content_type="application/strategic-merge-patch+json",
        )
        self._last_heartbeat = time.monotonic()
        self._said_ready = self.network_ready

    def register(self) -> None:
        """Make this node's Node object; where the API server is not up yet, wait for it."""
        while not self.cluster.is_ready():
            time.sleep(_TURN_SECONDS)
        labels = {
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": self.settings.node,
        }
        self.cluster.apply(
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.settings.node, "labels": labels}}
        )

    def _converge_pods(self) -> None:
        listed: list[Manifest] = self.cluster.request(
            "GET", "/api/v1/pods", query=[("fieldSelector", f"spec.nodeName={self.settings.node}")]
        )["items"]
        wanted = {p["metadata"]["uid"]: p for p in listed if "deletionTimestamp" not in p["metadata"]}
        for uid in set(self.pods) - set(wanted):
            stop_pod(self.pods.pop(uid), self.settings)
        for manifest in listed:
            if "deletionTimestamp" in manifest["metadata"]:
                self._forget(manifest)
        for uid, manifest in wanted.items():
            try:
                self._converge_pod(uid, manifest)
            except ApiException as error:  # of this pod alone: the others are none the worse for it
                print(f"pod {manifest['metadata']['name']}: {error.status} {error.reason}", flush=True)

    def _converge_pod(self, uid: str, manifest: Manifest) -> None:
        if (manifest.get("status") or {}).get("phase") in ("Succeeded", "Failed"):  # it is not run again
            return
        pod = self.pods.get(uid)
        if pod is not None and pod.process.poll() is not None:
            if manifest["spec"].get("restartPolicy") == "Never":
                # Said before it is forgotten: where that fails, the next turn does not start it again.
                self._write_status(manifest, status.finished(pod, ended(pod, self.settings), _now()))
                stop_pod(self.pods.pop(uid), self.settings)
                return
            stop_pod(self.pods.pop(uid), self.settings)
            self._postpone(uid)  # a new sandbox, as after a crash
            self._report(manifest, None)
            pod = None
        if pod is None:
            pod = self._try_start(uid, manifest)
        if pod is not None:
            self._probe(pod, manifest)

    def _try_start(self, uid: str, manifest: Manifest) -> Pod | None:
        if not (self.network_ready or manifest["spec"].get("hostNetwork")):
            return None
        if time.monotonic() < self._failures.get(uid, (0, 0.0))[1]:
            return None
        try:
            pod = start_pod(manifest, self.settings, self.cluster)
        except (LabError, ApiException, subprocess.SubprocessError, OSError) as error:
            print(f"pod {manifest['metadata']['name']}: {error}", flush=True)
            self._postpone(uid)
            if isinstance(error, UnknownImageError):
                self._report(manifest, None, waiting={"reason": "ErrImagePull", "message": str(error)})
            return None
        self.pods[uid] = pod
        self._report(manifest, pod)
        return pod

    def _postpone(self, uid: str) -> None:
        tries = self._failures.get(uid, (0, 0.0))[0] + 1
        self._failures[uid] = (tries, time.monotonic() + min(0.5 * 2**tries, 20))

    def _probe(self, pod: Pod, manifest: Manifest) -> None:
        """Say it where the API server has it otherwise: a write may be lost, and others write it too.

        The node controller calls a node's pods not ready when its heartbeat was late, and never takes that back.
        """
        pod.ready = is_ready(pod) if not pod.ready else pod.process.poll() is None
        if pod.ready != status.says_ready(manifest):
            self._report(pod.manifest, pod)

    def _report(self, manifest: Manifest, pod: Pod | None, *, waiting: dict[str, str] | None = None) -> None:
        restarts = self._failures.get(manifest["metadata"]["uid"], (0, 0.0))[0]
        state = None if pod else waiting or {"reason": "Restarting"}
        self._write_status(
            manifest, status.current(manifest, pod, self.settings.address, _now(), restarts=restarts, waiting=state)
        )

    def _write_status(self, manifest: Manifest, content: dict[str, Any]) -> None:
        meta = manifest["metadata"]
        try:
            self.cluster.request(
                "PATCH",
                f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status",
                {"status": content},
                content_type="application/strategic-merge-patch+json",
            )
        except ApiException as error:
            if error.status != 404:  # deleted meanwhile
                raise

    def _forget(self, manifest: Manifest) -> None:
        meta = manifest["metadata"]
        try:
            self.cluster.request(
                "DELETE",
                f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}",
                {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0},
            )
        except ApiException as error:
            if error.status != 404:
                raise


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _node_info() -> dict[str, str]:
    return {
        "kernelVersion": platform.release(),
        "osImage": "vds-platform lab",
        "containerRuntimeVersion": "vdslab://1",
        "kubeletVersion": "v1.36.3",
        "kubeProxyVersion": "v1.36.3",
        "machineID": "",
        "systemUUID": "",
        "bootID": "",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }


def main(settings_file: Path) -> None:
    """Become the node's first process."""
    raw = json.loads(settings_file.read_text())
    folder = Path(raw["folder"])
    settings = Settings(
        raw["node"],
        raw["address"],
        folder,
        Path(raw["logs"]),
        Path(raw["certificate_authority"]),
        raw["tools"],
    )
    records.forget_all(folder)
    machine.mount_own_folders(settings.node)
    machine.place_tools(
        {
            "cilium-dbg": f'exec {shlex.quote(raw["tools"]["cilium-dbg"])} "$@"',
            "crictl": f'exec {shlex.join([sys.executable, "-m", "lab.node.crictl", str(folder)])} "$@"',
        }
    )
    sshd = machine.start_sshd(folder, raw["authorized_key"], settings.logs / f"{settings.node}-sshd.log")
    (folder / "supervisor.pid").write_text(str(os.getpid()))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    supervisor = Supervisor(settings, raw, sshd)
    supervisor.register()
    while True:
        try:
            supervisor.turn()
        except Exception as error:  # the API server restarts, a call times out: the next turn sees what is true then
            print(f"{type(error).__name__}: {error}", flush=True)
            time.sleep(1)
        time.sleep(_TURN_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
