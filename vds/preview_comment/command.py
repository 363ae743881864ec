"""`vds preview-comment`: previews a change for its reviewers, with public values only."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from components.stackfile.parsing import check_file
from components.stackfile.spec import PlatformSpec
from vds.preview_comment import reach, residency
from vds.preview_comment.agency import CONTRACT_FILE, PROJECT_FILE, Texts, agency_report
from vds.preview_comment.change import Changeset, change_between, stack_file
from vds.preview_comment.events import Change
from vds.preview_comment.masking import masked
from vds.preview_comment.registration import capacity_of, environment_of, registration_report
from vds.preview_comment.releases import with_objects
from vds.preview_comment.render import comment, full
from vds.preview_comment.report import Preflight, StackReport, document_of, preflight, saved
from vds.preview_comment.runner import Side, compare
from vds.preview_comment.touched import ProgramChange, is_registration
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, PackConfig
from vds.shared.output import console, print_json

Stacks = Annotated[
    list[str] | None,
    typer.Option(
        "--stack", "-s", help="Stack of an environment that the change may affect; can be repeated. None: an agency's."
    ),
]
Base = Annotated[str, typer.Option(help="Branch or commit to merge into.")]
ReportLink = Annotated[str, typer.Option(help="URL of the full report, for a link in the comment.")]


def preview_comment(
    stacks: Stacks = None,
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

    Changed registrations (`tenants/Pulumi.*.yaml`) are in it, and in a project of an agency, which has contract.yaml,
    all stacks of it. Their objects are compared without the engine.

    It compares the base's description with the change's and needs no login, no passphrase and no access to nodes or
    cluster. With --head, nothing of the change is executed unless --program names a checkout of it; this project's
    program and policies judge its data.

    Exit code 1: something prevents an update.
    """
    stacks = list(dict.fromkeys(stacks or ()))
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
    reports += [examine_registration(file, change, facts_file) for file in change.registrations if stacks]
    reports += [examine_agency(file, change) for file in agency_files(change, stacks)]
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


def examine_registration(file: str, change: Changeset, facts_file: Path | None) -> StackReport:
    """The report on a changed registration. Its objects are rendered by this project's code."""
    texts = change.all_registrations()
    name = environment_of(texts[file]) if file in texts else None
    text = change.text_after(stack_file(name)) if name else None
    spec = capacity = None
    if name and text is not None:
        with tempfile.TemporaryDirectory(prefix="vds-platform-change-") as folder:
            project = change.export_base(Path(folder)) if change.head else change.project
            if change.head:
                change.put_data(project)
            spec = check_file(text, stack_file(name), project, date.today(), stack=name).spec
    if facts_file and spec:
        capacity = capacity_of(_read(facts_file), spec, now=time.time())
    report = begun_file(file, change)
    return registration_report(report, change.text_before(file), texts, spec, capacity, date.today())


def agency_files(change: Changeset, stacks: Sequence[str]) -> tuple[str, ...]:
    """The stack files of an agency's project; none where stacks of environments are named. Raises OperationError."""
    if stacks:
        return ()
    if change.content_after(CONTRACT_FILE) is None and change.text_before(CONTRACT_FILE) is None:
        raise OperationError(f"write --stack, or run this in an agency's project, which has {CONTRACT_FILE}")
    return change.stack_files()


def examine_agency(file: str, change: Changeset) -> StackReport:
    """The report on a stack of an agency's project."""
    report = begun_file(file, change)
    if not report.touched_by:
        return report
    names = (PROJECT_FILE, file, CONTRACT_FILE)
    return agency_report(report, *(Texts(*map(side, names)) for side in (change.text_before, change.text_after)))


def begun_file(file: str, change: Changeset) -> StackReport:
    """What git alone says of a registration, or of a stack of an agency."""
    if is_registration(file):
        return StackReport(file, (file,), compared="objects", program=change.program)
    read = {PROJECT_FILE, file, CONTRACT_FILE} & change.modes.keys()
    others = {name for name in change.modes if not name.endswith(".md")} - {*change.stack_files(), *read}
    program = ProgramChange(tuple(sorted(others))) if others else None
    return StackReport(file, tuple(sorted({*read, *others})), compared="objects", program=program)


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
    return preflight(_read(file), spec, now=time.time())


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise OperationError(f"--facts {file} can't be read ({error.strerror}): correct its name") from None
