"""`vds backup`: takes a snapshot of etcd, shows the last one, lists all, and checks that one can be restored."""

import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from components.core.untrusted import printable
from components.nodes.model import NodeSpec
from vds.backup.running import Answer, ask, given, wanted
from vds.shared.clock import NODES_DIFFER_SECONDS
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, ConfigFile, StackName
from vds.shared.output import console, print_json
from vds.shared.stack import Opened, open_stack

app = typer.Typer(no_args_is_help=True)

LATE = 2
"""How many periods may pass before the newest snapshot is too old: one may be missed while a node starts again."""


@app.command()
def status(stack: StackName, *, as_json: AsJson = False, config_file: ConfigFile = None) -> None:
    """Ask every control plane for its timer and its last snapshot.

    Exit code 1: a timer does not run, a run failed, or the newest snapshot is older than two periods.
    """
    opened = open_stack(stack, config_file=config_file)
    _, spec = wanted(opened)
    answers = _ask_all(opened, "status")
    _finish(answers, problems_of(answers, spec.every_minutes, time.time()), as_json=as_json)


@app.command()
def run(stack: StackName, *, as_json: AsJson = False, config_file: ConfigFile = None) -> None:
    """Take a snapshot now. The control plane that leads etcd uploads it.

    Exit code 1: a run failed, or none uploaded a snapshot.
    """
    opened = open_stack(stack, config_file=config_file)
    wanted(opened)
    began = time.time()
    answers = _ask_all(opened, "now")
    problems = [one.problem for one in answers if one.problem]
    if not problems and newest(answers) < int(began) - NODES_DIFFER_SECONDS:
        problems = ["no control plane has uploaded a snapshot: run this again, because etcd may have a new leader"]
    _finish(answers, problems, as_json=as_json)


@app.command("list")
def list_snapshots(
    stack: StackName,
    *,
    node: Annotated[str | None, typer.Option(help="The control plane that asks. Default: the first one.")] = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show the snapshots in the bucket, the newest first: names for --object of a check or a restore.

    Also works on a new machine, before a restore. Exit code 1: the bucket has none, or can't be listed.
    """
    opened = open_stack(stack, config_file=config_file)
    bootstrap, _ = wanted(opened)
    chosen = _control_plane(bootstrap.control_planes, node)
    [answer] = ask(opened, [chosen], "list", [given(opened, chosen, reads=True)])
    names = sorted(map(str, answer.found.get("objects", ())), reverse=True)
    problem = answer.problem or (
        "" if names else "the bucket has no snapshot of this environment: run `vds backup run`"
    )
    if as_json:
        print_json({"objects": names, "problems": [problem] if problem else []})
    else:
        for name in names:
            print(printable(name))
        if problem:
            console().print(f"[red]✗[/red] {escape(problem)}")
    if problem:
        raise typer.Exit(1)


@app.command()
def check(
    stack: StackName,
    *,
    node: Annotated[str | None, typer.Option(help="The control plane that does it. Default: the first one.")] = None,
    snapshot: Annotated[str, typer.Option("--object", help="Name of a snapshot. Default: the newest.")] = "",
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Restore a snapshot into an etcd of its own on a control plane, count its keys, and delete it again. The cluster
    is not touched.

    Needs the secret `backupIdentity`. Exit code 1: the snapshot can't be restored.
    """
    opened = open_stack(stack, config_file=config_file)
    bootstrap, _ = wanted(opened)
    chosen = _control_plane(bootstrap.control_planes, node)
    answers = ask(opened, [chosen], "check", [given(opened, chosen, decrypts=True, snapshot=snapshot)])
    _finish(answers, [one.problem for one in answers if one.problem], as_json=as_json)


def problems_of(answers: Sequence[Answer], every_minutes: int, now: float) -> list[str]:
    """What is wrong with the backup of a cluster. `now`: seconds since 1970."""
    problems = [one.problem for one in answers if one.problem]
    for one in answers:
        if one.found and one.found.get("timer") != "active":
            problems.append(f"node {one.node}: its timer does not run: run `pulumi up`")
        if one.found and one.found.get("result") not in ("success", ""):
            problems.append(
                f"node {one.node}: its last run failed ({one.found['result']}): read `journalctl -u "
                "vds-platform-backup` there"
            )
    if newest(answers) < now - LATE * every_minutes * 60:
        last = f"is {(now - newest(answers)) / 60:.0f} min old" if newest(answers) else "is missing"
        problems.append(f"the newest snapshot {last}, and one is taken every {every_minutes} min: run `vds backup run`")
    return problems


def newest(answers: Sequence[Answer]) -> int:
    """When the newest snapshot was taken, in seconds since 1970; 0 if there is none."""
    return max((int((one.found.get("last") or {}).get("taken", 0)) for one in answers), default=0)


def _control_plane(nodes: Sequence[NodeSpec], name: str | None) -> NodeSpec:
    for node in nodes:
        if name in (None, node.name):
            return node
    names = ", ".join(node.name for node in nodes)
    raise OperationError(f"--node {name}: is no control plane of the stack: write one of {names}")


def _ask_all(opened: Opened, verb: str) -> list[Answer]:
    nodes = wanted(opened)[0].control_planes
    return ask(opened, nodes, verb, [given(opened, node) for node in nodes])


def _finish(answers: Sequence[Answer], problems: Sequence[str], *, as_json: bool) -> None:
    """Print the answers. Exit code 1 if something is wrong, 2 if no node answered."""
    if all(one.problem.startswith(f"node {one.node}: ") and not one.found for one in answers) and len(answers) > 1:
        raise OperationError(*problems)
    if as_json:
        print_json({"nodes": {one.node: one.found for one in answers}, "problems": list(problems)})
    else:
        for one in answers:
            if one.found:
                console().print(f"[green]✓[/green] {one.node}  {escape(_line(one.found))}")
        for problem in problems:
            console().print(f"[red]✗[/red] {escape(problem)}")
    if problems:
        raise typer.Exit(1)


def _line(found: dict[str, Any]) -> str:
    last = found.get("last") if "timer" in found else found
    if not last:
        return f"timer {found.get('timer')}, no snapshot of this node"
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(last["taken"]))
    words = [f"{last['object']}: taken {at}, {last['keys']} keys, revision {last['revision']}"]
    if "restored_keys" in last:
        words.append(f"restored with {last['restored_keys']} keys in {last['check_seconds']} s")
    return ", ".join(words)
