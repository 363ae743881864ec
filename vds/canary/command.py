"""`vds canary`: takes a canary from its first step to its last one, or back."""

import inspect
import re
import time
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import typer

from components.gateway.canary import weights
from components.gateway.canary.model import Source, seconds
from components.gateway.canary.record import ENDED, Held, Record
from components.gateway.canary.route import RouteError, canary_route
from components.gateway.canary.traffic import Seen
from components.kubernetes_api import ApiError, Cluster, UnreachableError
from vds.canary import counters, running
from vds.canary.running import Canaried
from vds.evidence.export import read_file
from vds.shared import lease
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, ConfigFile, StackName
from vds.shared.output import console, print_json
from vds.shared.stack import open_stack

app = typer.Typer(no_args_is_help=True)

_Answer = TypeVar("_Answer")


class _Asked(NamedTuple):
    """What every command works on."""

    found: Canaried
    as_json: bool


def _asked(
    *,
    route: Annotated[str, typer.Argument(metavar="ROUTE", help="Name of the HTTPRoute.")],
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Namespace of the HTTPRoute.")],
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Ask this cluster. It needs few rights: see the guide.")
    ] = None,
    stack: StackName = "",
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> _Asked:
    if bool(kubeconfig) == bool(stack):
        raise OperationError("name the cluster: --kubeconfig or --stack, and only one of them")
    if kubeconfig:
        text = read_file(kubeconfig, "--kubeconfig")
    else:
        text = open_stack(stack, config_file=config_file).kubeconfig
    return _Asked(_canaried(Cluster(text), namespace, route), as_json)


def _canaried(cluster: Cluster, namespace: str, route: str) -> Canaried:
    try:
        return Canaried(cluster, canary_route(weights.read(cluster, namespace, route)))
    except RouteError as error:
        raise OperationError(str(error)) from None
    except (ApiError, UnreachableError) as error:
        raise OperationError(f"route '{route}' in {namespace}: can't be read ({error})") from None


def _command(work: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of `_asked`, and its own after them."""
    common = inspect.signature(_asked).parameters
    own = list(inspect.signature(work).parameters.values())[1:]

    @wraps(work)
    def run(**given: Any) -> None:
        work(_asked(**{name: given.pop(name) for name in common}), **given)

    options = [*common.values(), *own]
    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]  # what Typer reads
    run.__annotations__ = {one.name: one.annotation for one in options}
    return app.command()(run)


@_command
def start(
    asked: _Asked,
    *,
    again: Annotated[bool, typer.Option("--again", help="Begin a new rollout if the last one has ended.")] = False,
    prometheus: Annotated[
        str,
        typer.Option(metavar="NAMESPACE/SERVICE:PORT", help="Where gates with source prometheus are counted."),
    ] = str(counters.PROMETHEUS),
) -> None:
    """Start a canary, or go on with one that no process watches, until it has its last step or is rolled back.

    It may be killed at any time: the canary keeps its share, and the next `start` goes on. Exit code 1: rolled back.
    """
    found = asked.found
    holder, out = lease.identity(), console(stderr=True)

    service = _service(prometheus)

    def read_counters(after: float) -> Mapping[Source, Seen]:
        return counters.read(found.cluster, found.route, service, after)

    def report(record: Record | None, text: str) -> None:
        out.print(_line(found, record, text), markup=False)

    def work() -> Record:
        running.require_counters(found, read_counters(0.0))
        record = running.begin(found, holder=holder, now=time.time(), again=again)
        if record.phase in ENDED:
            found.set_weights(record.percent)
            return record
        return running.watch(found, holder, now=time.time, sleep=time.sleep, read_counters=read_counters, report=report)

    record = _tried(found, work)
    if asked.as_json:
        print_json(_document(found, record))
    else:
        print(f"{'✓' if record.phase == 'finished' else '✗'} {found.item}: {record.phase}, {record.reason}")
    raise typer.Exit(0 if record.phase == "finished" else 1)


@_command
def status(asked: _Asked) -> None:
    """Show where a canary is, what its requests have shown, and who watches it.

    Exit code 1: it was rolled back, no process watches it, or the route has another share than its record says.
    """
    found = asked.found
    held, live = _tried(found, lambda: (found.read(), _live(found)))
    findings = list(_findings(found, held, live, time.time()))
    record = held.record if held else None
    if asked.as_json:
        known = _document(found, record) if record else {"route": found.route.name, "phase": "not begun"}
        print_json({**known, "livePercent": live, "holder": held.holder if held else "", "findings": findings})
    else:
        print(f"{found.item}: {_text(found, record)}; the route gives it {live} %")
        for text in findings:
            print(f"✗ {text}")
    raise typer.Exit(1 if findings else 0)


@_command
def promote(asked: _Asked) -> None:
    """Go to the next step now, whatever the gates say."""
    _by_hand(running.promote, asked)


@_command
def pause(asked: _Asked) -> None:
    """Stay at the present step until the next `start`. A bad version is rolled back all the same."""
    _by_hand(running.pause, asked)


@_command
def abort(asked: _Asked) -> None:
    """Send all requests to the stable version. Also after the last step, when the stable Service has the version."""
    _by_hand(running.abort, asked)


def _service(text: str) -> counters.Service:
    found = re.fullmatch(r"([a-z0-9-]{1,63})/([a-z0-9-]{1,63}):([0-9]{1,5})", text)
    if not found:
        raise OperationError(f"--prometheus {text[:100]!r}: write it as in {counters.PROMETHEUS}")
    return counters.Service(found[1], found[2], int(found[3]))


def _tried(found: Canaried, work: Callable[[], _Answer]) -> _Answer:
    try:
        return work()
    except (ApiError, UnreachableError) as error:
        raise OperationError(f"{found.item}: the cluster refused or did not answer ({error}): run this again") from None


def _by_hand(change: Callable[[Canaried, float], Record], asked: _Asked) -> None:
    record = _tried(asked.found, lambda: change(asked.found, time.time()))
    if asked.as_json:
        print_json(_document(asked.found, record))
    else:
        print(f"✓ {asked.found.item}: {_text(asked.found, record)}")


def _live(found: Canaried) -> int:
    try:
        return weights.percent(weights.read(found.cluster, found.route.namespace, found.route.name))
    except RouteError as error:
        raise OperationError(str(error)) from None


def _findings(found: Canaried, held: Held | None, live: int, now: float) -> list[str]:
    wanted = held.record.percent if held else 0
    again = f"run `{found.words('start')}`"
    findings = []
    if live != wanted:
        remedy = again if wanted else f"run `{found.words('abort')}`"
        findings.append(f"the route gives it {live} %, and its record says {wanted} %: {remedy}")
    if held and held.record.phase == "rolled-back":
        findings.append(f"rolled back: {held.record.reason}")
    if held and held.record.phase not in ENDED and not found.watched(held, now):
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
    held = f"{time.time() - record.since:.0f} of {seconds(found.plan.hold)} s"
    return f"  {record.percent} %, {record.phase}, {held}: {counted}: {judged}"


def _document(found: Canaried, record: Record) -> Mapping[str, Any]:
    return {
        "route": found.route.name,
        "namespace": found.route.namespace,
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
