"""Checks of the data path: the agent's own status, and the packet sizes that arrive."""

import json
from concurrent.futures import ThreadPoolExecutor

from components.network.mtu import solve, trap
from components.stackfile.spec import PlatformSpec
from lab.asking import Facts, ask, from_pod, ssh
from lab.layout import Layout
from lab.processes import LabError, wait_until
from lab.workloads import PROBE_NAMESPACE

# The agent's own command, in its container on the node, as an administrator would run it.
_STATUS = 'crictl exec "$(crictl ps --quiet --name cilium-agent | head -n 1)" cilium-dbg status --output json'
_AGENT_SECONDS = 120  # its images are on the node or a second away; a busy machine starts it late


def network_facts(layout: Layout, spec: PlatformSpec, there: list[Facts]) -> Facts:
    """The data path as every agent says it, and the pod MTU as DF pings between every pair of nodes find it."""
    with ThreadPoolExecutor(len(spec.nodes)) as pool:
        paths = list(pool.map(lambda node: agent_path(layout, str(node.address)), spec.nodes))
    probes = [p for p in there if p["namespace"] == PROBE_NAMESPACE and p["app"] == "probe"]
    solved = solve(spec.cni, spec.network.underlay_mtu)
    with ThreadPoolExecutor(len(probes) or 1) as pool:
        rows = list(pool.map(lambda p: _mtu_pairs(layout, p, probes, solved.pod), probes))
    pairs = {pair: found for row in rows for pair, found in row.items()}
    return {
        "ok": len(pairs) == len(spec.nodes) * (len(spec.nodes) - 1)
        and all(path == paths[0] for path in paths)
        and all(p["df_ping"] == p["route"] == solved.pod for p in pairs.values()),
        "cni": f"{spec.cni.kind} {getattr(spec.cni, 'version', '')}",
        "data_path": paths[0],
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


def agent_path(layout: Layout, address: str) -> Facts:
    """How one node's agent says that it carries packets.

    `pulumi up` ends before the agent of a node that has just joined again runs, so it is waited for.
    """
    path: Facts = {}

    def answered() -> bool:
        done = ssh(layout, address, _STATUS)
        if done.returncode:
            raise LabError(f"cilium-dbg status failed on {address}: {done.stderr.strip()}")
        try:
            status = json.loads(done.stdout)
            path["version"] = status["cilium"]["msg"].split(" ")[0]
            path["routing"] = status["routing"]
            path["load_balancing"] = status["kube-proxy-replacement"]["features"]["nodePort"]["mode"]
            path["kube_proxy_replacement"] = status["kube-proxy-replacement"]["mode"]
        except (KeyError, TypeError, ValueError) as error:  # an agent that starts does not know everything yet
            raise LabError(f"cilium-dbg status on {address} lacks {error}") from error
        return True

    wait_until(answered, _AGENT_SECONDS, lambda: f"the Cilium agent on {address} does not answer")
    return path
