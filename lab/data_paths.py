"""Test data paths on the wire: deploy each one and check what its model promises.

Tested: pod to pod with DF pings, pod to Service, pod to outside (masqueraded), and a client outside to a LoadBalancer
address through every node, with and without the pod, and whether the pod sees the client's address.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import yaml

from components.core.untrusted import yaml_value
from components.network.cilium.model import Source
from components.stackfile.parsing import parse
from components.stackfile.spec import PlatformSpec
from lab import fabric, workloads
from lab.asking import Facts, ask, from_host, from_pod, link_address, pods, service_address
from lab.cluster import Cluster, condition, rolled_out
from lab.deploy import Deployment
from lab.fabric import run_ip
from lab.layout import CHECKOUT, CLIENT, NODES, Host, Layout
from lab.processes import LabError, command, wait_until
from lab.proof.network import network_facts
from lab.toolchain.build import Tools
from lab.verify import images
from lab.workloads import PROBE_NAMESPACE

ECHO = "echo"
ECHO_NODE = NODES[1]
ECHO_ADDRESS = "192.0.2.219"  # of the lab's pool, asked for by name
OUTSIDE_PORT = 8099
_READY_SECONDS = 240
_ANSWER_SECONDS = 20

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
    content = yaml_value(deployment.config_file.read_text())
    path.write(content["config"]["vds-platform:spec"])
    spec = parse(content["config"]["vds-platform:spec"], base_dir=CHECKOUT)
    variant = layout.state / f"Pulumi.{path.name}.yaml"
    variant.write_text(yaml.safe_dump(content))
    fabric.set_mtu(path.underlay_mtu)
    outcome = deployment.run("up", config_file=variant)
    if outcome.exit_code:
        raise LabError(f"{path.name}: pulumi up failed:\n{outcome.diagnostics}")
    cluster = Cluster(layout.kubeconfig)
    agents_follow(cluster)
    for manifest in _echo(layout):
        cluster.apply(manifest)
    _make_anew(cluster, PROBE_NAMESPACE, least=len(NODES) + 1)
    there = pods(layout, cluster)
    network = network_facts(layout, spec, there)
    callers = {p["node"]: p for p in there if p["namespace"] == PROBE_NAMESPACE and p["app"] == "probe"}
    service = _to_service(cluster, layout, callers)
    outside = _to_outside(layout, tools, callers)
    clients = _from_client(cluster, spec)
    parts = (service, outside, clients)
    return {
        "ok": network["ok"] and all(row["ok"] for part in parts for row in part.values()),
        "network": network,
        "to_service": service,
        "to_outside": outside,
        "from_client": clients,
    }


def restore(layout: Layout, deployment: Deployment) -> None:
    """Put the lab's own data path back, and every pod onto it."""
    fabric.set_mtu(1500)
    cluster = Cluster(layout.kubeconfig)
    for manifest in _echo(layout):
        cluster.delete(manifest)
    outcome = deployment.run("up")
    if outcome.exit_code:
        raise LabError(f"pulumi up failed:\n{outcome.diagnostics}")
    agents_follow(cluster)
    of_nodes = {"kube-system", "metallb-system"}  # they use the nodes' network, or a restart would interrupt DNS
    for namespace in sorted({p["namespace"] for p in pods(layout, cluster)} - of_nodes):
        _make_anew(cluster, namespace)


def _echo(layout: Layout) -> Iterator[Facts]:
    yield from workloads.echo(ECHO, ECHO_NODE.name, ECHO_ADDRESS, images(layout))


def agents_follow(cluster: Cluster) -> None:
    """Wait until every node's agent runs with the configuration that the cluster has now.

    Raises:
        LabError: one is not in time.
    """
    path = "/apis/apps/v1/namespaces/kube-system/daemonsets/cilium"

    late = "Cilium's agents did not roll out; see `make status`"
    wait_until(lambda: rolled_out(cluster.request("GET", path)), _READY_SECONDS, lambda: late)


def _make_anew(cluster: Cluster, namespace: str, *, least: int = 0) -> None:
    """Every pod of a namespace is deleted and made again: a pod keeps the MTU that it was made with."""
    path = f"/api/v1/namespaces/{namespace}/pods"

    def found() -> list[Facts]:
        return list(cluster.request("GET", path)["items"])

    # A pod that is already ending has no successor.
    before = {pod["metadata"]["uid"]: pod for pod in found() if "deletionTimestamp" not in pod["metadata"]}
    for pod in before.values():
        cluster.delete({"apiVersion": "v1", "kind": "Pod", "metadata": pod["metadata"]})

    def ready() -> bool:
        now = found()
        good = sum(condition(pod, "Ready") == "True" for pod in now)
        return not set(before) & {pod["metadata"]["uid"] for pod in now} and len(now) == good >= max(least, len(before))

    wait_until(ready, _READY_SECONDS, lambda: f"the pods of {namespace} did not start again; see `make logs`")


def _call(host: str, port: int = 8080) -> Facts:
    return {"ask": "call", "host": host, "port": port, "within_seconds": _ANSWER_SECONDS}


def _to_service(cluster: Cluster, layout: Layout, callers: dict[str, Facts]) -> Facts:
    """From a pod on every node to the Service's cluster address: the pod behind it sees the pod that asks."""
    address = service_address(cluster, PROBE_NAMESPACE, ECHO)
    rows: Facts = {}
    for node, pod in callers.items():
        [answer] = ask(from_pod(pod, layout), [_call(address)])
        rows[node] = {"ok": answer.get("client") == pod["address"], "pod": pod["address"], **answer}
    return rows


def _to_outside(layout: Layout, tools: Tools, callers: dict[str, Facts]) -> Facts:
    """From a pod on every node to a host outside, which must see the node: pods' addresses mean nothing there."""
    addresses = {n.name: n.address for n in NODES}
    rows: Facts = {}
    with _listening(tools):
        for node, pod in callers.items():
            [answer] = ask(from_pod(pod, layout), [_call(CLIENT.address, OUTSIDE_PORT)])
            rows[node] = {"ok": answer.get("client") == addresses[node], **answer}
    return rows


@contextmanager
def _listening(tools: Tools) -> Iterator[None]:
    listen = [str(tools.path("agnhost")), "netexec", f"--http-port={OUTSIDE_PORT}", "--udp-port=-1"]
    argv = command(listen, part="probe", namespace=CLIENT.namespace)
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
        wanted = spec.cni.source_at_pod(local=node == ECHO_NODE)  # type: ignore[union-attr]  # the lab's is Cilium
        ok = IPv4Address(answer.get("client") or 0) in _addresses(cluster, wanted, node)
        rows[node.name] = {"ok": ok, "wanted": wanted, **answer}
    return rows
