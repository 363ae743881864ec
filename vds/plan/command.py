"""`vds plan`: what an update would do with the state that a stack has, without its passphrase."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from components.core.untrusted import json_value
from components.stackfile.parsing import check_file
from vds.evidence.export import exported, read_file
from vds.preview_comment import reach
from vds.preview_comment.change import stack_file
from vds.preview_comment.difference import changed_paths
from vds.preview_comment.events import Change, Preview
from vds.preview_comment.releases import with_objects
from vds.preview_comment.render import comment
from vds.preview_comment.report import StackReport, document_of
from vds.preview_comment.residency import of_changes
from vds.preview_comment.runner import Side, compare_state
from vds.shared import pulumi
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, PackConfig, StackName
from vds.shared.output import console, print_json


def plan(
    stack: StackName,
    *,
    state: Annotated[
        Path | None, typer.Option("--state", help="Output of `pulumi stack export`. Default: ask the backend.")
    ] = None,
    pack_config: PackConfig = None,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Exit code 1 also if anything would change.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compares the state with the stack file of this folder, and has the policies judge it.

    It needs the login of the backend, and no passphrase, no key and no access to nodes or cluster: encrypted values are
    not compared. What was changed by hand in the cluster is not seen.

    Exit code 1: something prevents an update.
    """
    file = stack_file(stack)
    text = read_file(Path(file))
    checked = check_file(text, file, Path.cwd(), date.today(), stack=stack)
    report = StackReport(stack, (file,), compared="state")
    report = replace(report, problems=tuple(str(one) for one in checked.findings if not one.advice))
    if checked.spec:
        with console(stderr=True).status(f"comparing {stack}"):
            preview = _preview(stack, read_file(state) if state else exported(stack), text, pack_config)
        pairs = reach.of_changes(preview.changes) if preview.complete else ()
        report = replace(report, preview=preview, residency=of_changes(preview.changes), reach=pairs)
    else:
        report = replace(report, unavailable="the stack file must be corrected first")
    if as_json:
        print_json(document_of([report]))
    else:
        print(comment([report]), end="")
    differs = expect_no_changes and bool(report.preview.of("create", "update", "replace", "delete"))
    raise typer.Exit(1 if report.stopped or differs else 0)


def _preview(stack: str, state: str, text: str, pack_config: Path | None) -> Preview:
    try:
        stored = json_value(state, most=pulumi.LARGEST_STATE)
    except ValueError:
        raise OperationError(f"stack {stack}: its state is not JSON: name the output of pulumi stack export") from None
    side = Side(Path.cwd(), text)
    found = compare_state(stack, stored, side, pack=Path.cwd() / pulumi.PACK, pack_config=pack_config).preview
    return replace(found, changes=tuple(with_objects(_compared(change)) for change in found.changes))


def _compared(change: Change) -> Change:
    """The change; one of secrets alone stays the same, because no secret was compared."""
    only_secrets = change.op == "update" and {*changed_paths(change)} <= {*change.secrets}
    return replace(change, op="same") if only_secrets else change
