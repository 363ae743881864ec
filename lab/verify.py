"""Test the platform from outside and report the results.

Nothing is taken from the program itself: sysctls come from the nodes' kernels over SSH, MTUs from DF pings, and the
canary's share from the answers that a client got.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from components.core.untrusted import yaml_value
from components.stackfile.parsing import parse
from components.stackfile.spec import PlatformSpec
from lab import stack_file, workloads
from lab.asking import Facts, pods
from lab.cluster import Cluster, rolled_out
from lab.layout import CHECKOUT, REGISTRY_NAME, Layout
from lab.processes import wait_until
from lab.proof.gateway import gateway_address, gateway_facts
from lab.proof.network import network_facts
from lab.proof.nodes import node_facts, preflight_facts
from lab.proof.tenant import tenant_facts
from lab.tenants import settings

_PROBES = f"{workloads.PROBE_NAMESPACE}/probe"
_PODS_SECONDS = 180  # a pod that could not start at once is tried again after up to 20 s


def load_spec(layout: Layout, file: Path | None = None) -> PlatformSpec:
    """The lab's stack file, with what the lab has filled in, or another file of it, as the program reads it."""
    content = yaml_value(file.read_text() if file else stack_file.filled(layout))
    return parse(content["config"][stack_file.SPEC], base_dir=CHECKOUT)


def images(layout: Layout) -> dict[str, str]:
    """The lab's images by their path in the registry, each by its digest."""
    pins = json.loads(layout.supplies.read_text())["images"]
    return {name: f"{REGISTRY_NAME}/{name}@{digest}" for name, digest in pins.items()}


def deploy_probes(layout: Layout, cluster: Cluster) -> None:
    """A pod on every node that this module asks from. Does not wait for it."""
    for manifest in workloads.probes(images(layout)):
        cluster.apply(manifest)


def wait_for_workloads(cluster: Cluster, spec: PlatformSpec) -> None:
    """Wait until every Deployment and DaemonSet of the cluster is rolled out, with a probe on every node.

    Raises:
        LabError: a pod is not ready in time; the text names it.
    """
    waiting = ["every pod"]

    def is_ready() -> bool:
        listed: list[Facts] = []
        for kind in ("deployments", "daemonsets"):
            listed += cluster.request("GET", f"/apis/apps/v1/{kind}")["items"]
        waiting[:] = [_name(item) for item in listed if not rolled_out(item)]
        # One probe for each node, because the gateway may answer before the slowest node's agent is ready.
        probes = [(item.get("status") or {}).get("numberReady") for item in listed if _name(item) == _PROBES]
        if probes != [len(spec.nodes)]:
            waiting.append(f"{_PROBES} on each of {len(spec.nodes)} nodes")
        return not waiting

    wait_until(is_ready, _PODS_SECONDS, lambda: f"not ready: {', '.join(waiting)}; see `make logs`")


def _name(item: Facts) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def verify(layout: Layout, spec: PlatformSpec) -> Facts:
    """Everything that can be seen from outside, with a verdict for each part under `ok`.

    Raises:
        LabError: the tenants are not there, or a pod is not ready in time; the text names it.
    """
    cluster = Cluster(layout.kubeconfig)
    deploy_probes(layout, cluster)
    wait_for_workloads(cluster, spec)
    wanted = settings.wanted(layout)
    there = pods(layout, cluster)
    address = gateway_address(cluster, spec)
    parts: dict[str, Callable[[], Facts]] = {
        "preflight": lambda: preflight_facts(layout, spec),
        "nodes": lambda: node_facts(layout, spec),
        "network": lambda: network_facts(layout, spec, there),
        "tenant": lambda: tenant_facts(layout, cluster, wanted.apps, there),
        "gateway": lambda: gateway_facts(layout, spec, address, wanted.route),
    }
    pool = ThreadPoolExecutor(len(parts))
    try:
        return dict(zip(parts, pool.map(lambda part: part(), parts.values()), strict=True))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # after a failure or SIGTERM, do not wait for the others
