"""`vds post-comment`: writes the comment that `vds preview-comment --save` has prepared to the pull request."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from vds.post_comment import poster
from vds.preview_comment.change import Changeset, change_between
from vds.preview_comment.command import Base, ReportLink, Stacks, agency_files, begun, begun_file
from vds.preview_comment.render import comment, marker
from vds.preview_comment.report import StackReport, loaded

_NONE = "its preview has not ended, or waits for a reviewer: see the checks of this pull request"


def post_comment(
    stacks: Stacks = None,
    *,
    head: Annotated[str, typer.Option(help="Commit of the change that was previewed.")],
    base: Base = "main",
    reports_file: Annotated[
        Path | None, typer.Option("--reports", help="File of `vds preview-comment --save`. Default: no preview yet.")
    ] = None,
    report_link: ReportLink = "",
) -> None:
    """Run this with the base's code: it has the token of the forge, and executes nothing of the change.

    The file may come from a job that ran a stranger's program. Its form is checked. Which files the change has, and
    whether the program changes, is asked of git again. Only an open pull request whose newest commit is --head gets a
    comment.
    """
    stacks = list(dict.fromkeys(stacks or ()))
    change = change_between(base, head, Path.cwd())
    thread = poster.thread(change.head or "")
    content = reports_file.read_bytes() if reports_file and reports_file.is_file() else b"[]"
    reports = judged(stacks, change, loaded(content))
    text = comment(reports, full_report=report_link)
    done = poster.post(thread, text, marker(stacks), worth_writing=any(one.touched_by for one in reports))
    print(f"comment {done}")


def judged(stacks: Sequence[str], change: Changeset, reports: Sequence[StackReport]) -> list[StackReport]:
    """The reports with what git says in place of what they say."""
    by_stack = {report.stack: report for report in reports}
    files = [*(change.registrations if stacks else ()), *agency_files(change, stacks)]
    known = [*(begun(stack, change) for stack in stacks), *(begun_file(file, change) for file in files)]
    return [
        replace(by_stack[own.stack], touched_by=own.touched_by, program=own.program, compared=own.compared)
        if own.stack in by_stack and own.touched_by
        else replace(own, unavailable=_NONE if own.touched_by else "")
        for own in known
    ]
