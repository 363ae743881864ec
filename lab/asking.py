"""Ask machines, pods and hosts of the lab from inside: over SSH, or with `lab.probe` in their network."""

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import probe
from lab.cluster import Cluster
from lab.layout import MACHINES, OPERATOR, Host, Layout
from lab.processes import LabError, command, wait_until

Facts = dict[str, Any]
_PODS_SECONDS = 120
# Sandboxes of containerd, one on each line: namespace, name, and path of the pod's network namespace. A pod with
# hostNetwork has no path.
_SANDBOXES = r"""
for id in $(crictl pods --state Ready --quiet); do
	crictl inspectp --output go-template --template '{{.status.metadata.namespace}} {{.status.metadata.name}}'"\
"' {{range .info.runtimeSpec.linux.namespaces}}{{if eq .type "network"}}{{.path}}{{end}}{{end}}' "$id"
done
"""


def ask(argv: Sequence[str], questions: list[Facts], timeout_seconds: float = 120) -> list[Any]:
    """Answers of `lab.probe`, run by `argv` where the questions are to be asked from."""
    done = _run(argv, json.dumps(questions), timeout_seconds)
    if done.returncode:
        raise LabError(f"the probe failed: {done.stderr.strip()}")
    return list(json.loads(done.stdout))


def from_host(host: Host) -> list[str]:
    """How to run the probe on a host of the fabric."""
    return command([sys.executable, "-m", "lab.probe"], part="probe", namespace=host.namespace)


def from_pod(pod: Facts, layout: Layout) -> list[str]:
    """How to run the probe in a pod's network: from its node, where root and Python are, over SSH."""
    source = Path(probe.__file__).read_text()
    remote = f"nsenter --net={pod['netns']} python3 -c {shlex.quote(source)}"
    return ssh_command(layout, pod["host"], remote)


def ssh_command(layout: Layout, address: str, remote: str) -> list[str]:
    """How a machine's administrator runs a command there: from the operator's laptop, host key verified."""
    options = {
        "UserKnownHostsFile": layout.known_hosts,
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": 5,
    }
    words = [w for key, value in options.items() for w in ("-o", f"{key}={value}")]
    argv = ["ssh", "-F", "none", "-i", str(layout.ssh_key), *words, f"root@{address}", remote]
    return command(argv, part="probe", namespace=OPERATOR.namespace)


def ssh(
    layout: Layout, address: str, remote: str, stdin: str = "", timeout_seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command on a machine as its administrator does."""
    return _run(ssh_command(layout, address, remote), stdin, timeout_seconds)


def _run(argv: Sequence[str], stdin: str, timeout_seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout_seconds)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"no answer within {timeout_seconds:g} s to {' '.join(argv)[:300]}") from error


def pods(layout: Layout, cluster: Cluster) -> list[Facts]:
    """Every running pod that has a network of its own: as the API server and its node's container runtime know it.

    A pod can be Running before it has an address or a sandbox, after its node's kubelet or container runtime has
    started again. It is waited for.

    Raises:
        LabError: a pod has none in time; the text names it.
    """
    found: list[Facts] = []

    def complete() -> bool:
        found[:] = _pods(layout, cluster)
        return all(pod["address"] and pod["netns"] for pod in found)

    def late() -> str:
        names = [f"{pod['namespace']}/{pod['name']}" for pod in found if not (pod["address"] and pod["netns"])]
        return f"pods that run without an address or a sandbox: {', '.join(names) or 'not known'}; see `make logs`"

    wait_until(complete, _PODS_SECONDS, late)
    return found


def _pods(layout: Layout, cluster: Cluster) -> list[Facts]:
    addresses = {host.name: host.address for host in MACHINES}
    running = [
        item
        for item in cluster.request("GET", "/api/v1/pods")["items"]
        if not item["spec"].get("hostNetwork")
        and (item.get("status") or {}).get("phase") == "Running"
        and "deletionTimestamp" not in item["metadata"]
    ]
    sandboxes: dict[tuple[str, str], str] = {}
    for node in sorted({item["spec"]["nodeName"] for item in running}):
        done = ssh(layout, addresses[node], f"export PATH=$PATH:/usr/local/bin:/usr/bin\n{_SANDBOXES}")
        if done.returncode:
            raise LabError(f"containerd on {node} could not be asked: {done.stderr.strip()}")
        for line in done.stdout.splitlines():
            namespace, name, *paths = line.split()
            for netns in paths:  # at most one
                sandboxes[namespace, name] = netns
    return [
        {
            "namespace": item["metadata"]["namespace"],
            "name": item["metadata"]["name"],
            "app": (item["metadata"].get("labels") or {}).get("app.kubernetes.io/name", ""),
            "node": item["spec"]["nodeName"],
            "host": addresses[item["spec"]["nodeName"]],
            "address": item["status"].get("podIP"),
            "netns": sandboxes.get((item["metadata"]["namespace"], item["metadata"]["name"])),
        }
        for item in running
    ]


def service_address(cluster: Cluster, namespace: str, name: str) -> str:
    """A Service's cluster address."""
    return str(cluster.request("GET", f"/api/v1/namespaces/{namespace}/services/{name}")["spec"]["clusterIP"])


def link_address(host: Host) -> str:
    """The hardware address of a host's link."""
    shown = subprocess.run(
        ["ip", "-n", host.namespace, "-j", "link", "show", "eth0"], capture_output=True, text=True, check=True
    )
    return str(json.loads(shown.stdout)[0]["address"])
