"""Prove data paths on the wire: each is deployed by the engine, and asked what the model promises of it.

Pod to pod by DF pings, pod to Service, pod to the outside (masqueraded), and a client outside to a LoadBalancer address
through every node: those that have the pod and those that have not, with the client's address kept or replaced.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import yaml

from components.cni.datapath import Source, source_at_pod
from components.parsing import parse
from components.spec import PlatformSpec
from lab import addons, fabric
from lab.asking import Facts, ask, from_host, from_pod, link_address, pods, service_address
from lab.cluster import Cluster
from lab.deploy import Deployment
from lab.fabric import run_ip
from lab.layout import CHECKOUT, CLIENT, NODES, Host, Layout
from lab.node.start import inside_node
from lab.processes import LabError, command, wait_until
from lab.proof.network import network_facts
from lab.toolchain.build import Tools

ECHO = "echo"
ECHO_NODE = NODES[1]
ECHO_ADDRESS = "192.0.2.219"  # of the lab's pool, asked for by name
OUTSIDE_PORT = 8099
_READY_SECONDS = 240
_ANSWER_SECONDS = 20

_READ_CONFIG = """
import json, pathlib
print(json.dumps({file.name: file.read_text() for file in pathlib.Path("/run/cilium/config").iterdir()}))
"""

VXLAN: Facts = {"mode": "tunnel", "protocol": "vxlan"}
NATIVE: Facts = {"mode": "native", "nativeCidr": "10.244.0.0/16", "routes": "same-l2"}


@dataclass(frozen=True)
class DataPath:
    """One way for packets through the lab."""

    name: str
    routing: Facts
    load_balancing: Facts
    underlay_mtu: int

    def write(self, spec: dict[str, Any]) -> None:
        """Put it into a stack file's spec."""
        spec["network"]["underlayMtu"] = self.underlay_mtu
        spec["cni"].pop("podMtu", None)
        spec["cni"] |= {"routing": self.routing, "loadBalancing": self.load_balancing}


SNAT: Facts = {"mode": "snat"}
DATA_PATHS = (
    DataPath("vxlan-snat-1500", VXLAN, SNAT, 1500),
    DataPath("vxlan-snat-1450", VXLAN, SNAT, 1450),
    DataPath("vxlan-snat-9000", VXLAN, SNAT, 9000),
    DataPath("native-snat-1450", NATIVE, SNAT, 1450),
    DataPath("native-snat-9000", NATIVE, SNAT, 9000),
    DataPath("native-dsr-1500", NATIVE, {"mode": "dsr", "dispatch": "opt"}, 1500),
    DataPath("native-hybrid-1500", NATIVE, {"mode": "hybrid", "dispatch": "opt"}, 1500),
)
"""What this kernel can run. Geneve and WireGuard it has not; they are rendered, and not proved here."""


def prove(layout: Layout, tools: Tools, deployment: Deployment, path: DataPath) -> Facts:
    """Deploy a data path and ask it; `ok` says whether everything is as the model says.

    Raises:
        LabError: it could not be deployed, or did not come up in time.
    """
    content = yaml.safe_load(deployment.config_file.read_text())
    path.write(content["config"]["vds-platform:spec"])
    spec = parse(content["config"]["vds-platform:spec"], base_dir=CHECKOUT)
    variant = layout.state / f"Pulumi.{path.name}.yaml"
    variant.write_text(yaml.safe_dump(content))
    fabric.set_mtu(path.underlay_mtu)
    outcome = deployment.run("up", config_file=variant)
    if outcome.exit_code:
        raise LabError(f"{path.name}: pulumi up failed:\n{outcome.diagnostics}")
    cluster = Cluster(layout.kubeconfig)
    agents_follow(layout, tools, cluster)
    for manifest in echo():
        cluster.apply(manifest)
    _make_anew(cluster, addons.PROBE_NAMESPACE, least=len(NODES) + 1)
    there = pods(layout)
    network = network_facts(layout, tools, spec, there)
    callers = {p["node"]: p for p in there if p["namespace"] == addons.PROBE_NAMESPACE and ECHO not in p["name"]}
    service = _to_service(cluster, layout, callers)
    outside = _to_outside(layout, callers)
    clients = _from_client(cluster, spec)
    parts = (service, outside, clients)
    return {
        "ok": network["ok"] and all(row["ok"] for part in parts for row in part.values()),
        "network": network,
        "to_service": service,
        "to_outside": outside,
        "from_client": clients,
    }


def restore(layout: Layout, tools: Tools, deployment: Deployment) -> None:
    """Put the lab's own data path back, and every pod onto it."""
    fabric.set_mtu(1500)
    cluster = Cluster(layout.kubeconfig)
    for manifest in echo():
        cluster.delete(manifest)
    outcome = deployment.run("up")
    if outcome.exit_code:
        raise LabError(f"pulumi up failed:\n{outcome.diagnostics}")
    agents_follow(layout, tools, cluster)
    for namespace in sorted({p["namespace"] for p in pods(layout)} - {"kube-system"}):
        _make_anew(cluster, namespace)


def echo() -> Iterator[Facts]:
    """A backend on one node, behind a Service with an address of the lab's pool."""
    labels = {"app.kubernetes.io/name": ECHO}
    meta = {"name": ECHO, "namespace": addons.PROBE_NAMESPACE}
    deployment = addons.deployment(
        meta, labels, image="lab/echo", env={"PORT": "8080"}, readiness={"tcpSocket": {"port": 8080}}
    )
    deployment["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": ECHO_NODE.name}
    yield deployment
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**meta, "annotations": {"metallb.io/loadBalancerIPs": ECHO_ADDRESS}},
        "spec": {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": False,
            "selector": labels,
            "ports": [{"port": 8080, "targetPort": 8080}],
        },
    }


def agents_follow(layout: Layout, tools: Tools, cluster: Cluster) -> None:
    """Wait until every node's agent is well with the configuration that the cluster has now.

    Raises:
        LabError: one is not in time.
    """
    wanted = cluster.request("GET", "/api/v1/namespaces/kube-system/configmaps/cilium-config")["data"]
    for node in NODES:
        wait_until(
            lambda node=node: _configured(node, layout) == wanted and _is_well(node, layout, tools),  # type: ignore[misc]
            _READY_SECONDS,
            lambda node=node: f"Cilium's agent on {node.name} is not well; see `make logs`",  # type: ignore[misc]
        )


def _configured(node: Host, layout: Layout) -> dict[str, str]:
    """What the node's agent was started with: written when the one before it has ended."""
    read = inside_node(node, layout, [sys.executable, "-c", _READ_CONFIG])
    done = subprocess.run(read, capture_output=True, text=True)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def _is_well(node: Host, layout: Layout, tools: Tools) -> bool:
    status = inside_node(node, layout, [str(tools.path("cilium-dbg")), "status", "--brief"])
    return subprocess.run(status, capture_output=True).returncode == 0


def _make_anew(cluster: Cluster, namespace: str, *, least: int = 0) -> None:
    """Every pod of a namespace is deleted and made again: a pod keeps the MTU that it was made with."""
    path = f"/api/v1/namespaces/{namespace}/pods"

    def found() -> list[Facts]:
        return list(cluster.request("GET", path)["items"])

    # One that is ending already has no successor to wait for.
    before = {pod["metadata"]["uid"]: pod for pod in found() if "deletionTimestamp" not in pod["metadata"]}
    for pod in before.values():
        cluster.delete({"apiVersion": "v1", "kind": "Pod", "metadata": pod["metadata"]})

    def ready() -> bool:
        conditions = [c for pod in found() for c in (pod.get("status") or {}).get("conditions") or ()]
        good = sum(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        return not set(before) & {p["metadata"]["uid"] for p in found()} and len(found()) == good >= max(
            least, len(before)
        )

    wait_until(ready, _READY_SECONDS, lambda: f"the pods of {namespace} did not start again; see `make logs`")


def _call(host: str, port: int = 8080) -> Facts:
    return {"ask": "call", "host": host, "port": port, "within_seconds": _ANSWER_SECONDS}


def _to_service(cluster: Cluster, layout: Layout, callers: dict[str, Facts]) -> Facts:
    """From a pod on every node to the Service's cluster address: the pod behind it sees the pod that asks."""
    address = service_address(cluster, addons.PROBE_NAMESPACE, ECHO)
    rows: Facts = {}
    for node, pod in callers.items():
        [answer] = ask(from_pod(pod, layout), [_call(address)])
        rows[node] = {"ok": answer.get("client") == pod["address"], "pod": pod["address"], **answer}
    return rows


def _to_outside(layout: Layout, callers: dict[str, Facts]) -> Facts:
    """From a pod on every node to a host outside, which must see the node: pods' addresses mean nothing there."""
    addresses = {n.name: n.address for n in NODES}
    rows: Facts = {}
    with _listening():
        for node, pod in callers.items():
            [answer] = ask(from_pod(pod, layout), [_call(CLIENT.address, OUTSIDE_PORT)])
            rows[node] = {"ok": answer.get("client") == addresses[node], **answer}
    return rows


@contextmanager
def _listening() -> Iterator[None]:
    argv = command([sys.executable, "-m", "lab.node.echo"], part="probe", namespace=CLIENT.namespace)
    process = subprocess.Popen(argv, env={**os.environ, "PORT": str(OUTSIDE_PORT)}, stderr=subprocess.DEVNULL)
    try:
        [answer] = ask(from_host(CLIENT), [_call(CLIENT.address, OUTSIDE_PORT)])
        if not answer["answered"]:
            raise LabError(f"the listener outside, {CLIENT.address}:{OUTSIDE_PORT}, does not answer: {answer['error']}")
        yield
    finally:
        process.terminate()
        process.wait()


def _addresses(cluster: Cluster, source: Source, node: Host) -> IPv4Network:
    if source == "node's router":
        return IPv4Network(cluster.request("GET", f"/api/v1/nodes/{node.name}")["spec"]["podCIDR"])
    return IPv4Network(node.address if source == "node" else CLIENT.address)


def _from_client(cluster: Cluster, spec: PlatformSpec) -> Facts:
    """From a client outside, sent to each node in turn, whichever of them announces the address."""
    rows: Facts = {}
    for node in NODES:
        neighbour = f"{ECHO_ADDRESS} dev eth0"
        run_ip(f"neigh replace {neighbour} lladdr {link_address(node)} nud permanent", namespace=CLIENT.namespace)
        try:
            [answer] = ask(from_host(CLIENT), [_call(ECHO_ADDRESS)])
        finally:
            run_ip(f"neigh del {neighbour}", namespace=CLIENT.namespace)
        wanted = source_at_pod(spec.cni, local=node == ECHO_NODE)  # type: ignore[arg-type]  # the lab's is Cilium
        ok = IPv4Address(answer.get("client") or 0) in _addresses(cluster, wanted, node)
        rows[node.name] = {"ok": ok, "wanted": wanted, **answer}
    return rows
