"""The findings of preflight and doctor as a table for people."""

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
