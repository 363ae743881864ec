"""Show the suites' results as a table."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.asking import Facts


def show(console: Console, results: Facts) -> None:
    """A row for each suite and group of tests, and below it what failed."""
    table = Table("", "suite", "tests", "passed", "failed", "skipped", "seconds", box=None, pad_edge=False)
    for name, facts in results.items():
        mark = "[green]✓[/green]" if facts["ok"] else "[red]✗[/red]"
        title, seconds = f"{name} {facts['version']}", str(facts["seconds"])
        for group, counts in facts.get("groups", {}).items():
            numbers = (str(counts[key]) for key in ("passed", "failed", "skipped"))
            table.add_row(mark, title, group, *numbers, seconds)
            mark = title = seconds = ""
        if "error" in facts:
            table.add_row(mark, title, "did not run", "", "", "", seconds)
    console.print(table)
    for name, facts in results.items():
        for line in remarks(facts):
            console.print(f"{name}: {escape(line)}", soft_wrap=True)


def remarks(facts: Facts) -> list[str]:
    """What is to be said of a suite's result, a sentence each."""
    if "error" in facts:
        return [facts["error"]]
    lines = [f"{test} fails, and is not in expected.yaml" for test in facts["unexpected"]]
    lines += [f"{test} fails as expected: {reason}" for test, reason in facts["expected"].items()]
    lines += [f"{test} does not fail any more: remove it from expected.yaml" for test in facts["passes_now"]]
    lines += [f"left out: {test}" for test in facts["skipped"]]
    return [*lines, f"its report: {facts['report']}"]
