"""Prove the platform from outside, on the wire, and say what was seen.

Nothing here repeats what the program says of itself: sysctls come from the nodes' kernels over SSH, MTUs from DF pings,
the split from the answers that a client got.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import yaml

from components import labels
from components.cni.mtu import solve, trap
from components.config import PlatformSpec, parse
from components.nodes import readback
from components.nodes.live import read_fleet
from components.nodes.model import NodeSpec
from components.nodes.profiles import wanted
from components.nodes.scripts import command as node_command
from components.nodes.scripts import node_script
from components.nodes.verdict import findings, problems
from lab import addons
from lab.cluster import Cluster
from lab.fabric import run_ip
from lab.layout import CHECKOUT, CLIENT, NODES, OPERATOR, Host, Layout
from lab.node.start import inside_node
from lab.processes import LabError, command, wait_until
from lab.toolchain.build import Tools

REQUESTS = 1000
# A true 90/10 split is called inconsistent once in a thousand runs; 80/20 practically always at 1,000 requests.
SIGNIFICANCE = 0.001
_PODS_SECONDS = 60
_WARM_UP_REQUESTS = 100  # one in ten reaches the canary: a hundred miss it once in 40,000 tries

Facts = dict[str, Any]


def load_spec() -> PlatformSpec:
    """The lab's stack file as the program reads it."""
    content = yaml.safe_load((CHECKOUT / "Pulumi.lab.yaml").read_text())
    return parse(content["config"]["vds-platform:spec"], base_dir=CHECKOUT)


def ask(argv: list[str], questions: list[Facts], timeout_seconds: float = 120) -> list[Any]:
    """Answers of `lab.probe`, run by `argv` where the questions are to be asked from."""
    done = subprocess.run(argv, input=json.dumps(questions), capture_output=True, text=True, timeout=timeout_seconds)
    if done.returncode:
        raise LabError(f"the probe failed: {done.stderr.strip()}")
    return list(json.loads(done.stdout))


def from_host(host: Host) -> list[str]:
    """How to run the probe on a host of the fabric."""
    return command([sys.executable, "-m", "lab.probe"], part="probe", namespace=host.namespace)


def from_pod(pod: Facts, layout: Layout) -> list[str]:
    """How to run the probe in a pod's network, and in its node's cgroup, where Cilium's socket hooks are."""
    node = next(n for n in NODES if n.name == pod["node"])
    there = ["nsenter", f"--target={pod['pid']}", "--net", "--uts", sys.executable, "-m", "lab.probe"]
    return command(inside_node(node, layout, there), part=f"{node.name}/probe")


def pods(layout: Layout) -> list[Facts]:
    """Every pod of the lab that has an address of its own, as its supervisor recorded it."""
    addresses = {n.address for n in NODES}
    found = [json.loads(f.read_text()) for n in NODES for f in sorted(layout.node(n.name).glob("pods/*/pod.json"))]
    return [p for p in found if p["address"] not in addresses]


def deploy_workloads(cluster: Cluster, spec: PlatformSpec) -> None:
    """The agency's own deployment, after the tenant exists; waits until it and every node's probe are ready.

    Raises:
        LabError: a pod is not ready in time; the text names it.
    """
    tenant = spec.tenants[0].name
    for manifest in addons.workloads(tenant, labels.TIER):
        cluster.apply(manifest)

    def waiting() -> list[str]:
        listed = cluster.request("GET", f"/apis/apps/v1/namespaces/{tenant}/deployments")["items"]
        late = [d["metadata"]["name"] for d in listed if not (d.get("status") or {}).get("readyReplicas")]
        # One probe a node: the gateway may serve before the slowest node's agent is up.
        probes = cluster.request("GET", f"/apis/apps/v1/namespaces/{addons.PROBE_NAMESPACE}/daemonsets/probe")
        ready = (probes.get("status") or {}).get("numberReady", 0)
        return late + ([f"probes on {len(NODES) - ready} nodes"] if ready < len(NODES) else [])

    wait_until(lambda: not waiting(), _PODS_SECONDS, lambda: f"not ready: {', '.join(waiting())}; see `make logs`")


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
    with ThreadPoolExecutor(len(parts)) as pool:
        return dict(zip(parts, pool.map(lambda part: part(), parts.values()), strict=True))


# --- nodes -------------------------------------------------------------------------------------------------


def node_facts(layout: Layout, spec: PlatformSpec) -> Facts:
    """Each node's live sysctls against the wanted ones, read over SSH with the host key verified."""
    with ThreadPoolExecutor(len(spec.nodes)) as pool:
        rows = dict(
            zip(
                (n.name for n in spec.nodes),
                pool.map(lambda n: _sysctls(layout, spec, n), spec.nodes),
                strict=True,
            )
        )
    return {"ok": all(r["converged"] for r in rows.values()), **rows}


def preflight_facts(layout: Layout, spec: PlatformSpec) -> Facts:
    """Every check of every node, measured now, on the running platform."""
    fleet = read_fleet(
        spec.nodes,
        {node.name: node_script(node, spec.demands) for node in spec.nodes},
        spec.demands,
        spec.ssh,
        layout.ssh_key.read_text(),
        ask="all",
        measure_disk=True,
    )
    found = findings(fleet.surveys, spec.nodes, spec.demands)
    rows: Facts = {node.name: {} for node in spec.nodes}
    for row in found:
        rows[row.node][row.check] = {"state": row.state, "measured": row.measured, "limit": row.limit}
    return {"ok": all(rows.values()) and not problems(found), **rows}


def ssh(layout: Layout, address: str, remote: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command on a node as its administrator does: from the operator's laptop, host key verified."""
    options = {
        "UserKnownHostsFile": layout.known_hosts,
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": 5,
    }
    words = [w for key, value in options.items() for w in ("-o", f"{key}={value}")]
    argv = ["ssh", "-F", "none", "-i", str(layout.ssh_key), *words, f"root@{address}", remote]
    return subprocess.run(
        command(argv, part="probe", namespace=OPERATOR.namespace),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


def _sysctls(layout: Layout, spec: PlatformSpec, node: NodeSpec) -> Facts:
    done = ssh(layout, str(node.address), node_command("check"), node_script(node, spec.demands))
    if done.returncode:
        raise LabError(f"node {node.name} could not be read over SSH: {done.stderr.strip()}")
    seen = readback.parse(done.stdout)
    return {
        "converged": seen.verdict == "converged",
        "verdict": seen.verdict,
        "drifted": list(seen.drifted),
        "wanted": len(wanted(node)),
        "sysctls": {s.key: {"wanted": s.wanted, "live": s.live, "state": s.state} for s in seen.settings},
    }


# --- network -----------------------------------------------------------------------------------------------


def network_facts(layout: Layout, tools: Tools, spec: PlatformSpec, there: list[Facts]) -> Facts:
    """The data path as the agent says it, and the pod MTU as DF pings between every pair of nodes find it."""
    status = json.loads(_cilium(layout, tools, "status", "-o", "json"))
    probes = [p for p in there if p["namespace"] == addons.PROBE_NAMESPACE]
    solved = solve(spec.cni, spec.network.underlay_mtu)
    with ThreadPoolExecutor(len(probes) or 1) as pool:
        rows = list(pool.map(lambda p: _mtu_pairs(layout, p, probes, solved.pod), probes))
    pairs = {pair: found for row in rows for pair, found in row.items()}
    return {
        "ok": len(pairs) == len(NODES) * (len(NODES) - 1)
        and all(p["df_ping"] == p["route"] == solved.pod for p in pairs.values()),
        "cni": f"cilium {tools.version('cilium-agent')}",
        "data_path": {
            "routing": status["routing"],
            "load_balancing": status["kube-proxy-replacement"]["features"]["nodePort"]["mode"],
            "kube_proxy_replacement": status["kube-proxy-replacement"]["mode"],
        },
        "pod_mtu_configured": solved.pod,
        "arithmetic": solved.arithmetic,
        "pairs": pairs,
    }


def _mtu_pairs(layout: Layout, source: Facts, probes: list[Facts], expected: int) -> Facts:
    targets = [p for p in probes if p["node"] != source["node"]]
    questions: list[Facts] = []
    for target in targets:
        questions += [{"ask": "path_mtu", "host": target["address"], "expected": expected}]
        questions += [{"ask": "route_mtu", "host": target["address"]}]
    answers = ask(from_pod(source, layout), questions)
    return {
        f"{source['node']} → {target['node']}": {
            "df_ping": answers[2 * i],
            "route": answers[2 * i + 1],
            "trap": trap(answers[2 * i + 1], answers[2 * i]),
        }
        for i, target in enumerate(targets)
    }


def _cilium(layout: Layout, tools: Tools, *arguments: str) -> str:
    done = subprocess.run(
        inside_node(NODES[0], layout, [str(tools.path("cilium-dbg")), *arguments]),
        capture_output=True,
        text=True,
        timeout=30,
    )
    if done.returncode:
        raise LabError(f"cilium-dbg {arguments[0]} failed on {NODES[0].name}: {done.stderr.strip()}")
    return done.stdout


# --- tenant ------------------------------------------------------------------------------------------------


def tenant_facts(layout: Layout, cluster: Cluster, spec: PlatformSpec, there: list[Facts]) -> Facts:
    """Every call between two tiers of the first tenant, against what its tiers' `allowFrom` says."""
    tenant = spec.tenants[0]
    by_app = {p["app"]: p for p in there if p["namespace"] == tenant.name}
    tiers = {t.name: t for t in tenant.tiers}
    entry = {name: by_app.get(name) or by_app[f"{name}-stable"] for name in tiers}
    addresses = {name: service_address(cluster, tenant.name, entry[name]["app"]) for name in tiers}
    calls: Facts = {}
    with ThreadPoolExecutor(len(tiers)) as pool:
        asked = pool.map(lambda name: _tier_calls(layout, entry[name], name, tiers, addresses), tiers)
        for rows in asked:
            calls |= rows
    return {
        "ok": all(c["answered"] == c["allowed"] for c in calls.values()),
        "tenant": tenant.name,
        "calls": calls,
    }


def _tier_calls(layout: Layout, pod: Facts, source: str, tiers: Facts, addresses: dict[str, str]) -> Facts:
    targets = [name for name in tiers if name != source]
    # What is allowed may need another try on a busy machine; what is forbidden must not get through even once.
    seconds = {t: 10 if source in tiers[t].allow_from else 0 for t in targets}
    questions = [
        {"ask": "call", "host": addresses[t], "port": tiers[t].port, "within_seconds": seconds[t]} for t in targets
    ]
    rows: Facts = {}
    for target, answer in zip(targets, ask(from_pod(pod, layout), questions), strict=True):
        rows[f"{source} → {target}"] = {"allowed": source in tiers[target].allow_from, **answer}
    return rows


def service_address(cluster: Cluster, namespace: str, name: str) -> str:
    """A Service's cluster address."""
    return str(cluster.request("GET", f"/api/v1/namespaces/{namespace}/services/{name}")["spec"]["clusterIP"])


# --- gateway -----------------------------------------------------------------------------------------------


def gateway_address(cluster: Cluster, spec: PlatformSpec) -> str:
    """The address that MetalLB gave, as the Gateway shows it."""
    gateway = spec.gateway
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{gateway.namespace}/gateways/{gateway.name}"

    def addresses() -> list[Facts]:
        return list((cluster.request("GET", path).get("status") or {}).get("addresses") or [])

    # There at the first `up`, which waits for it; a data plane that starts again takes it out for a moment.
    missing = f"gateway {gateway.namespace}/{gateway.name} has no address; see `make status` and `make logs`"
    wait_until(lambda: bool(addresses()), _PODS_SECONDS, lambda: missing)
    return str(addresses()[0]["value"])


def gateway_facts(spec: PlatformSpec, address: str) -> Facts:
    """The split that a client outside gets, who answered its ARP, and what the backend saw."""
    route = spec.gateway.routes[0]
    port = spec.gateway.listeners[0].port
    run_ip("neigh flush dev eth0", namespace=CLIENT.namespace)
    question = {"ask": "split", "host": address, "port": port, "path": f"{route.path_prefix}/items"}
    weights = {"stable": route.stable.weight, "canary": route.canary.weight if route.canary else 0}
    weighted = {track for track, weight in weights.items() if weight}
    answer = _until_served(question | {"hostname": route.hostname}, weighted)
    counts = answer["counts"]
    share = weights["canary"] / sum(weights.values())
    p_value = binomial_p(counts.get("canary", 0), sum(counts.values()), share)
    wanted = dict(route.add_headers)
    seen = {name: value for name, value in answer["backend_headers"].items() if name in wanted}
    return {
        "ok": sum(counts.values()) == REQUESTS and p_value > SIGNIFICANCE and seen == wanted,
        "address": address,
        "arp_answered_by": _arp_node(address),
        "requests": REQUESTS,
        "counts": counts,
        "failures": answer["failures"],
        "weights": weights,
        "binomial_p": round(p_value, 4),
        "backend_saw": seen,
        "seconds": answer["seconds"],
    }


def _until_served(question: Facts, tracks: set[str]) -> Facts:
    """The measured answers, asked once the gateway has learnt of every backend: it hears of them one by one."""

    def served() -> bool:
        first = ask(from_host(CLIENT), [question | {"requests": _WARM_UP_REQUESTS}])[0]
        return not first["failures"] and set(first["counts"]) == tracks

    wait_until(served, _PODS_SECONDS, lambda: f"{question['host']} does not reach all of {tracks}; see `make logs`")
    return dict(ask(from_host(CLIENT), [question | {"requests": REQUESTS}])[0])


def _arp_node(address: str) -> str:
    shown = subprocess.run(
        ["ip", "-n", CLIENT.namespace, "-j", "neigh", "show", address],
        capture_output=True,
        text=True,
        check=True,
    )
    entries = json.loads(shown.stdout or "[]")
    seen = entries[0].get("lladdr") if entries else None
    return next((node.name for node in NODES if link_address(node) == seen), f"nobody known ({seen})")


def link_address(host: Host) -> str:
    """The hardware address of a host's link."""
    shown = subprocess.run(
        ["ip", "-n", host.namespace, "-j", "link", "show", "eth0"], capture_output=True, text=True, check=True
    )
    return str(json.loads(shown.stdout)[0]["address"])


def binomial_p(successes: int, trials: int, probability: float) -> float:
    """Two-sided exact binomial test: the chance of an outcome no more likely than the one seen."""
    if not trials:
        return 0.0
    if probability in (0, 1):
        return float(successes == trials * probability)
    logs = [
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(probability)
        + (trials - k) * math.log1p(-probability)
        for k in range(trials + 1)
    ]
    limit = logs[successes] + 1e-7  # rounding must not drop outcomes that are equally likely
    return min(1.0, math.fsum(math.exp(value) for value in logs if value <= limit))
