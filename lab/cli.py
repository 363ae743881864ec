"""The lab's commands: `python -m lab --help`. The targets of the Makefile call these."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console

from lab import conformance as suites
from lab import data_center, data_paths, fabric, report, session, supplies, verify
from lab.chaos import runner
from lab.chaos.table import FAULTS
from lab.chaos.trial import Trial
from lab.cluster import Cluster, condition
from lab.deploy import Deployment, Outcome
from lab.layout import NODES, OPERATOR, Layout
from lab.machines import machine, preconditions
from lab.plugins import Plugin
from lab.processes import LabError, command, ending_with_us, members
from lab.progress import Progress
from lab.tenants import registered
from lab.toolchain import build, pins
from lab.toolchain.build import Tools

app = typer.Typer(
    help="The whole platform on this machine: a small data centre of Debian machines, without a virtual machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
ShowList = Annotated[bool, typer.Option("--list", help="Print the names and do nothing.")]
_STOP_SECONDS = 90  # a `vds` command may need a minute to clean up the cluster


def _ensure_lab(progress: Progress, layout: Layout, *, earlier: str | None = None) -> Tools:
    """Start everything that a customer has before the first `pulumi up`: tools, network, services, bare machines."""
    with progress.step("machine"):
        preconditions.ensure(progress)
    with progress.step("tools"):
        tools = build.ensure(progress, (*pins.TOOLS, *(pins.EARLIER[earlier] if earlier else ())))
    with progress.step("network"):
        session.claim(layout)
    with progress.step("packages, images, charts"):
        supplies.ensure(layout, tools, progress)
    with progress.step("machines"):
        data_center.ensure(layout, progress)
    return tools


def _deploy(progress: Progress, layout: Layout, tools: Tools) -> tuple[list[Outcome], dict[str, Plugin]]:
    """The environment, its tenants, and what the agency of one of them deploys; how both updates ended."""
    deployment = Deployment(layout, tools)
    with progress.step("pulumi up"), fabric.inside(OPERATOR):
        plugins = deployment.prepare()
        deployment.recover()
        outcome = deployment.run("up", progress=progress)
        if outcome.exit_code:
            raise LabError(f"pulumi up failed:\n{outcome.diagnostics}")
        deployment.write_kubeconfig()
        verify.deploy_probes(layout, Cluster(layout.kubeconfig))
    with progress.step("tenants"), fabric.inside(OPERATOR):
        agency = registered.ensure(deployment, progress)
    return [outcome, agency], plugins


@app.command()
def up(
    as_json: AsJson = False,
    earlier: Annotated[
        Literal["patch", "minor", "cilium"] | None,
        typer.Option(help="Make a new cluster of Kubernetes' patch or minor before, or of Cilium's minor before."),
    ] = None,
) -> None:
    """Set up this machine, start the lab, run `pulumi up`, register tenants and test the platform.

    A second run changes nothing.
    """
    layout = Layout()
    progress = Progress(total=8, quiet=as_json)
    session.require_root()
    with session.exclusive():
        tools = _ensure_lab(progress, layout, earlier=earlier)
        outcomes, plugins = _deploy(progress, layout, tools)
        with progress.step("proof"), fabric.inside(OPERATOR):
            facts = verify.verify(layout, verify.load_spec(layout))
        result = report.gather(facts, outcomes, plugins, tools, progress.seconds)
        report.write(layout, result)
    _say(result, as_json=as_json)


def _say(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        report.show(Console(), result)
    if not result["ok"]:
        raise typer.Exit(1)


@app.command()
def tools(
    names: Annotated[list[str] | None, typer.Argument(help="Build only these; needs no root.")] = None,
    as_json: AsJson = False,
) -> None:
    """Install missing packages and build the tools. Start nothing."""
    known = (*pins.TOOLS, *pins.MONITORING, *pins.CHECKERS) if names else pins.TOOLS
    wanted = [tool for tool in known if not names or tool.name in names]
    if len(wanted) < len(set(names or ())):
        raise LabError(f"the tools are {', '.join(tool.name for tool in known)}")
    progress = Progress(total=1 if names else 2, quiet=as_json)
    if not names:
        with progress.step("machine"):
            preconditions.ensure(progress)
    with progress.step("tools"):
        found = build.ensure(progress, wanted)
    rows = {t.name: {"version": found.version(t.name), "origin": found.origin(t.name)} for t in wanted}
    if as_json:
        print(json.dumps({"tools": rows, "seconds": progress.seconds}, indent=2))
    else:
        for name, row in rows.items():
            print(f"{name:26} {row['version']:12} {row['origin']}")


@app.command()
def start(as_json: AsJson = False) -> None:
    """Set up this machine and start services and machines. Deploy nothing."""
    progress = Progress(total=5, quiet=as_json)
    session.require_root()
    with session.exclusive():
        _ensure_lab(progress, Layout())
    if as_json:
        print(json.dumps({"seconds": progress.seconds}))


@app.command()
def deploy() -> None:
    """Run `pulumi up` with the policy pack on the running lab."""
    with _deployment() as deployment:
        deployment.recover()
        outcome = deployment.run("up", show=True)
        if not outcome.exit_code:
            deployment.write_kubeconfig()
        raise typer.Exit(outcome.exit_code)


@app.command()
def preview() -> None:
    """Run `pulumi preview --diff` with the policy pack on the running lab."""
    with _deployment() as deployment:
        raise typer.Exit(deployment.run("preview", "--diff", show=True).exit_code)


@app.command(name="verify")
def verify_command(as_json: AsJson = False) -> None:
    """Test the running platform again, without a deployment."""
    layout, _ = _running()
    with session.exclusive(), fabric.inside(OPERATOR):
        facts = verify.verify(layout, verify.load_spec(layout))
    _judged(facts, as_json, lambda: report.show_facts(Console(), facts))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def vds(context: typer.Context) -> None:
    """Run a `vds` command on the operator laptop of the running lab."""
    with _deployment() as deployment:
        argv = [sys.executable, "-m", "vds", *context.args]
        there = command(argv, part="op", resolver=deployment.layout.resolver)
        raise typer.Exit(_run(there, deployment.environment(), ends_by=signal.SIGTERM))


@app.command()
def paths(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of data paths; all if none is given. --list shows them.")
    ] = None,
    show_list: ShowList = False,
    as_json: AsJson = False,
) -> None:
    """Deploy and test each data path, then deploy the lab's own again."""
    chosen = _chosen(data_paths.DATA_PATHS, names, show_list)
    progress = Progress(total=len(chosen) + 1, quiet=as_json)
    proved: dict[str, Any] = {}
    with _deployment() as deployment:
        try:
            for path in chosen:
                with progress.step(path.name):
                    proved[path.name] = data_paths.prove(deployment.layout, deployment.tools, deployment, path)
        finally:
            with progress.step("the lab's own"):
                data_paths.restore(deployment.layout, deployment)
    _judged(proved, as_json, lambda: Console().print(report.data_paths_table(proved)))


@app.command()
def conformance(
    names: Annotated[list[str] | None, typer.Argument(help="Names of suites; all if none is given.")] = None,
    show_list: ShowList = False,
    as_json: AsJson = False,
) -> None:
    """Run the public conformance suites against the running platform. Reports are in .lab/conformance."""
    chosen = _chosen(suites.SUITES, names, show_list)
    layout, _ = _running()
    progress = Progress(total=len(chosen) + 1, quiet=as_json)
    with session.exclusive():
        with progress.step("tools"):
            programs = {suite.tool for suite in chosen}
            found = build.ensure(progress, (*pins.TOOLS, *(t for t in pins.CONFORMANCE if t.name in programs)))
            for name in pins.MODULES:
                found.module_dir(name)  # the lab's network can't reach a module proxy
        with fabric.inside(OPERATOR):
            results = suites.run(layout, found, chosen, progress)
    _judged(results, as_json, lambda: suites.show(Console(), results))


@app.command()
def chaos(
    only: Annotated[list[str] | None, typer.Option("--only", help="Name of a fault; may be repeated.")] = None,
    show_list: ShowList = False,
    as_json: AsJson = False,
) -> None:
    """Make faults in the lab, one after the other, and compare before and after. Exit code 1: a row is not passed.

    It starts the lab if it does not run, and ends with a lab that runs. The results are in .lab/chaos.json, and as a
    table in .lab/chaos.md.
    """
    chosen = _chosen(FAULTS, only, show_list, "{0.name:24} {0.text}")
    layout = Layout()
    progress = Progress(total=len(chosen) + 1, quiet=as_json)
    session.require_root()
    with session.exclusive():
        with progress.step("the lab"):
            tools = _green(layout)

        rows = runner.run(Trial(layout, tools, progress), chosen, ready=lambda: _green(layout))
    if as_json:
        print((layout.state / "chaos.json").read_text(), end="")
    else:
        runner.show(Console(), rows)
    raise typer.Exit(0 if runner.all_good(rows) else 1)


def _green(layout: Layout) -> Tools:
    """The lab as `make up` leaves it, also after a fault from which nothing else brings it back."""
    quiet = Progress(total=8, quiet=True)
    try:
        return _deployed(layout, quiet)
    except LabError:
        session.remove(layout)
        return _deployed(layout, quiet)


def _deployed(layout: Layout, progress: Progress) -> Tools:
    tools = _ensure_lab(progress, layout)
    _deploy(progress, layout, tools)
    with fabric.inside(OPERATOR):
        facts = verify.verify(layout, verify.load_spec(layout))
    if bad := [name for name, part in facts.items() if not part["ok"]]:
        raise LabError(f"the lab is not green: {', '.join(bad)}; run: make down && make up")
    return tools


@app.command()
def destroy() -> None:
    """Run `pulumi destroy` on the running lab. Machines and services stay."""
    with _deployment() as deployment:
        deployment.recover()
        raise typer.Exit(deployment.run("destroy", show=True).exit_code)


@app.command()
def down() -> None:
    """Stop and remove the lab: machines, namespaces, cgroups, files. The cache of built tools stays."""
    session.require_root()
    with session.exclusive():
        session.remove(Layout())
        if left := session.leftovers(Layout()):
            raise LabError(f"still there: {', '.join(left)}")
    kept = f"; what was built stays in {build.cache()}" if build.cache().exists() else ""
    print(f"the lab is gone{kept}")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show what runs in the lab."""
    layout = Layout()
    parts = {name: bool(members(f"site/{name}")) for name in ("dns", "registry", "packages", "haproxy")}
    parts |= {node.name: machine.is_running(layout, node) for node in NODES}
    cluster: dict[str, Any] = {}
    if any(parts.values()):
        session.require_root()  # only root can read the lab's folder
    if layout.kubeconfig.exists():
        with fabric.inside(OPERATOR):
            cluster = _cluster_status(Cluster(layout.kubeconfig))
    running = all(parts.values())
    if as_json:
        print(json.dumps({"running": running, "parts": parts, **cluster}, indent=2))
    else:
        for name, runs in parts.items():
            print(f"{name:28} {'running' if runs else 'not running'}")
        for group, states in cluster.items():
            for name, state in states.items():
                print(f"{group:12} {name:40} {state}")
    raise typer.Exit(0 if running else 1)


def _cluster_status(cluster: Cluster) -> dict[str, dict[str, str]]:
    found = cluster.request("GET", "/api/v1/nodes")["items"]
    pods = cluster.request("GET", "/api/v1/pods")["items"]
    return {
        "node": {n["metadata"]["name"]: f"Ready={condition(n, 'Ready')}" for n in found},
        "pod": {
            f"{p['metadata']['namespace']}/{p['metadata']['name']}": f"Ready={condition(p, 'Ready')}" for p in pods
        },
    }


@app.command()
def logs(
    name: Annotated[
        str, typer.Argument(help="Name of a log, or its beginning. Without it, all names are listed.")
    ] = "",
    lines: Annotated[int, typer.Option("--lines", "-n", help="Number of lines of each log.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show new lines until you stop it.")] = False,
) -> None:
    """Show the end of the lab's logs."""
    session.require_root()  # only root can read the lab's folder; for others it looks empty
    layout = Layout()
    how = ["-n", str(lines), *(["-f"] if follow else [])]
    for node in NODES:
        if node.name == name and machine.is_running(layout, node):
            argv = machine.inside(layout, node, ["journalctl", "--no-pager", *how])
            os.execvp(argv[0], argv)  # noqa: S606 (no shell is meant)
    found = sorted(layout.logs.glob(f"{name}*.log"))
    if not found:
        raise LabError(f"no log begins with {name!r}" if name else "there are no logs: the lab was not started")
    if not name:
        for node in NODES:
            print(f"{'journal':>10} {node.name}")
        for file in found:
            print(f"{file.stat().st_size:>10} {file.stem}")
        return
    os.execvp("tail", ["tail", *how, "--", *map(str, found)])  # noqa: S606 (no shell is meant)


@app.command()
def shell(
    argv: Annotated[list[str] | None, typer.Argument(help="A command to run there instead of a shell.")] = None,
) -> None:
    """Open a shell on the lab's operator laptop, with kubectl, helm and pulumi."""
    layout, tools = _running()
    with fabric.inside(OPERATOR):
        wanted = command(argv or [os.environ.get("SHELL", "/bin/sh")], part="op", resolver=layout.resolver)
        raise typer.Exit(
            _run(wanted, Deployment(layout, tools).environment(), ends_by=signal.SIGHUP)
        )  # a shell ignores SIGTERM


def _running() -> tuple[Layout, Tools]:
    session.require_root()
    if not members("site"):
        raise LabError("the lab is not running; run: sudo make up")
    return Layout(), _tools()


@contextmanager
def _deployment() -> Iterator[Deployment]:
    """The stack of the running lab, on the operator laptop; no other command runs at the same time."""
    layout, tools = _running()
    with session.exclusive(), fabric.inside(OPERATOR):
        deployment = Deployment(layout, tools)
        deployment.prepare()
        yield deployment


def _chosen(every: Sequence[Any], names: Sequence[str] | None, show_list: bool, line: str = "{0.name}") -> list[Any]:
    """The rows with these names, all without one. Lists what there are and ends where a name is none of them."""
    chosen = [row for row in every if not names or row.name in names]
    if show_list or len(chosen) < len(set(names or ())):
        print("\n".join(map(line.format, every)))
        raise typer.Exit(0 if show_list else 2)
    return chosen


def _judged(facts: Mapping[str, Any], as_json: bool, show: Callable[[], None]) -> NoReturn:
    """Print facts, and end with 1 if a part of them is not good."""
    if as_json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        show()
    raise typer.Exit(0 if all(part["ok"] for part in facts.values()) else 1)


def _tools() -> Tools:
    """The tools of the running lab. If the cache was removed, they are built again, with progress."""
    found, missing = build.look()
    if not missing:
        return found
    progress = Progress(total=1)  # on standard error, so that the output of --json stays JSON
    with progress.step("tools"):
        return build.ensure(progress)


def _run(argv: Sequence[str], environment: Mapping[str, str], *, ends_by: signal.Signals) -> int:
    """Run a program on this terminal and return its exit code. SIGTERM is passed on to the program first."""
    process = subprocess.Popen(argv, env=environment)
    with ending_with_us(process, by=ends_by, seconds=_STOP_SECONDS):
        return process.wait()


def _terminated(number: int, _frame: object) -> None:
    """Raise an exception at SIGTERM, as for Ctrl-C, so that everything that the command started is stopped."""
    signal.signal(number, lambda *_: None)  # `make` sends the signal a second time; ignore it
    raise SystemExit(128 + number)


def main() -> None:
    """Run the command. A failure prints its message and exits with 1, without a traceback. SIGTERM exits with 143."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        app()
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except SystemExit as ended:
        if ended.code == 128 + signal.SIGTERM:  # at once, because threads of a check may run for minutes
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ended.code)
        raise
