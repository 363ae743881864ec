"""`vds preview-comment`: what a change would do to the stacks it touches, for whoever reviews it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from components.stackfile.parsing import SpecError, parse
from components.stackfile.spec import PlatformSpec
from vds.preview_comment import poster, residency, runner
from vds.preview_comment.events import Change
from vds.preview_comment.masking import masked
from vds.preview_comment.render import comment, full, marker
from vds.preview_comment.report import Preflight, StackReport, as_json, preflight
from vds.preview_comment.touched import reasons
from vds.shared.errors import OperationError

Stacks = Annotated[list[str], typer.Option("--stack", "-s", help="A stack that may be touched; can be said again.")]


def preview_comment(
    stacks: Stacks,
    *,
    base: Annotated[str, typer.Option(help="The branch or commit that the change is to go into.")] = "main",
    config_file: Annotated[Path | None, typer.Option(help="Stands for Pulumi.<stack>.yaml, of one stack.")] = None,
    facts_file: Annotated[Path | None, typer.Option("--facts", help="From `doctor --facts`, of one stack.")] = None,
    pack_config: Annotated[
        Path | None, typer.Option("--policy-pack-config", help="JSON, as `pulumi up` takes it.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the comment there.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the full report there, however long.")] = None,
    report_link: Annotated[str, typer.Option(help="Where a reader of the comment finds the full report.")] = "",
    as_json_document: Annotated[bool, typer.Option("--json", help="Print verdicts as JSON and nothing else.")] = False,
    post: Annotated[bool, typer.Option(help="Write or edit the comment on the pull request.")] = False,
    pull_request: Annotated[int | None, typer.Option(help="Its number, where the CI does not say.")] = None,
    require_preview: Annotated[bool, typer.Option(help="A stack without a preview ends with 1 too.")] = False,
) -> None:
    """Preview every stack that the change touches, with policies, and say it in one comment.

    Ends with 0 if nothing stops an update, with 1 if something does, with 2 if it could not look.
    """
    stacks = list(dict.fromkeys(stacks))
    if len(stacks) > 1 and (config_file or facts_file):
        raise OperationError("--config-file and --facts are of one stack: name one --stack, or leave them out")
    thread = poster.thread(number=pull_request) if post else None
    console, project = Console(stderr=True), Path.cwd()
    against = runner.base_of(base, project)
    reports = []
    for stack in stacks:
        with console.status(f"previewing {stack}"):
            reports.append(look(stack, against, project, config_file, facts_file=facts_file, pack_config=pack_config))
    text = comment(reports, full_report=report_link)
    if report:
        report.write_text(full(reports), encoding="utf-8")
    if output:
        output.write_text(text, encoding="utf-8")
    if as_json_document:
        print(json.dumps(as_json(reports), indent=2, ensure_ascii=False))
    elif not output:
        print(text, end="")
    if thread:
        touched = any(one.touched_by for one in reports)
        done = poster.post(thread, text, marker(stacks), worth_writing=touched)
        console.print(f"comment {done}", highlight=False)
    missing = require_preview and any(one.unavailable for one in reports)
    raise typer.Exit(1 if missing or any(one.stopped for one in reports) else 0)


def look(
    stack: str,
    against: runner.Base,
    project: Path,
    config_file: Path | None,
    *,
    facts_file: Path | None,
    pack_config: Path | None,
) -> StackReport:
    """Everything known of the change to one stack."""
    file = config_file or Path(f"Pulumi.{stack}.yaml")
    try:
        text = (project / file).read_text(encoding="utf-8")
    except OSError as error:
        raise OperationError(f"{file} can't be read ({error.strerror}): correct --stack or --config-file") from None
    name, before = file.as_posix(), None
    tracked = runner.is_tracked(name, project)
    if tracked:
        before = runner.spec_at(against.commit, name, project)
        touched_by = reasons(against.changed, [name, *_files_of(text)])
    else:
        touched_by = (f"{file.name} (not in git)",)
    if not touched_by:
        return StackReport(stack)
    after, spec, problems = _read(text, project)
    before = before if tracked else after  # of a file that git does not know there is nothing to compare
    report = StackReport(stack, touched_by, problems=problems)
    if facts_file and spec:
        report = replace(report, preflight=_preflight(facts_file, spec))
    preview, unavailable = report.preview, "the stack file must be put right first"
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
    return replace(report, preview=preview, dependencies=made_from, residency=delta)


def _read(text: str, project: Path) -> tuple[Mapping[str, Any] | None, PlatformSpec | None, tuple[str, ...]]:
    """The spec as data and as a model, as far as it is one, and what is wrong with it."""
    try:
        data = runner.spec_of(text)
    except ValueError as error:
        return None, None, (f"the stack file {error}: copy Pulumi.oslo.yaml",)
    try:
        return data, parse(data, base_dir=project), ()
    except SpecError as error:
        return data, None, tuple(str(problem) for problem in error.problems)


def _files_of(text: str) -> tuple[str, ...]:
    try:
        ssh = runner.spec_of(text).get("ssh")
    except ValueError:
        return ()
    named = ssh.get("knownHostsFile") if isinstance(ssh, Mapping) else None
    return (str(named),) if named else ()


def _preflight(file: Path, spec: PlatformSpec) -> Preflight:
    try:
        return preflight(file.read_text(encoding="utf-8"), spec, now=time.time())
    except OSError as error:
        raise OperationError(f"--facts {file} can't be read ({error.strerror}): correct its name") from None


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(preview_comment)
