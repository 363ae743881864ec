"""The data path as the agent says it, and the packet sizes that it carries."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

from components.cni.mtu import solve, trap
from components.spec import PlatformSpec
from lab import addons
from lab.asking import Facts, ask, from_pod
from lab.layout import NODES, Layout
from lab.node.start import inside_node
from lab.processes import LabError
from lab.toolchain.build import Tools


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
