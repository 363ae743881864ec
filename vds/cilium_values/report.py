"""The results of `cilium-values`, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from components.network.cilium.chart.explain import Explanation
from components.network.cilium.chart.history import Verdict
from components.network.cilium.chart.migrate import Change
from components.network.cilium.chart.nested import keys, redact, unflatten
from components.network.cilium.chart.upgrade_path import Step
from vds.shared.output import console

_STYLE = {
    Verdict.HONOURED: "green",
    Verdict.KNOWN: "dim",
    Verdict.OTHERWISE: "yellow",
    Verdict.IGNORED: "yellow",
    Verdict.FAILS: "red",
    Verdict.REFUSED: "red",
}


def explained(findings: Sequence[Explanation], asked: str, release: str) -> dict[str, Any]:
    """The result of `explain`."""
    return {
        "ok": all(finding.as_meant for finding in findings),
        "version": asked,
        "judgedAs": release,
        "findings": [_finding(finding) for finding in findings],
    }


def migrated(steps: Sequence[Step], left: Sequence[Explanation], begin: str, end: str) -> dict[str, Any]:
    """The result of `migrate`; `left` are the findings about the new values."""
    last = steps[-1].migration
    return {
        "ok": not left and not any(change.changes_behaviour for change in last.changes),
        "from": begin,
        "to": end,
        "values": unflatten(last.values),
        "neverRan": last.never_ran,
        "changes": [_change(change) for change in last.changes],
        "findings": [_finding(finding) for finding in left],
        "path": [
            {
                "version": step.release,
                "upgradeCompatibility": step.upgrade_compatibility or None,
                "before": list(step.before),
                "values": unflatten(step.migration.values),
            }
            for step in steps
        ],
    }


def _finding(finding: Explanation) -> dict[str, Any]:
    return {
        "key": finding.key,
        "value": finding.value,
        "verdict": finding.verdict.value,
        "asMeant": finding.as_meant,
        "says": finding.says,
        "instead": dict(finding.instead),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "before": dict(change.before),
        "after": dict(change.after),
        "why": change.why,
        "changesBehaviour": change.changes_behaviour,
    }


def show_findings(findings: Sequence[Explanation], asked: str, release: str) -> None:
    """Each key with its effect, the reason, and what to write instead."""
    out = console()
    if asked != release:
        out.print(f"Cilium {asked} is judged as {release}, the nearest release whose chart is known", markup=False)
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


def show_migration(steps: Sequence[Step], left: Sequence[Explanation], begin: str, end: str) -> None:
    """The changes with their reasons, the remaining findings, and the steps of the upgrade; on standard error."""
    out = console(stderr=True)
    last = steps[-1].migration
    out.print(Text(f"from Cilium {begin} to {end}, changes: {len(last.changes)}", style="bold"))
    if last.never_ran:
        out.print(
            Text(
                f"  Cilium {begin} did not run with these values: keys without effect are migrated too", style="yellow"
            )
        )
    for change in last.changes:
        out.print(_difference(change))
    if left:
        out.print(Text(f"findings on {end}:", style="bold"))
        out.print(_findings(left, expand=out.is_terminal))
    out.print(Text("upgrade path, one minor version at a time:", style="bold"))
    for step in steps:
        compatible = f"upgradeCompatibility: {step.upgrade_compatibility!r}" if step.upgrade_compatibility else ""
        out.print(Text(f"  {step.release:8} {compatible}".rstrip()))
        for note in step.before:
            out.print(Padding(Text(note, style="dim"), (0, 0, 0, 11)))
    if len(steps) > 1:
        out.print(Text("for the values of a step: run migrate --to with that step, or --json for all steps"))


def _difference(change: Change) -> Text:
    style = "yellow" if change.changes_behaviour else ""
    text = Text(f"  {change.kind}: {change.why}", style=style)
    for key, value in change.before:
        text.append(f"\n    - {key}: {value}", style="red")
    for key, value in change.after:
        text.append(f"\n    + {key}: {value}", style="green")
    return text
