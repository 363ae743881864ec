"""Pods without a container engine: a pod is a set of namespaces, attached by Cilium's CNI plugin.

Only what the lab's own pods use is there: one container, environment, Secret and ConfigMap volumes, a service
account's token, a user id, a readiness probe, host networking, programs that end and leave a message. The image's
name chooses a program of the lab.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.cluster import Cluster, Manifest
from lab.layout import API_SERVICE_ADDRESS
from lab.machine import IPERF3
from lab.node import records
from lab.processes import LabError, wait_until

_CNI_CONFIG = {"cniVersion": "0.3.1", "name": "cilium", "type": "cilium-cni"}
_TOKEN_SECONDS = 86400 * 7
# A pod's python3 is the one that lab/echo runs on: the PATH's first may be a script that only root may read.
_PATH = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
# What a kubelet keeps: of the file its end, of the log where there is no file (kubernetes, pkg/kubelet/container).
_MESSAGE_BYTES, _LOG_BYTES = 4096, 2048


class AttachError(LabError):
    """The CNI plugin refused; the text is its answer."""


class UnknownImageError(LabError):
    """The lab has no program for a pod's image, or the machine has not the one it would be."""


@dataclass
class Settings:
    """What every pod of a node needs to know about the node."""

    node: str
    address: str
    folder: Path
    logs: Path
    certificate_authority: Path
    tools: dict[str, str]

    def program(self, image: str) -> list[str]:
        """The program that stands for an image; the registry and the tag don't matter."""
        repository = image.rsplit(":", 1)[0] if ":" in image.rsplit("/", 1)[-1] else image
        programs = {
            "metallb/controller": [self.tools["metallb-controller"]],
            "metallb/speaker": [self.tools["metallb-speaker"]],
            "traefik": [self.tools["traefik"]],
            "lab/echo": [sys.executable, "-m", "lab.node.echo"],
            "lab/idle": ["sleep", "infinity"],
            "lab/iperf3": ["iperf3"],  # as an image of iperf3 and python3
        }
        for name, program in programs.items():
            if repository == name or repository.endswith(f"/{name}"):
                if name == "lab/iperf3" and not IPERF3.met():
                    raise UnknownImageError(
                        f"image {image!r} is this machine's own iperf3, which is not installed: run: "
                        f"apt-get install --no-install-recommends {IPERF3.package}"
                    )
                return program
        raise UnknownImageError(f"the lab has no program for image {image!r}; it has {', '.join(programs)}")


@dataclass
class Pod:
    """A pod that runs here."""

    manifest: Manifest
    process: subprocess.Popen[bytes]
    address: str
    ready: bool = False
    probe: dict[str, Any] | None = field(default=None)

    @property
    def uid(self) -> str:
        """The API object's uid."""
        return str(self.manifest["metadata"]["uid"])


def start_pod(manifest: Manifest, settings: Settings, cluster: Cluster) -> Pod:
    """Make the namespaces, attach them, then let the program go.

    Raises:
        UnknownImageError: nothing stands for the image.
        AttachError: the CNI plugin refused.
    """
    spec, meta = manifest["spec"], manifest["metadata"]
    container = spec["containers"][0]
    own = settings.program(container["image"])  # an image that is not here is refused, whatever its command would be
    program = [*(container.get("command") or own), *container.get("args", [])]
    folder = settings.folder / "pods" / meta["uid"]
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    host_network = bool(spec.get("hostNetwork"))
    namespaces = ["--mount", "--propagation", "private"] + ([] if host_network else ["--net", "--uts", "--ipc"])
    # The shell waits in its new namespaces until they are attached, then becomes the program.
    script = _start_script(manifest, program, folder, settings, cluster, host_network=host_network)
    with _log(meta, settings).open("ab") as log:
        process = subprocess.Popen(
            ["unshare", *namespaces, "sh", "-c", f"read -r go; {script}"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"PATH": _PATH, "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
            start_new_session=True,
        )
    try:
        address = settings.address if host_network else _attach(process.pid, manifest, settings)
        environment = _environment(container, manifest, settings, address)
        assert process.stdin is not None  # noqa: S101 (PIPE above)
        (folder / "environment").write_text(environment)
        where = {
            "namespace": meta["namespace"],
            "name": meta["name"],
            "app": meta.get("labels", {}).get("app.kubernetes.io/name", ""),
            "node": settings.node,
            "address": address,
            "pid": process.pid,
        }
        records.write(settings.folder, meta["uid"], where)
        process.stdin.write(b"go\n")
        process.stdin.close()
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Pod(manifest, process, address, probe=container.get("readinessProbe"))


def _start_script(
    manifest: Manifest,
    program: list[str],
    folder: Path,
    settings: Settings,
    cluster: Cluster,
    *,
    host_network: bool,
) -> str:
    spec, container = manifest["spec"], manifest["spec"]["containers"][0]
    lines = ["set -e", f". {shlex.quote(str(folder / 'environment'))}"]
    if not host_network:
        lines += [
            "mount -t sysfs sysfs /sys",
            f"hostname {shlex.quote(manifest['metadata']['name'])}",
            "ip link set lo up",
            "echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start",  # as containerd does for every pod
        ]
    lines += ["mkdir -p /run/secrets/kubernetes.io"]
    lines += [
        "mount -t tmpfs -o mode=755 tmpfs /run/secrets",
        "mkdir -p /run/secrets/kubernetes.io/serviceaccount",
    ]
    _write_token(manifest, folder / "serviceaccount", settings, cluster)
    lines.append(f"cp {shlex.quote(str(folder))}/serviceaccount/* /run/secrets/kubernetes.io/serviceaccount/")
    volumes = {v["name"]: v for v in spec.get("volumes", [])}
    mounts = [m for m in container.get("volumeMounts", []) if not m["mountPath"].startswith("/var/run/secrets/")]
    for mount in sorted(mounts, key=lambda m: str(m["mountPath"])):
        source = folder / "volumes" / mount["name"]
        if _write_volume(volumes[mount["name"]], manifest["metadata"]["namespace"], source, cluster):
            target = shlex.quote(mount["mountPath"])
            lines.append(f"mkdir -p {target} && mount --bind {shlex.quote(str(source))} {target}")
    message = _message_path(container)
    if message:
        (folder / "termination-message").write_text("")
        (folder / "termination-message").chmod(0o666)  # as the kubelet does: any user may leave one
        source, target = shlex.quote(str(folder / "termination-message")), shlex.quote(message)
        lines.append(f"touch {target} && mount --bind {source} {target}")
    user = (container.get("securityContext") or {}).get("runAsUser") or (spec.get("securityContext") or {}).get(
        "runAsUser"
    )
    drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"] if user else []
    lines.append(f"exec {shlex.join([*drop, *program])}")
    return "\n".join(lines)


def _message_path(container: dict[str, Any]) -> str:
    """Where the program may leave a termination message: below /run alone, for /dev is the whole machine's."""
    path = str(container.get("terminationMessagePath", ""))
    return path if path.startswith("/run/") else ""


def _write_token(manifest: Manifest, folder: Path, settings: Settings, cluster: Cluster) -> None:
    meta = manifest["metadata"]
    account = manifest["spec"].get("serviceAccountName", "default")
    answer = cluster.request(
        "POST",
        f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token",
        {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "expirationSeconds": _TOKEN_SECONDS,
                "boundObjectRef": {
                    "kind": "Pod",
                    "apiVersion": "v1",
                    "name": meta["name"],
                    "uid": meta["uid"],
                },
            },
        },
    )
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text(answer["status"]["token"])
    (folder / "namespace").write_text(meta["namespace"])
    (folder / "ca.crt").write_bytes(settings.certificate_authority.read_bytes())


def _write_volume(volume: dict[str, Any], namespace: str, folder: Path, cluster: Cluster) -> bool:
    if "secret" in volume:
        source, kind, name = volume["secret"], "secrets", volume["secret"]["secretName"]
    elif "configMap" in volume:
        source, kind, name = volume["configMap"], "configmaps", volume["configMap"]["name"]
    else:
        return False
    try:
        live = cluster.request("GET", f"/api/v1/namespaces/{namespace}/{kind}/{name}")
    except Exception:
        if source.get("optional"):
            return False
        raise
    folder.mkdir(parents=True, exist_ok=True)
    for key, value in (live.get("data") or {}).items():
        (folder / key).write_bytes(base64.b64decode(value) if kind == "secrets" else value.encode())
    return True


def _environment(container: dict[str, Any], manifest: Manifest, settings: Settings, address: str) -> str:
    fields = {
        "metadata.name": manifest["metadata"]["name"],
        "metadata.namespace": manifest["metadata"]["namespace"],
        "spec.nodeName": settings.node,
        "status.hostIP": settings.address,
        "status.podIP": address,
    }
    values = {"KUBERNETES_SERVICE_HOST": API_SERVICE_ADDRESS, "KUBERNETES_SERVICE_PORT": "443"}
    for entry in container.get("env", []):
        path = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        values[entry["name"]] = fields[path] if path else entry.get("value", "")
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def _cni(command: str, pid: int, manifest: Manifest, settings: Settings) -> dict[str, Any]:
    meta = manifest["metadata"]
    done = subprocess.run(
        [settings.tools["cilium-cni"]],
        input=json.dumps({**_CNI_CONFIG, "log-file": str(settings.logs / f"{settings.node}-cni.log")}),
        capture_output=True,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": meta["uid"].replace("-", ""),
            "CNI_NETNS": f"/proc/{pid}/ns/net" if pid else "",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(Path(settings.tools["cilium-cni"]).parent),
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE={meta['namespace']};K8S_POD_NAME={meta['name']};"
            f"K8S_POD_UID={meta['uid']}",
        },
        timeout=60,
    )
    if done.returncode:
        raise AttachError(f"cilium-cni {command}: {done.stdout.strip() or done.stderr.strip()}")
    return dict(json.loads(done.stdout)) if done.stdout.strip() else {}


def wait_for_own_network(pid: int, seconds: float = 30) -> None:
    """Wait until a process has left our network namespace.

    A plugin called earlier would find our own behind `/proc/PID/ns/net`, and take the node's eth0 for the pod's.

    Raises:
        LabError: it has not after `seconds`.
    """
    ours, theirs = Path("/proc/self/ns/net"), Path(f"/proc/{pid}/ns/net")
    wait_until(
        lambda: theirs.stat().st_ino != ours.stat().st_ino,
        seconds,
        lambda: f"process {pid} is still in the node's network",
    )


def _attach(pid: int, manifest: Manifest, settings: Settings) -> str:
    wait_for_own_network(pid)
    answer = _cni("ADD", pid, manifest, settings)
    return str(answer["ips"][0]["address"]).split("/")[0]


def stop_pod(pod: Pod, settings: Settings) -> None:
    """Detach and end the program; a CNI that is gone already cannot keep a pod alive."""
    alive = pod.process.poll() is None
    if not pod.manifest["spec"].get("hostNetwork"):
        try:
            _cni("DEL", pod.process.pid if alive else 0, pod.manifest, settings)
        except (AttachError, subprocess.SubprocessError, OSError) as error:
            if alive:  # without its namespace the plugin complains, after it has let the endpoint go
                print(f"detaching {pod.manifest['metadata']['name']}: {error}", flush=True)
    pod.process.kill()
    pod.process.wait()
    records.forget(settings.folder, pod.uid)


def ended(pod: Pod, settings: Settings) -> dict[str, Any]:
    """A container's `terminated` state, of a pod whose program has ended: how, and the message that it left."""
    code = pod.process.wait()
    code = 128 - code if code < 0 else code  # by a signal, as a shell and a kubelet say it
    container, meta = pod.manifest["spec"]["containers"][0], pod.manifest["metadata"]
    message = b""
    if _message_path(container):
        message = (settings.folder / "pods" / pod.uid / "termination-message").read_bytes()[-_MESSAGE_BYTES:]
    if code and not message and container.get("terminationMessagePolicy") == "FallbackToLogsOnError":
        message = _log(meta, settings).read_bytes()[-_LOG_BYTES:]
    state = {"exitCode": code, "reason": "Error" if code else "Completed"}
    return {**state, "message": message.decode(errors="replace")} if message else state


def _log(meta: dict[str, Any], settings: Settings) -> Path:
    return settings.logs / f"pod-{meta['namespace']}-{meta['name']}.log"


def is_ready(pod: Pod) -> bool:
    """Whether the readiness probe passes now; a pod without one is ready while it runs."""
    if pod.process.poll() is not None:
        return False
    probe = pod.probe or {}
    get, connect = probe.get("httpGet"), probe.get("tcpSocket")
    try:
        if get:
            url = f"http://{get.get('host', pod.address)}:{get['port']}{get.get('path', '/')}"
            with urllib.request.urlopen(url, timeout=1) as answer:
                return bool(answer.status < 400)
        if connect:
            socket.create_connection((pod.address, connect["port"]), timeout=1).close()
    except OSError:
        return False
    return True
