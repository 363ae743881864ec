"""`vds preview-comment`: previews a change for its reviewers."""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from components.stackfile.parsing import SpecError, check_file, read_stack_file, read_text, spec_data
from components.stackfile.spec import PlatformSpec
from vds.preview_comment import poster, residency, runner
from vds.preview_comment.events import Change
from vds.preview_comment.masking import masked
from vds.preview_comment.releases import with_objects
from vds.preview_comment.render import comment, full, marker
from vds.preview_comment.report import Preflight, StackReport, document_of, preflight
from vds.preview_comment.touched import reasons
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, ConfigFile, PackConfig
from vds.shared.output import console, print_json

Stacks = Annotated[
    list[str], typer.Option("--stack", "-s", help="Name of a stack that the change may affect; can be repeated.")
]


def preview_comment(
    stacks: Stacks,
    *,
    base: Annotated[str, typer.Option(help="Branch or commit to merge into.")] = "main",
    config_file: ConfigFile = None,
    facts_file: Annotated[
        Path | None, typer.Option("--facts", help="Facts from `vds doctor --facts`, for one stack.")
    ] = None,
    pack_config: PackConfig = None,
    output: Annotated[Path | None, typer.Option(help="Write the comment to this file.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the full report to this file.")] = None,
    report_link: Annotated[str, typer.Option(help="URL of the full report, for a link in the comment.")] = "",
    as_json: AsJson = False,
    post: Annotated[
        bool, typer.Option("--post", help="Post the comment to the pull request, or update it there.")
    ] = False,
    pull_request: Annotated[
        int | None, typer.Option(help="Number of the pull request. Default: from the CI's environment.")
    ] = None,
    require_preview: Annotated[
        bool, typer.Option("--require-preview", help="Exit code 1 also if a stack has no preview.")
    ] = False,
) -> None:
    """Previews every stack that the change affects, with policies, in one comment for all stacks.

    Exit code 1: something prevents an update.
    """
    stacks = list(dict.fromkeys(stacks))
    if len(stacks) > 1 and (config_file or facts_file):
        raise OperationError("--config-file and --facts are of one stack: name one --stack, or leave them out")
    thread = poster.thread(number=pull_request) if post else None
    progress, project = console(stderr=True), Path.cwd()
    against = runner.base_of(base, project)
    reports = []
    for stack in stacks:
        with progress.status(f"previewing {stack}"):
            reports.append(
                examine(stack, against, project, config_file, facts_file=facts_file, pack_config=pack_config)
            )
    text = comment(reports, full_report=report_link)
    if report:
        report.write_text(full(reports), encoding="utf-8")
    if output:
        output.write_text(text, encoding="utf-8")
    if as_json:
        print_json(document_of(reports))
    elif not output:
        print(text, end="")
    if thread:
        touched = any(one.touched_by for one in reports)
        done = poster.post(thread, text, marker(stacks), worth_writing=touched)
        progress.print(f"comment {done}")
    missing = require_preview and any(one.unavailable for one in reports)
    raise typer.Exit(1 if missing or any(one.stopped for one in reports) else 0)


def examine(
    stack: str,
    against: runner.Base,
    project: Path,
    config_file: Path | None,
    *,
    facts_file: Path | None,
    pack_config: Path | None,
) -> StackReport:
    """The report on one stack."""
    file = config_file or Path(f"Pulumi.{stack}.yaml")
    try:
        text = read_text(project / file)
    except OSError as error:
        raise OperationError(
            f"{file} can't be read ({error.strerror or error}): correct --stack or --config-file"
        ) from None
    name, before = file.as_posix(), None
    tracked = runner.is_tracked(name, project)
    if tracked:
        before = runner.spec_at(against.commit, name, project)
        touched_by = reasons(against.changed, [name, *_files_of(text, project)])
    else:
        touched_by = (f"{file.name} (not in git)",)
    if not touched_by:
        return StackReport(stack)
    checked = check_file(text, name, project, date.today(), stack=stack)
    after, spec = checked.data if isinstance(checked.data, Mapping) else None, checked.spec
    problems = tuple(str(one) for one in checked.findings if not one.advice)
    before = before if tracked else after  # of a file that git does not know there is nothing to compare
    report = StackReport(stack, touched_by, problems=problems)
    if facts_file and spec:
        report = replace(report, preflight=_preflight(facts_file, spec))
    preview, unavailable = report.preview, "the stack file must be corrected first"
    if spec:
        preview, unavailable = runner.preview(stack, project / file, project, pack_config=pack_config)
    if unavailable:
        urn = f"stack-file::{stack}"
        spec_change = Change(urn, "stack-file", "update", old=masked(before or {}), new=masked(after or {}))
        delta = residency.of_specs(before, after)
        return replace(report, unavailable=unavailable, spec_change=spec_change, residency=delta)
    wanted = any(change.op == "replace" for change in preview.changes)
    made_from = runner.dependencies(stack, project) if wanted else {}
    delta = residency.of_changes(preview.changes) if preview.complete else residency.of_specs(before, after)
    preview = replace(preview, changes=tuple(map(with_objects, preview.changes)))
    return replace(report, preview=preview, dependencies=made_from, residency=delta)


def _files_of(text: str, project: Path) -> tuple[str, ...]:
    """The other files that a stack is made of."""
    try:
        shared = read_stack_file(text, "").defaults
    except SpecError:
        shared = None
    spec = spec_data(text, lambda name: read_text(project / name)) or {}
    named = [shared, _at(spec, "ssh", "knownHostsFile"), _at(spec, "gateway", "crds", "path")]
    return tuple(str(Path(name)) for name in named if isinstance(name, str))


def _at(group: Any, *path: str) -> Any:
    for key in path:
        group = group.get(key) if isinstance(group, Mapping) else None
    return group


def _preflight(file: Path, spec: PlatformSpec) -> Preflight:
    try:
        return preflight(file.read_text(encoding="utf-8"), spec, now=time.time())
    except OSError as error:
        raise OperationError(f"--facts {file} can't be read ({error.strerror}): correct its name") from None
