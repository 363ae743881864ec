"""The findings of preflight and doctor as a table for people."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from components.nodes.preflight.checks import Check
from components.nodes.preflight.verdict import CheckResult, State

MARKS: dict[State, str] = {
    "ok": "[green]✓[/green]",
    "fails": "[red]✗[/red]",
    "advice": "[yellow]![/yellow]",
    "unproved": "[dim]~[/dim]",
    "unknown": "[dim]?[/dim]",
}
LEGEND = "✓ good · ✗ fails · ! advice · ~ a container's, shared with its host · ? unknown"


def findings_table(found: Iterable[CheckResult]) -> Table:
    """A row for each check; nodes with the same answer share a line."""
    table = Table(box=None, pad_edge=False, show_header=True, header_style="bold", caption=LEGEND)
    table.caption_justify = "left"
    table.add_column("")
    table.add_column("check", max_width=26)
    table.add_column("measured, per node where they differ")
    rows: dict[Check, dict[tuple[State, str, str], list[str]]] = {}
    everyone: dict[str, None] = {}
    for finding in found:
        everyone[finding.node] = None
        answers = rows.setdefault(finding.check, {})
        answers.setdefault((finding.state, finding.measured, finding.limit), []).append(finding.node)
    for check, answers in rows.items():
        title = check.title
        for (state, measured, limit), nodes in answers.items():
            where = "" if len(nodes) == len(everyone) else f"{', '.join(nodes)}: "
            wanted = f" (limit {limit})" if limit else ""
            remedy = f": {check.remedy}" if state in ("fails", "advice") and check.remedy else ""
            table.add_row(MARKS[state], title, escape(f"{where}{measured}{wanted}{remedy}"))
            title = ""
    return table
