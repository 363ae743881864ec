"""Kernel values of the nodes, read over SSH with the host key verified."""

import datetime
from concurrent.futures import ThreadPoolExecutor

from components.nodes.model import NodeSpec
from components.nodes.preflight.verdict import accepted, findings, problems
from components.nodes.reading import read_fleet
from components.nodes.settings import readback
from components.nodes.settings.profiles import wanted
from components.nodes.settings.script import command as node_command
from components.nodes.settings.script import node_script
from components.stackfile.spec import PlatformSpec
from lab.asking import Facts, ssh
from lab.layout import Layout
from lab.processes import LabError


def preflight_facts(layout: Layout, spec: PlatformSpec) -> Facts:
    """Every check of every node, measured now, on the running platform."""
    fleet = read_fleet(
        spec.nodes,
        {node.name: node_script(node, spec.node_requirements) for node in spec.nodes},
        spec.node_requirements,
        spec.ssh,
        layout.ssh_key.read_text(),
        ask="all",
    )
    today = datetime.datetime.now(datetime.UTC).date()
    measured = findings(fleet.surveys, spec.nodes, spec.node_requirements)
    found = accepted(measured, spec.preflight.accept, today)
    rows: Facts = {node.name: {} for node in spec.nodes}
    for row in found:
        rows[row.node][row.check.id] = {"state": row.state, "measured": row.measured, "limit": row.limit}
    return {"ok": all(rows.values()) and not problems(found), **rows}


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


def _sysctls(layout: Layout, spec: PlatformSpec, node: NodeSpec) -> Facts:
    done = ssh(layout, str(node.address), node_command("check"), node_script(node, spec.node_requirements))
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
