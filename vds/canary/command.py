"""`vds canary`: takes a canary from its first step to its last one, or back."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from components.gateway.canary import weights
from components.gateway.canary.model import seconds
from components.gateway.canary.record import ENDED, Held, Record
from components.kubernetes_api import ApiError, Cluster, UnreachableError
from components.stackfile.spec import PlatformSpec
from vds.canary import counters, running
from vds.canary.running import Canaried
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, ConfigFile, StackName
from vds.shared.output import console, print_json
from vds.shared.stack import open_read_only, open_stack
from vds.shared.suggestions import did_you_mean

app = typer.Typer(no_args_is_help=True)

_Answer = TypeVar("_Answer")
_Route = Annotated[str, typer.Argument(metavar="ROUTE", help="Name of the route.")]
_Tenant = Annotated[
    str | None, typer.Option(help="Tenant of the route. Needed only if two tenants have a route of this name.")
]
_Kubeconfig = Annotated[
    Path | None,
    typer.Option(help="Read this kubeconfig and no secret of the stack: for a CI job with few rights."),
]


@app.command()
def start(
    route: _Route,
    stack: StackName,
    again: Annotated[bool, typer.Option("--again", help="Begin a new rollout if the last one has ended.")] = False,
    tenant: _Tenant = None,
    kubeconfig: _Kubeconfig = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Start a canary, or go on with one that no process watches, until it has its last step or is rolled back.

    It may be killed at any time: the canary keeps its share, and the next `start` goes on. Exit code 1: rolled back.
    """
    found = _canaried(stack, route, tenant, kubeconfig, config_file)
    holder, out = running.identity(), console(stderr=True)

    def report(record: Record | None, text: str) -> None:
        out.print(_line(found, record, text), markup=False)

    def work() -> Record:
        record = running.begin(found, holder=holder, now=time.time(), again=again)
        if record.phase in ENDED:
            found.set_weights(record.percent)
            return record
        return running.watch(
            found,
            holder,
            now=time.time,
            sleep=time.sleep,
            read_counters=lambda: counters.read(found.cluster, found.spec, found.route),
            report=report,
        )

    record = _asked(found, work)
    if as_json:
        print_json(_document(found, record))
    else:
        print(f"{'✓' if record.phase == 'finished' else '✗'} {found.item}: {record.phase}, {record.reason}")
    raise typer.Exit(0 if record.phase == "finished" else 1)


@app.command()
def status(
    route: _Route,
    stack: StackName,
    tenant: _Tenant = None,
    kubeconfig: _Kubeconfig = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show where a canary is, what its requests have shown, and who watches it.

    Exit code 1: it was rolled back, no process watches it, or the route has another share than its record says.
    """
    found = _canaried(stack, route, tenant, kubeconfig, config_file)
    held, live = _asked(found, lambda: (found.read(), _live(found)))
    findings = list(_findings(found, held, live, time.time()))
    record = held.record if held else None
    if as_json:
        known = _document(found, record) if record else {"route": found.route.name, "phase": "not begun"}
        print_json({**known, "livePercent": live, "holder": held.holder if held else "", "findings": findings})
    else:
        print(f"{found.item}: {_text(found, record)}; the route gives it {live} %")
        for text in findings:
            print(f"✗ {text}")
    raise typer.Exit(1 if findings else 0)


@app.command()
def promote(
    route: _Route,
    stack: StackName,
    tenant: _Tenant = None,
    kubeconfig: _Kubeconfig = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Go to the next step now, whatever the gates say."""
    _by_hand(running.promote, route, stack, tenant, kubeconfig, config_file, as_json=as_json)


@app.command()
def pause(
    route: _Route,
    stack: StackName,
    tenant: _Tenant = None,
    kubeconfig: _Kubeconfig = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Stay at the present step until the next `start`. A bad version is rolled back all the same."""
    _by_hand(running.pause, route, stack, tenant, kubeconfig, config_file, as_json=as_json)


@app.command()
def abort(
    route: _Route,
    stack: StackName,
    tenant: _Tenant = None,
    kubeconfig: _Kubeconfig = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Send all requests to the stable version. Also after the last step, when the stable Service has the version."""
    _by_hand(running.abort, route, stack, tenant, kubeconfig, config_file, as_json=as_json)


def choose(spec: PlatformSpec, name: str, tenant: str | None) -> Any:
    """The route of this name whose canary has steps. Raises OperationError if there is none, or several."""
    there = spec.gateway.progressive
    found = [one for one in there if one.name == name and tenant in (None, one.tenant)]
    if len(found) == 1:
        return found[0]
    if found:
        tenants = " or ".join(f"--tenant {one.tenant}" for one in found)
        raise OperationError(f"route '{name}': several tenants have it: write {tenants}")
    names = sorted(one.name for one in there)
    known = ", ".join(names) or "none"
    raise OperationError(
        f"route '{name}': is not one of the routes whose canary has steps ({known}): "
        f"{did_you_mean(name, names) if names else 'write canary.steps in the stack file and run `pulumi up`'}"
    )


def _canaried(stack: str, name: str, tenant: str | None, kubeconfig: Path | None, config_file: Path | None) -> Canaried:
    if kubeconfig is None:
        opened = open_stack(stack, config_file=config_file)
    else:
        opened = open_read_only(stack, kubeconfig, config_file=config_file)
    route = choose(opened.spec, name, tenant)
    return Canaried(Cluster(opened.kubeconfig), opened.spec.gateway, route, route.canary)


def _asked(found: Canaried, work: Callable[[], _Answer]) -> _Answer:
    try:
        return work()
    except (ApiError, UnreachableError) as error:
        raise OperationError(f"{found.item}: the cluster refused or did not answer ({error}): run this again") from None


def _by_hand(
    change: Callable[[Canaried, float], Record],
    route: str,
    stack: str,
    tenant: str | None,
    kubeconfig: Path | None,
    config_file: Path | None,
    *,
    as_json: bool,
) -> None:
    found = _canaried(stack, route, tenant, kubeconfig, config_file)
    record = _asked(found, lambda: change(found, time.time()))
    if as_json:
        print_json(_document(found, record))
    else:
        print(f"✓ {found.item}: {_text(found, record)}")


def _live(found: Canaried) -> int:
    try:
        return weights.percent(weights.read(found.cluster, found.route), found.route)
    except weights.RouteError as error:
        raise OperationError(str(error)) from None


def _findings(found: Canaried, held: Held | None, live: int, now: float) -> list[str]:
    wanted = held.record.percent if held else 0
    again = f"run `vds canary start {found.route.name}`"
    findings = []
    if live != wanted:
        findings.append(f"the route gives it {live} %, and its record says {wanted} %: {again}")
    if held and held.record.phase == "rolled-back":
        findings.append(f"rolled back: {held.record.reason}")
    if held and held.record.phase not in ENDED and (held.until <= now or not running.lives(held.holder)):
        findings.append(f"no process watches it: {again}")
    return findings


def _text(found: Canaried, record: Record | None) -> str:
    if record is None:
        return "not begun"
    judged = ", ".join(f"{kind} {outcome}" for kind, outcome in found.outcomes(record).items())
    return f"{record.phase} at {record.percent} % ({record.reason}); {judged}"


def _line(found: Canaried, record: Record | None, text: str) -> str:
    if text or record is None:
        return f"  {text}"
    one = next(iter(record.evidence.values()), None)
    counted = f"{one.canary} canary and {one.stable} stable requests" if one else "no requests yet"
    judged = ", ".join(f"{kind} {outcome}" for kind, outcome in found.outcomes(record).items())
    held = f"{time.time() - record.since:.0f} of {seconds(found.canary.hold)} s"
    return f"  {record.percent} %, {record.phase}, {held}: {counted}: {judged}"


def _document(found: Canaried, record: Record) -> Mapping[str, Any]:
    return {
        "route": found.route.name,
        "tenant": found.route.tenant,
        "phase": record.phase,
        "percent": record.percent,
        "began": record.began,
        "since": record.since,
        "reason": record.reason,
        "gates": {
            kind: {
                "outcome": outcome,
                "canaryRequests": record.evidence[kind].canary if kind in record.evidence else 0,
                "stableRequests": record.evidence[kind].stable if kind in record.evidence else 0,
            }
            for kind, outcome in found.outcomes(record).items()
        },
    }
