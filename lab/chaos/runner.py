"""Makes each fault in a lab that works, repairs what the message says, and compares before and after."""

import base64
import contextlib
import datetime
import json
import os
import re
import secrets
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from lab import verify
from lab.asking import ssh
from lab.chaos import holdings
from lab.chaos.holdings import Holdings
from lab.chaos.trial import KEPT, VOLUME, Edit, NotHereError, Seen, Trial
from lab.fabric import inside
from lab.layout import OPERATOR, WORKERS, Layout
from lab.processes import LabError, wait_until
from lab.tenants.settings import NAMESPACE

_BOUND_SECONDS = 60
_MESSAGE = 500  # characters of it in a table; chaos.json has the whole text
Verdict = Literal["passed", "lost", "not green", "unclear", "not made", "not run here"]


@dataclass(frozen=True)
class Fault:
    """One row of the table."""

    name: str
    text: str
    """What happens, for the table."""
    inject: Callable[[Trial], Seen]
    """Make the fault; what the user then sees. Raises NotHereError if this lab can't make it."""
    repair: Callable[[Trial], None] = lambda _: None
    """What the message or the guide says, until `pulumi up` can run again."""
    put_back: Callable[[Trial], None] = lambda _: None
    """Take everything away that `inject` made; also after a failure. Must be fine if there is nothing."""
    change: Edit | None = None
    """What the update changes that the fault hits; afterwards it runs to its end."""
    base: Edit | None = None
    """What the stack file has before and after, if that is not the lab's own. The lab is made anew afterwards."""
    prepare: Callable[[Trial], None] = lambda _: None
    """Bring the lab to `base`."""
    says: tuple[str, ...] = ()
    """Patterns that must be in the message: what happened, and what to do. Empty if the user need not notice."""
    makes_anew: tuple[str, ...] = ()
    """Outputs of the stack that the repair replaces."""
    replaces: bool = False
    """Whether the fault's own run makes the cluster, so that there is nothing to compare with. It begins in this
    machine's network, because the lab's is made anew."""


@dataclass
class Row:
    """How one fault ended."""

    name: str
    text: str
    verdict: Verdict = "not made"
    exit_code: int | None = None
    sees: str = ""
    lost: list[str] = field(default_factory=list)
    seconds_to_green: float | None = None
    """From the end of the fault to a platform that passes every check of `make verify`."""
    facts: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    """Why it is not passed."""
    date: str = ""


def run(trial: Trial, faults: Sequence[Fault], ready: Callable[[], object]) -> list[Row]:
    """All faults, one after the other. `ready` makes the lab green again where a fault could not be put back."""
    rows: list[Row] = []
    for fault in faults:
        with trial.progress.step(fault.name):
            row = attempt(trial, fault)
        rows.append(row)
        write(trial.layout, rows)
        if row.verdict in ("not green", "not made", "lost") or fault.base:
            with trial.progress.step(f"{fault.name}, {row.verdict} ({row.reason[:300]}): the lab again"):
                ready()
            write(trial.layout, rows)  # the lab's folder may be a new one
    return rows


def attempt(trial: Trial, fault: Fault) -> Row:
    """One fault, from a green lab to a green lab."""
    row = Row(fault.name, fault.text, date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    try:
        _survive(trial, fault, row)
    except NotHereError as error:
        row.verdict, row.reason = "not run here", str(error)
    except LabError as error:
        row.reason = str(error)
    except Exception:  # a row that breaks is not passed, and the others still run
        row.reason = traceback.format_exc(limit=-3)
    finally:
        trial.kept.clear()
    return row


def _survive(trial: Trial, fault: Fault, row: Row) -> None:
    before, made = None, False
    if not fault.replaces:
        with inside(OPERATOR):
            fault.prepare(trial)
            before = _before(trial, fault.base)
    try:
        with contextlib.nullcontext() if fault.replaces else inside(OPERATOR):
            said = fault.inject(trial)
        row.exit_code, row.sees, row.facts = said.exit_code, said.message, said.facts
        row.verdict, made = "not green", True
        with inside(OPERATOR):
            _repair(trial, fault, row)
    finally:
        with inside(OPERATOR):
            fault.put_back(trial)
            if fault.change and made:
                trial.up(fault.base)
    with inside(OPERATOR):
        if fault.replaces:
            seed(trial)
        again = trial.up(fault.base)
        if not again.unchanged:
            row.lost.append(f"a second run is not unchanged: {again.changes} {again.diagnostics[-300:]}")
        after = trial.holdings(fault.base)
    row.lost += [*holdings.wrong(after), *(holdings.lost(before, after, fault.makes_anew) if before else ())]
    row.verdict, row.reason = judge(fault, row)


def _before(trial: Trial, base: Edit | None) -> Holdings:
    """What the platform has, whole; the tenant's own things are put there first."""
    seed(trial)
    found = trial.holdings(base)
    if problems := holdings.wrong(found):
        raise LabError(f"the lab was not whole before the fault: {'; '.join(problems)}")
    return found


def _repair(trial: Trial, fault: Fault, row: Row) -> None:
    started = time.monotonic()
    fault.repair(trial)
    wanted = fault.change or fault.base
    outcome = trial.up(wanted)
    if outcome.exit_code:
        raise LabError(f"`pulumi up` after the repair: {outcome.diagnostics[-1500:]}")
    _prove(trial, wanted)
    row.seconds_to_green = round(time.monotonic() - started, 1)
    row.lost = holdings.wrong(trial.holdings(wanted))


def judge(fault: Fault, row: Row) -> tuple[Verdict, str]:
    """The verdict on a fault after which the platform was green again, and the reason if it is not passed."""
    if row.lost:
        return "lost", "; ".join(row.lost)
    missing = [pattern for pattern in fault.says if not re.search(pattern, row.sees)]
    if missing:
        return "unclear", f"the message lacks {', '.join(missing)}"
    return "passed", ""


def all_good(rows: Sequence[Row]) -> bool:
    """Whether no fault lost anything: each passed, or can't be made here and says so. Without a row, nothing is."""
    return bool(rows) and all(row.verdict in ("passed", "not run here") for row in rows)


def _prove(trial: Trial, change: Edit | None) -> None:
    facts = verify.verify(trial.layout, trial.spec_of(change))
    if bad := [name for name, part in facts.items() if not part["ok"]]:
        raise LabError(f"`make verify` fails: {', '.join(bad)}: {str(facts[bad[0]])[:600]}")


def seed(trial: Trial) -> None:
    """What a tenant would lose: a Secret, a ConfigMap, and a volume with a file."""
    meta = {"name": KEPT, "namespace": NAMESPACE}
    if trial.cluster.get({"apiVersion": "v1", "kind": "Secret", "metadata": meta}):
        return
    value = secrets.token_hex(16)
    done = ssh(trial.layout, WORKERS[0].address, f"mkdir -p {VOLUME} && cat >{VOLUME}/{KEPT}", value)
    if done.returncode:
        raise LabError(f"the tenant's volume could not be written: {done.stderr}")
    storage = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    # The volume names its claim: no claim of a tenant may choose a volume.
    bound_to = {"claimRef": {"name": KEPT, "namespace": NAMESPACE}}
    volume = {"capacity": {"storage": "1Mi"}, "hostPath": {"path": VOLUME}, "persistentVolumeReclaimPolicy": "Retain"}
    claim = {"resources": {"requests": {"storage": "1Mi"}}}
    wanted = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": {**storage, **claim}}
    for manifest in (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"value": value}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": KEPT},
            "spec": {**storage, **volume, **bound_to},
        },
        wanted,
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": meta,
            "data": {"value": base64.b64encode(value.encode()).decode()},
        },
    ):
        trial.cluster.apply(manifest)

    def bound() -> bool:
        found = trial.cluster.get(wanted) or {}
        return (found.get("status") or {}).get("phase") == "Bound"

    wait_until(bound, _BOUND_SECONDS, lambda: f"the claim {KEPT} of {NAMESPACE} is not bound to its volume")


def write(layout: Layout, rows: Sequence[Row]) -> None:
    """`.lab/chaos.json`, and the same as a table in Markdown."""
    result = {"ok": all_good(rows), "cores": os.cpu_count(), "rows": [asdict(row) for row in rows]}
    (layout.state / "chaos.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    (layout.state / "chaos.md").write_text(markdown(rows))


def markdown(rows: Sequence[Row]) -> str:
    """A table for a page of the documentation."""
    lines = ["| fault | result | the user sees | lost | seconds to green |", "|---|---|---|---|---|"]
    for row in rows:
        cells = [row.text, row.verdict, _sees(row), "; ".join(row.lost) or _nothing(row), _seconds(row)]
        lines.append(f"| {' | '.join(' '.join(cell.split()).replace('|', '¦') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def show(console: Console, rows: Sequence[Row]) -> None:
    """The table for a reader at a terminal."""
    table = Table("fault", "result", "the user sees", "lost", "s to green", box=None, pad_edge=False)
    for row in rows:
        colour = {"passed": "green", "not run here": "yellow"}.get(row.verdict, "red")
        verdict = f"[{colour}]{row.verdict}[/{colour}]"
        cells = (_sees(row), "; ".join(row.lost) or _nothing(row), _seconds(row))
        table.add_row(row.text, verdict, *(cell.replace("[", "\\[") for cell in cells))
    console.print(table)
    for row in rows:
        if row.reason and row.verdict not in ("passed", "not run here"):
            console.print(f"{row.name}: {row.reason}", markup=False)


def _sees(row: Row) -> str:
    if row.verdict in ("not made", "not run here"):
        return row.reason
    facts = ", ".join(f"{name}: {value}" for name, value in row.facts.items())
    status = "the update is killed" if row.exit_code is None else f"exit code {row.exit_code}"
    return "; ".join(filter(None, [f"{status}: {row.sees[:_MESSAGE]}" if row.sees else status, facts]))


def _nothing(row: Row) -> str:
    return "nothing" if row.verdict in ("passed", "unclear") else "not known"


def _seconds(row: Row) -> str:
    return "" if row.seconds_to_green is None else f"{row.seconds_to_green:.0f}"
