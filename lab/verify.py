"""Prove the platform from outside, on the wire, and say what was seen.

Nothing here repeats what the program says of itself: sysctls come from the nodes' kernels over SSH, MTUs from DF pings,
the split from the answers that a client got.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import yaml

from components import labels
from components.parsing import parse
from components.spec import PlatformSpec
from lab import addons
from lab.asking import Facts, pods
from lab.cluster import Cluster
from lab.layout import CHECKOUT, NODES, Layout
from lab.processes import wait_until
from lab.proof.gateway import gateway_address, gateway_facts
from lab.proof.network import network_facts
from lab.proof.nodes import node_facts, preflight_facts
from lab.proof.tenant import tenant_facts
from lab.toolchain.build import Tools

_PODS_SECONDS = 180  # a pod that could not start at once is tried again after up to 20 s


def load_spec() -> PlatformSpec:
    """The lab's stack file as the program reads it."""
    content = yaml.safe_load((CHECKOUT / "Pulumi.lab.yaml").read_text())
    return parse(content["config"]["vds-platform:spec"], base_dir=CHECKOUT)


def deploy_workloads(cluster: Cluster, spec: PlatformSpec) -> None:
    """The agency's own deployment, after the tenant exists; waits until it and every node's probe are ready.

    Raises:
        LabError: a pod is not ready in time; the text names it.
    """
    for manifest in addons.workloads(spec.tenants[0].name, labels.TIER):
        cluster.apply(manifest)
    wait_for_workloads(cluster, spec)


def wait_for_workloads(cluster: Cluster, spec: PlatformSpec) -> None:
    """Wait until the agency's deployment and every node's probe are ready.

    Raises:
        LabError: a pod is not ready in time; the text names it.
    """
    tenant = spec.tenants[0].name

    waiting = ["every pod"]

    def is_ready() -> bool:
        listed = cluster.request("GET", f"/apis/apps/v1/namespaces/{tenant}/deployments")["items"]
        late = [d["metadata"]["name"] for d in listed if not (d.get("status") or {}).get("readyReplicas")]
        # One probe a node: the gateway may serve before the slowest node's agent is up.
        probes = cluster.request("GET", f"/apis/apps/v1/namespaces/{addons.PROBE_NAMESPACE}/daemonsets/probe")
        ready = (probes.get("status") or {}).get("numberReady", 0)
        waiting[:] = late + ([f"probes on {len(NODES) - ready} nodes"] if ready < len(NODES) else [])
        return not waiting

    wait_until(is_ready, _PODS_SECONDS, lambda: f"not ready: {', '.join(waiting)}; see `make logs`")


def verify(layout: Layout, tools: Tools, spec: PlatformSpec) -> Facts:
    """Everything that can be seen from outside, with a verdict for each part under `ok`."""
    cluster = Cluster(layout.kubeconfig)
    deploy_workloads(cluster, spec)
    there = pods(layout)
    address = gateway_address(cluster, spec)
    parts: dict[str, Callable[[], Facts]] = {
        "preflight": lambda: preflight_facts(layout, spec),
        "nodes": lambda: node_facts(layout, spec),
        "network": lambda: network_facts(layout, tools, spec, there),
        "tenant": lambda: tenant_facts(layout, cluster, spec, there),
        "gateway": lambda: gateway_facts(spec, address),
    }
    pool = ThreadPoolExecutor(len(parts))
    try:
        return dict(zip(parts, pool.map(lambda part: part(), parts.values()), strict=True))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # one that fails, or SIGTERM, is not kept waiting by the others
