"""`vds doctor`: how every node and the gateway stand against the stack file, measured now."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from components.core.names import PROJECT, child, token
from components.nodes.preflight import facts
from components.nodes.reading import read_fleet
from components.nodes.settings.script import node_script
from vds.doctor.diagnosis import Diagnosis, as_json, diagnose
from vds.doctor.gateway import examine
from vds.shared.errors import OperationError
from vds.shared.findings_table import MARKS, findings_table
from vds.shared.stack import Opened, open_stack

StackName = Annotated[str, typer.Option("--stack", "-s", help="The stack, as `pulumi stack ls` names it.")]
ConfigFile = Annotated[Path | None, typer.Option(help="Stands for Pulumi.<stack>.yaml.")]


def doctor(
    stack: StackName,
    *,
    watch: Annotated[bool, typer.Option(help="Look again until interrupted.")] = False,
    as_json_document: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    fix: Annotated[
        bool, typer.Option(help="Put nodes that are not converged right: pulumi up for them alone.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --fix: do not ask before changing anything.")] = False,
    disk: Annotated[bool, typer.Option(help="Measure etcd's disk too, where no etcd runs: writes 22 MB.")] = False,
    window: Annotated[float, typer.Option(min=0.5, max=60, help="Seconds over which steal and drops are counted.")] = 2,
    facts_file: Annotated[Path | None, typer.Option("--facts", help="Write what was seen, for previews.")] = None,
    config_file: ConfigFile = None,
) -> None:
    """Drift, fitness and reachability of a stack's nodes and gateway; one connection a node, all at once.

    Ends with 0 if everything is converged and fit, with 1 if not (or if the gateway could not be asked), with 2 if it
    could not look at a single node.
    """
    if watch and (fix or as_json_document or facts_file or disk):
        raise OperationError("--watch goes on and on: leave out --fix, --json, --facts and --disk")
    if yes and not fix:
        raise OperationError("--yes goes with --fix: without it nothing is changed, and nothing asked")
    if facts_file:
        _refuse_unwritable(facts_file)
    opened = open_stack(stack, config_file=config_file)
    if watch:
        _watch(opened, window)
        return
    console = Console(stderr=True)
    with console.status(f"asking {len(opened.spec.nodes)} nodes"):
        diagnosis, seen = look(opened, window_seconds=window, measure_disk=disk)
    if facts_file:
        _write(facts_file, seen)
        console.print(f"facts: {facts_file}, sha256 {json.loads(seen)['sha256']}", highlight=False, soft_wrap=True)
    if as_json_document:
        print(json.dumps(as_json(diagnosis), indent=2, ensure_ascii=False))
    else:
        Console().print(page(diagnosis))
    if fix and diagnosis.to_fix:
        raise typer.Exit(_fix(stack, diagnosis.to_fix, config_file, yes=yes, quiet=as_json_document))
    raise typer.Exit(2 if diagnosis.blind else 0 if diagnosis.converged else 1)


def _refuse_unwritable(file: Path) -> None:
    """Before the nodes are asked: what was seen would be lost."""
    target = file.resolve()
    usable = target.is_file() or not target.exists()  # no folder, no /dev/stdout
    if not usable or not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        raise OperationError(f"--facts {file}: can't be written there: name a file in a folder of yours")


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


def look(opened: Opened, *, window_seconds: float, measure_disk: bool = False) -> tuple[Diagnosis, str]:
    """The diagnosis, and the facts file that it was made from."""
    spec = opened.spec
    fleet = read_fleet(
        spec.nodes,
        {node.name: node_script(node, spec.node_requirements) for node in spec.nodes},
        spec.node_requirements,
        spec.ssh,
        opened.ssh_private_key,
        ask="all",
        window_seconds=window_seconds,
        measure_disk=measure_disk,
    )
    now = datetime.datetime.now(datetime.UTC)
    edge = tuple(examine(spec, opened.admin, now))
    diagnosis = replace(diagnose(fleet, spec.nodes, spec.node_requirements), edge=edge)
    return diagnosis, facts.dump(fleet.surveys, environment=spec.environment, made_at=time.time())


def page(diagnosis: Diagnosis) -> Group:
    """The diagnosis for a reader at a terminal."""
    standings = Table(box=None, pad_edge=False, show_header=False)
    for standing in diagnosis.standings:
        mark = MARKS["ok" if standing.converged else "fails"]
        standings.add_row(mark, standing.node, escape(str(standing)))
    for row in diagnosis.edge:
        remedy = f": {row.remedy}" if row.remedy else ""
        standings.add_row(MARKS[row.state], row.item, escape(f"{row.measured}{remedy}"))
    verdict = "[green]converged[/green]" if diagnosis.converged else "[red]not converged[/red]"
    return Group(findings_table(diagnosis.findings), standings, verdict)


def _watch(opened: Opened, window_seconds: float) -> None:
    with Live(console=Console(), auto_refresh=False) as live:
        while True:
            diagnosis, _ = look(opened, window_seconds=window_seconds)
            now = datetime.datetime.now().strftime("%H:%M:%S")
            live.update(
                Group(f"{opened.name} at {now}, every {window_seconds:g} s or so", page(diagnosis)), refresh=True
            )


def _fix(stack: str, nodes: Sequence[str], config_file: Path | None, *, yes: bool, quiet: bool = False) -> int:
    """`pulumi up` for these nodes' commands and nothing else; it asks first, unless told not to.

    `quiet` keeps standard output for a document that stands there already.
    """
    name = stack.split("/")[-1]  # a URN has no organisation
    targets = [
        f"urn:pulumi:{name}::{PROJECT}::{token('Node')}$command:remote:Command::{child(node, 'setup')}"
        for node in nodes
    ]
    argv = ["pulumi", "up", "--refresh", "--stack", stack, *(w for t in targets for w in ("--target", t))]
    argv += ["--config-file", str(config_file)] if config_file else []
    argv += ["--yes"] if yes else []
    return subprocess.run(argv, stdout=sys.stderr if quiet else None).returncode


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)
