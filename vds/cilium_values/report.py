"""The results of `cilium-values`, for people and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pydantic.alias_generators import to_camel
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from components.core.versions import parse
from components.network.cilium.chart.explain import Explanation
from components.network.cilium.chart.migrate import Change, Migration
from components.network.cilium.chart.nested import keys, redact, unflatten
from components.network.cilium.chart.upgrade_path import Step
from components.network.cilium.constraints import Verdict
from vds.shared.output import console

_STYLE = {
    Verdict.HONOURED: "green",
    Verdict.KNOWN: "dim",
    Verdict.OTHERWISE: "yellow",
    Verdict.IGNORED: "yellow",
    Verdict.FAILS: "red",
    Verdict.REFUSED: "red",
}


def explained(findings: Sequence[Explanation], asked: str, release: str, form: str) -> dict[str, Any]:
    """The result of `explain`."""
    return {
        "ok": all(finding.as_meant for finding in findings),
        "version": asked,
        "judgedAs": release,
        "source": form,
        "findings": [_row(finding) for finding in findings],
    }


def migrated(
    migration: Migration, steps: Sequence[Step], first: str, begin: str, end: str, form: str
) -> dict[str, Any]:
    """The result of `migrate`."""
    before, after = migration.paths
    return {
        "ok": migration.same,
        "from": begin,
        "to": end,
        "source": form,
        "values": unflatten(migration.values),
        "neverRan": migration.never_ran,
        "changes": [_row(change) for change in migration.changes],
        "findings": [_row(finding) for finding in migration.left],
        "dataPath": {"before": asdict(before), "after": asdict(after)},
        "upgradeCompatibility": first or None,
        "path": [{"version": step.release, "before": list(step.before)} for step in steps],
    }


def _row(row: Explanation | Change) -> dict[str, Any]:
    fields = row._asdict().items()
    return {to_camel(name): dict(value) if isinstance(value, tuple) else value for name, value in fields}


def show_findings(findings: Sequence[Explanation], asked: str, release: str, form: str) -> None:
    """Each key with its effect, the reason, and what to write instead."""
    out = console()
    if asked != release:
        out.print(f"Cilium {asked} is judged by the chart of {release}", markup=False)
    if form != "values file":
        out.print(f"read: {form}", markup=False)
    out.print(_findings(findings, expand=out.is_terminal))
    wrong = sum(not finding.as_meant for finding in findings)
    if wrong:
        verdict = Text(f"on Cilium {release}, {wrong} of {len(findings)} keys do not do what they say", style="red")
    else:
        verdict = Text(f"every key does what it says on Cilium {release}", style="green")
    out.print(verdict)


def _findings(findings: Sequence[Explanation], *, expand: bool) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False, expand=expand)
    table.add_column(overflow="fold", ratio=3)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=6)
    for finding in findings:
        mark = "✓" if finding.as_meant else "✗"
        says = Text(finding.says)
        for key, value in finding.instead:
            says.append(f"\n→ {key}: {redact(keys(key), value)}", style="bold")
        verdict = Text(f"{mark} {finding.verdict.value}", style=_STYLE[finding.verdict])
        table.add_row(Text(f"{finding.key}: {finding.value}"), verdict, says)
    return table


def show_migration(migration: Migration, steps: Sequence[Step], first: str, begin: str, end: str, form: str) -> None:
    """The changes with their reasons, the remaining findings, and the steps of the upgrade; on standard error."""
    out = console(stderr=True)
    out.print(Text(f"from Cilium {begin} to {end} ({form}), changes: {len(migration.changes)}", style="bold"))
    if migration.never_ran:
        out.print(
            Text(
                f"  Cilium {begin} did not run with these values: keys without effect are migrated too", style="yellow"
            )
        )
    for change in migration.changes:
        out.print(_difference(change))
    if migration.same:
        out.print(Text("  both charts were rendered: their cilium-config means the same data path", style="green"))
    if migration.left:
        out.print(Text(f"findings on {end}:", style="bold"))
        out.print(_findings(migration.left, expand=out.is_terminal))
    compatible = f", with upgradeCompatibility: {first!r}" if first else ""
    way = "downgrade" if parse(end) < parse(begin) else "upgrade"
    out.print(Text(f"{way} path, one minor version at a time{compatible}:", style="bold"))
    for step in steps:
        out.print(Text(f"  {step.release}"))
        for note in step.before:
            out.print(Padding(Text(note, style="dim"), (0, 0, 0, 6), expand=False))
    if len(steps) > 1:
        out.print(Text("for the values of a step: run migrate --to with that step"))


def _difference(change: Change) -> Text:
    style = "yellow" if change.changes_behaviour else ""
    text = Text(f"  {change.kind}: {change.why}", style=style)
    for key, value in change.before:
        text.append(f"\n    - {key}: {value}", style="red")
    for key, value in change.after:
        text.append(f"\n    + {key}: {value}", style="green")
    return text
