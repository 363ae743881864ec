"""`vds doctor`: checks every node, the cluster and the gateway against the stack file."""

import datetime
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from components.core.names import PROJECT, child, token
from components.core.untrusted import json_value
from components.existing_cluster.checks import cluster_findings
from components.existing_cluster.reading import read_cluster
from components.kubeadm.upgrade.gate import version_question
from components.nodes.preflight import facts
from components.nodes.preflight.checks import WINDOW_SECONDS, Check
from components.nodes.preflight.verdict import CheckResult, State
from components.nodes.reading import read_fleet
from components.nodes.settings.script import node_script
from components.residency.asked import asked_findings
from vds.doctor.agents import examine_agents
from vds.doctor.backups import examine_backups
from vds.doctor.certificates import examine_certificates
from vds.doctor.diagnosis import NOT_ASKED, Diagnosis, diagnose, document_of
from vds.doctor.gateway import examine, examine_running
from vds.doctor.os_updates import examine_os_updates
from vds.doctor.versions import examine_versions
from vds.shared import pulumi
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, ConfigFile, StackName
from vds.shared.output import console, print_json
from vds.shared.stack import Opened, open_read_only, open_stack

PAUSE_SECONDS = 5
"""Between two readings of --watch."""


def doctor(
    stack: StackName,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat until interrupted.")] = False,
    as_json: AsJson = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Run `pulumi up` for the nodes that drifted, and for no others.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --fix: do not ask before the change.")] = False,
    disk: Annotated[
        bool, typer.Option("--disk", help="Measure the disk also where etcd does not run yet. Writes 22 MB.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Advice counts too: CPU steal, lost packets, a nearly full conntrack table."),
    ] = False,
    window: Annotated[
        float | None,
        typer.Option(
            min=WINDOW_SECONDS,
            max=600,
            help="Seconds during which CPU steal and dropped packets are counted. Default: the time since an earlier "
            "doctor or preview, or since the node's start.",
        ),
    ] = None,
    facts_file: Annotated[
        Path | None, typer.Option("--facts", help="Write the facts to this file. A preview can read it.")
    ] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(help="Ask only cluster and gateway, with this kubeconfig. Needs neither passphrase nor SSH key."),
    ] = None,
    config_file: ConfigFile = None,
) -> None:
    """Opens one SSH connection to each node, all at the same time. Changes nothing without --fix.

    Exit code 1: a node has drifted, fails a check or could not be checked, a certificate has expired, the backup of
    etcd does not run or its newest snapshot is older than two periods, updates of the operating system have not arrived
    for two days, a required reboot has missed two windows, a pod does not run, an agent of the CNI carries packets in
    another way than the stack file says, or the gateway does not answer; with --strict also if there is advice.
    Exit code 2: no node could be read. With --kubeconfig nodes and agents are not asked and don't count.
    """
    if watch and (fix or as_json or facts_file or disk):
        raise OperationError("--watch does not end: leave out --fix, --json, --facts and --disk")
    if yes and not fix:
        raise OperationError("--yes goes with --fix: without --fix nothing is changed")
    if kubeconfig and (fix or disk or facts_file):
        raise OperationError("--kubeconfig asks no node: leave out --fix, --disk and --facts")
    if facts_file:
        _refuse_unwritable(facts_file)
    if kubeconfig:
        opened = open_read_only(stack, kubeconfig, config_file=config_file)
    else:
        opened = open_stack(stack, config_file=config_file)
    if watch:
        _watch(opened, window or 0)
        return
    progress = console(stderr=True)
    with progress.status(f"reading {len(opened.spec.nodes)} nodes"):
        diagnosis, document = measure(opened, window_seconds=window or 0, measure_disk=disk)
    if facts_file:
        _write(facts_file, document)
        progress.print(f"facts: {facts_file}, sha256 {json_value(document)['sha256']}", soft_wrap=True)
    if as_json:
        print_json(document_of(diagnosis))
    else:
        console().print(table(diagnosis))
    if fix and diagnosis.to_fix:
        _fix(stack, diagnosis.to_fix, config_file, yes=yes, quiet=as_json)
        return
    good = diagnosis.nothing_fails and not (strict and diagnosis.advised)
    raise typer.Exit(2 if diagnosis.all_unread else 0 if good else 1)


def _refuse_unwritable(file: Path) -> None:
    """Before the nodes are read: the facts would be lost."""
    target = file.resolve()
    usable = target.is_file() or not target.exists()  # no folder, no /dev/stdout
    if not usable or not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        raise OperationError(f"--facts {file}: can't be written: name a file in a folder that you can write to")


def _write(file: Path, text: str) -> None:
    """Whole or not at all: a preview may be reading it."""
    target = file.resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(target)
    except OSError as error:
        raise OperationError(f"--facts {file}: can't be written ({error.strerror}): name another file") from None
    finally:
        beside.unlink(missing_ok=True)


def measure(opened: Opened, *, window_seconds: float, measure_disk: bool = False) -> tuple[Diagnosis, str]:
    """The diagnosis, and the text of its facts file."""
    spec = opened.spec
    fleet = read_fleet(
        spec.nodes,
        {node.name: node_script(node, spec.node_requirements) for node in spec.nodes},
        spec.node_requirements,
        spec.ssh,
        opened.ssh_private_key or None,
        ask="all",
        window_seconds=window_seconds,
        measure_disk=measure_disk,
        question=version_question(spec.bootstrap),
    )
    now = datetime.datetime.now(datetime.UTC)
    gateway = tuple(examine(spec, opened.admin, now))
    cluster = read_cluster(opened.admin) if opened.admin is not None else None
    found = diagnose(
        fleet,
        spec.nodes,
        spec.node_requirements,
        spec.preflight.accept,
        today=now.date(),
        more=[
            *asked_findings(fleet.surveys, spec.nodes, spec.declared_hosts, now.date()),
            *cluster_findings(cluster, spec.cluster_requirements),
        ],
    )
    document = facts.dump(
        fleet.surveys,
        environment=spec.environment,
        made_at=time.time(),
        cluster=cluster._asdict() if cluster and spec.bootstrap is None else None,
    )
    running = (
        *examine_running(spec, opened.admin),
        *examine_versions(spec.bootstrap, fleet.answers),
        *examine_agents(opened),
        *examine_certificates(opened),
        *examine_backups(opened),
        *examine_os_updates(opened),
    )
    return replace(found, running=running, gateway=gateway), document


def table(diagnosis: Diagnosis) -> Group:
    """The diagnosis for people."""
    rows = Table(box=None, pad_edge=False, show_header=False)
    for status in diagnosis.nodes:
        mark: State = "ok" if status.converged else "unknown" if status.verdict == NOT_ASKED else "fails"
        rows.add_row(MARKS[mark], status.node, escape(str(status)))
    for row in (*diagnosis.running, *diagnosis.gateway):
        remedy = f": {row.remedy}" if row.remedy else ""
        rows.add_row(MARKS[row.state], row.item, escape(f"{row.measured}{remedy}"))
    verdict = "[green]converged[/green]" if diagnosis.converged else "[red]not converged[/red]"
    if diagnosis.nothing_fails and not diagnosis.converged:
        verdict = "[yellow]nothing fails; the nodes were not asked[/yellow]"
    return Group(findings_table(diagnosis.findings), rows, verdict)


def _watch(opened: Opened, window_seconds: float) -> None:
    with Live(console=console(), auto_refresh=False) as live:
        while True:
            diagnosis, _ = measure(opened, window_seconds=window_seconds)
            now = datetime.datetime.now().strftime("%H:%M:%S")
            live.update(Group(f"{opened.name} at {now}, again after {PAUSE_SECONDS} s", table(diagnosis)), refresh=True)
            time.sleep(PAUSE_SECONDS)


def _fix(stack: str, nodes: Sequence[str], config_file: Path | None, *, yes: bool, quiet: bool = False) -> None:
    """Run `pulumi up` for the setup of these nodes and nothing else. Without `yes`, pulumi asks first.

    `quiet` keeps pulumi's output off standard output, which has the JSON document.
    """
    name = stack.split("/")[-1]  # a URN has no organisation
    targets = [
        f"urn:pulumi:{name}::{PROJECT}::{token('Node')}$command:remote:Command::{child(node, 'setup')}"
        for node in nodes
    ]
    words = pulumi.operation("up", stack, "--refresh", *(word for target in targets for word in ("--target", target)))
    words += ["--config-file", str(config_file)] if config_file else []
    words += ["--yes"] if yes else []
    pulumi.ask_and_run(*words, quiet=quiet)


MARKS: dict[State, str] = {
    "ok": "[green]✓[/green]",
    "fails": "[red]✗[/red]",
    "advice": "[yellow]![/yellow]",
    "unproved": "[dim]~[/dim]",
    "unknown": "[dim]?[/dim]",
    "accepted": "[yellow]~[/yellow]",
}
UNDECIDED = "[red]?[/red]"
LEGEND = "✓ good · ✗ fails · ! advice · ? not known; red: required, so it stops a run · ~ not known, and accepted"


def findings_table(found: Iterable[CheckResult]) -> Table:
    """A row for each check; nodes with the same answer share a line."""
    table = Table(box=None, pad_edge=False, show_header=True, header_style="bold", caption=LEGEND)
    table.caption_justify = "left"
    table.add_column("")
    table.add_column("check", max_width=26)
    table.add_column("measured, per node where they differ")
    rows: dict[Check, dict[tuple[State, str, str, str, bool], list[str]]] = {}
    everyone: dict[str, None] = {}
    for finding in found:
        if finding.node:
            everyone[finding.node] = None
        answers = rows.setdefault(finding.check, {})
        answer = (finding.state, finding.measured, finding.limit, finding.remedy, finding.undecided)
        answers.setdefault(answer, []).append(finding.node)
    for check, answers in rows.items():
        title = check.title
        for (state, measured, limit, remedy, undecided), nodes in answers.items():
            where = "" if nodes == [""] or len(nodes) == len(everyone) else f"{', '.join(nodes)}: "
            wanted = f" (limit {limit})" if limit else ""
            mark = UNDECIDED if undecided else MARKS[state]
            table.add_row(mark, title, escape(f"{where}{measured}{wanted}{f': {remedy}' if remedy else ''}"))
            title = ""
    return table
