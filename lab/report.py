"""Results of `make up`, as `.lab/report.json` and on the screen."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from components.nodes.preflight.checks import CHECKS
from components.nodes.preflight.verdict import CheckResult
from lab.deploy import Outcome
from lab.layout import Layout
from lab.plugins import Plugin
from lab.toolchain.build import Tools
from vds.doctor.command import findings_table

Facts = dict[str, Any]
_NOT_RUN = (
    "cert-manager: its programs are in no package registry, so the lab's own authority signs the certificates",
    "Envoy (l7Proxy, Cilium's own Gateway) and Hubble's relay: their images can't be built from packages",
)


def gather(
    facts: dict[str, Any],
    outcomes: Sequence[Outcome],
    plugins: dict[str, Plugin],
    tools: Tools,
    seconds: dict[str, float],
) -> Facts:
    """Everything that a run saw, and whether all of it is well.

    `outcomes`: of the environment's update, and of the agency's. `seconds`: how long each step took.
    """
    outcome = outcomes[0]
    mandatory = [v for v in outcome.violations if v["level"] == "mandatory"]
    policies = {
        "ok": bool(outcome.policy_packs) and not mandatory,
        "packs": outcome.policy_packs,
        "passed": sorted(outcome.policies_passed - {v["policy"] for v in outcome.violations}),
        "violations": outcome.violations,
    }
    stand_ins = [f"{p.binary}: this project's own stand-in" for p in plugins.values() if p.stand_in]
    return {
        "ok": policies["ok"] and all(part["ok"] for part in facts.values()),
        "engine": {"version": tools.version("pulumi"), "origin": tools.origin("pulumi")},
        "plugins": [
            {"name": p.binary, "version": p.version, "origin": "stand-in" if p.stand_in else "official"}
            for p in plugins.values()
        ],
        "pulumi": {
            "changes": outcome.changes,
            "agency": outcomes[1].changes,
            "unchanged": all(one.unchanged for one in outcomes),
        },
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        **facts,
        "policies": policies,
        "stands_in": stand_ins,
        "not_run": list(_NOT_RUN),
    }


def write(layout: Layout, report: Facts) -> None:
    """Write the report, whole or not at all."""
    draft = layout.report.with_suffix(".new")
    draft.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    draft.replace(layout.report)


def show(console: Console, report: Facts) -> None:
    """The report for a reader at a terminal."""
    rows = [*_deployment_rows(report), *_fact_rows(report)]
    rows.append(("seconds", ", ".join(f"{name} {value:.1f}" for name, value in report["seconds"].items())))
    rows.append(("stands in", "; ".join(report["stands_in"]) or "nothing"))
    rows.append(("did not run", "; ".join(report["not_run"])))
    _print(console, rows)
    console.print(preflight_table(report["preflight"]))
    console.print(sysctl_table(report["nodes"]))
    verdict = "[green]the platform runs[/green]" if report["ok"] else "[red]not proved: see the lines marked ✗[/red]"
    console.print(verdict)


def show_facts(console: Console, facts: Facts) -> None:
    """What `make verify` saw, without a deployment."""
    _print(console, _fact_rows(facts))
    console.print(preflight_table(facts["preflight"]))
    console.print(sysctl_table(facts["nodes"]))


def preflight_table(preflight: Facts) -> Table:
    """Every check of every node with what was measured."""
    by_id = {check.id: check for check in CHECKS}
    rows = ((node, checks) for node, checks in preflight.items() if node != "ok")
    return findings_table(
        CheckResult(node=node, check=by_id[name], **row) for node, checks in rows for name, row in checks.items()
    )


def sysctl_table(nodes: Facts) -> Table:
    """Live values against the wanted ones, a row a setting and a column a node."""
    names = [name for name in nodes if name != "ok"]
    table = Table(Column("sysctl, live value", no_wrap=True), *names, box=None, pad_edge=False, header_style="bold")
    table.caption = "✓ live as wanted · – not visible · (wanted) of what is the machine's own and left alone"
    table.caption_justify = "left"
    for key in sorted({key for name in names for key in nodes[name]["sysctls"]}):
        table.add_row(key, *(_cell(nodes[name]["sysctls"].get(key)) for name in names))
    return table


def data_paths_table(proved: Facts) -> Table:
    """A row a data path: the MTU that was found, and whose address the pod saw through which node."""
    table = Table("", "data path", "pod MTU", "client's address, through each node", box=None, pad_edge=False)
    for name, facts in proved.items():
        found = sorted({pair["df_ping"] for pair in facts["network"]["pairs"].values()})
        mtu = f"{facts['network']['arithmetic']}, found {', '.join(map(str, found)) or 'none'}"
        seen = ", ".join(f"{node} {row.get('client') or 'no answer'}" for node, row in facts["from_client"].items())
        table.add_row(_mark(facts), name, mtu, seen)
    return table


def _cell(setting: dict[str, str] | None) -> str:
    if setting is None:
        return "[dim]·[/dim]"
    if setting["state"] in ("applied", "raised-already"):
        return f"{setting['live']} [green]✓[/green]"
    if setting["state"] in ("host-wide-left-alone", "not-visible"):  # not possible in a namespace; possible on a server
        return f"[dim]{setting['live'] or '–'} ({setting['wanted']})[/dim]"
    return f"[red]{setting['live']} ✗ wanted {setting['wanted']}[/red]"


def _print(console: Console, rows: list[tuple[str, str]]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, text in rows:
        table.add_row(name, text)
    console.print(table)


def _mark(part: Facts) -> str:
    return "[green]✓[/green]" if part["ok"] else "[red]✗[/red]"


def _deployment_rows(report: Facts) -> list[tuple[str, str]]:
    engine, changes = report["engine"], report["pulumi"]["changes"]
    rows = [("engine", f"pulumi {engine['version']} ({engine['origin']})")]
    rows += [("plugin", f"{p['name']} {p['version']} ({p['origin']})") for p in report["plugins"]]
    for name, counted in (("resources", changes), ("of an agency", report["pulumi"]["agency"])):
        rows.append((name, ", ".join(f"{count} {change}" for change, count in sorted(counted.items()))))
    packs = ", ".join(f"{name} {version}" for name, version in report["policies"]["packs"].items())
    violations = report["policies"]["violations"]
    found = f"{len(violations)} violations" if violations else "no violation"
    kept = len(report["policies"]["passed"])
    rows.append((f"{_mark(report['policies'])} policies", f"{packs or 'no pack ran'}: {kept} policies kept, {found}"))
    rows += [("", f"{v['level']} {v['policy']}: {v['message']}") for v in violations]
    return rows


def _fact_rows(facts: Facts) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    nodes, network, tenant, gateway = (facts[part] for part in ("nodes", "network", "tenant", "gateway"))
    for name, node in ((n, f) for n, f in nodes.items() if n != "ok"):
        states: dict[str, int] = {}
        for setting in node["sysctls"].values():
            states[setting["state"]] = states.get(setting["state"], 0) + 1
        text = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        rows.append((f"{_mark({'ok': node['converged']})} {name}", f"sysctls: {text} ({node['verdict']})"))
    pings = sorted({pair["df_ping"] for pair in network["pairs"].values()})
    rows.append((f"{_mark(network)} network", f"{network['cni']}, {_data_path(network['data_path'])}"))
    rows.append(("", f"pod MTU {network['pod_mtu_configured']} ({network['arithmetic']}), DF pings found {pings}"))
    allowed = [pair for pair, call in tenant["calls"].items() if call["answered"]]
    refused = [pair for pair, call in tenant["calls"].items() if not call["answered"]]
    rows.append((f"{_mark(tenant)} tenant", f"{tenant['tenant']}: answered {', '.join(allowed) or 'nothing'}"))
    rows.append(("", f"not let through: {', '.join(refused) or 'nothing'}"))
    resolved = [name for name, row in tenant["names"].items() if row["ok"]]
    rows.append(("", f"CoreDNS resolved {len(resolved)} of {len(tenant['names'])} names from a pod"))
    split = ", ".join(f"{count} {name}" for name, count in sorted(gateway["counts"].items(), reverse=True))
    rows.append((f"{_mark(gateway)} gateway", f"{gateway['address']}, ARP answered by {gateway['arp_answered_by']}"))
    rows.append(("", f"TLS for {gateway['tls']}"))
    for name, row in gateway["redirects"].items():
        rows.append(("", f"listener {name}: {row['status']} to {row['location']}"))
    rows.append(("", f"{gateway['requests']} requests: {split} (binomial p = {gateway['binomial_p']})"))
    rows.append(("", f"client's address at the backend: {gateway['client_seen'] or 'none'}"))
    rows.append(("", "backend saw " + ", ".join(f"{k}: {v}" for k, v in gateway["backend_saw"].items())))
    return rows


def _data_path(path: Facts) -> str:
    routing = path["routing"]
    words = [routing["inter-host-routing-mode"].lower(), routing.get("tunnel-protocol", "")]
    words += [f"{path['load_balancing']} load balancing", f"kube-proxy replacement {path['kube_proxy_replacement']}"]
    return ", ".join(word for word in words if word)
