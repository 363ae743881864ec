"""`vds preview-comment`: previews a change for its reviewers, with public values only."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from components.stackfile.parsing import check_file
from components.stackfile.spec import PlatformSpec
from vds.preview_comment import reach, residency
from vds.preview_comment.change import Changeset, change_between, stack_file
from vds.preview_comment.events import Change
from vds.preview_comment.masking import masked
from vds.preview_comment.releases import with_objects
from vds.preview_comment.render import comment, full
from vds.preview_comment.report import Preflight, StackReport, document_of, preflight, saved
from vds.preview_comment.runner import Side, compare
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, PackConfig
from vds.shared.output import console, print_json

Stacks = Annotated[
    list[str], typer.Option("--stack", "-s", help="Name of a stack that the change may affect; can be repeated.")
]
Base = Annotated[str, typer.Option(help="Branch or commit to merge into.")]
ReportLink = Annotated[str, typer.Option(help="URL of the full report, for a link in the comment.")]


def preview_comment(
    stacks: Stacks,
    *,
    base: Base = "main",
    head: Annotated[str | None, typer.Option(help="Commit of the change. Default: the working tree.")] = None,
    program: Annotated[
        Path | None,
        typer.Option(
            help="With --head: a checkout of it with its own .venv, whose program is run. Only after a review."
        ),
    ] = None,
    facts_file: Annotated[
        Path | None, typer.Option("--facts", help="Facts from `vds doctor --facts`, for one stack.")
    ] = None,
    pack_config: PackConfig = None,
    output: Annotated[Path | None, typer.Option(help="Write the comment to this file.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the full report to this file.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write what `vds post-comment` reads to this file.")] = None,
    report_link: ReportLink = "",
    as_json: AsJson = False,
    require_preview: Annotated[
        bool, typer.Option("--require-preview", help="Exit code 1 also if a stack has no preview.")
    ] = False,
) -> None:
    """Previews every stack that the change affects, with policies, in one comment for all stacks.

    It compares the base's description with the change's and needs no login, no passphrase and no access to nodes or
    cluster. With --head, nothing of the change is executed unless --program names a checkout of it; this project's
    program and policies judge its data.

    Exit code 1: something prevents an update.
    """
    stacks = list(dict.fromkeys(stacks))
    if len(stacks) > 1 and facts_file:
        raise OperationError("--facts are of one stack: name one --stack, or leave them out")
    if program and not head:
        raise OperationError("--program goes with --head: without it the program of this folder is run")
    progress = console(stderr=True)
    change = change_between(base, head, Path.cwd())
    reports = []
    for stack in stacks:
        with progress.status(f"previewing {stack}"):
            reports.append(examine(stack, change, program, facts_file=facts_file, pack_config=pack_config))
    text = comment(reports, full_report=report_link)
    for file, content in ((report, full(reports)), (output, text), (save, saved(reports))):
        if file:
            file.write_text(content, encoding="utf-8")
    if as_json:
        print_json(document_of(reports))
    elif not output:
        print(text, end="")
    missing = require_preview and any(one.unavailable for one in reports)
    raise typer.Exit(1 if missing or any(one.stopped for one in reports) else 0)


def examine(
    stack: str, change: Changeset, program: Path | None, *, facts_file: Path | None, pack_config: Path | None
) -> StackReport:
    """The report on one stack."""
    name = stack_file(stack)
    report = begun(stack, change)
    text = change.text_after(name)
    if not report.touched_by:
        return report
    if text is None:
        return replace(report, unavailable=f"the change has no {name}, or it is no UTF-8 text")
    with tempfile.TemporaryDirectory(prefix="vds-platform-change-") as folder:
        project = _project(change, Path(folder) / "change", program)
        checked = check_file(text, name, project, date.today(), stack=stack)
        after, spec = checked.data if isinstance(checked.data, Mapping) else None, checked.spec
        described = masked(change.spec_before(name) or {}), masked(after or {})
        delta = residency.of_specs(*described)
        report = replace(report, problems=tuple(str(one) for one in checked.findings if not one.advice))
        if facts_file and spec:
            report = replace(report, preflight=_preflight(facts_file, spec))
        waits = report.program is not None and change.head is not None and program is None
        if waits or not spec:
            unavailable = _WAITS if waits else "the stack file must be corrected first"
            urn = f"stack-file::{stack}"
            differs = Change(urn, "stack-file", "update", old=described[0], new=described[1])
            return replace(report, unavailable=unavailable, spec_change=differs, residency=delta)
        old = change.text_before(name)
        base = Side(_with_environment(change.export_base(Path(folder) / "base")), old) if old is not None else None
        pack = change.project / "policies"
        found = compare(stack, base, Side(project, text), pack=pack, pack_config=pack_config)
    preview = found.preview
    if preview.complete:
        delta = delta.over(residency.of_changes(preview.changes))
    return replace(
        report,
        preview=replace(preview, changes=tuple(map(with_objects, preview.changes))),
        dependencies=found.dependencies,
        residency=delta,
        reach=reach.of_changes(preview.changes) if preview.complete else (),
        unknown_base=found.unknown_base,
    )


_WAITS = "the program changes, and is not run before a reviewer has approved it"


def begun(stack: str, change: Changeset) -> StackReport:
    """What git alone says: which files touch the stack, and whether the program changes."""
    touched = change.touched(stack)
    return StackReport(stack, touched, program=change.program if touched else None)


def _project(change: Changeset, into: Path, program: Path | None) -> Path:
    """The folder whose program is run: of the base with the data of the change, or the change itself."""
    if change.head is None:
        return change.project
    if program:
        return program.resolve()
    made = _with_environment(change.export_base(into))
    change.put_data(made)
    return made


def _with_environment(project: Path) -> Path:
    """The exported project with the Python environment of this one."""
    if (own := Path.cwd() / ".venv").exists():
        (project / ".venv").symlink_to(own)
    return project


def _preflight(file: Path, spec: PlatformSpec) -> Preflight:
    try:
        return preflight(file.read_text(encoding="utf-8"), spec, now=time.time())
    except OSError as error:
        raise OperationError(f"--facts {file} can't be read ({error.strerror}): correct its name") from None
