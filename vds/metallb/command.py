"""`vds metallb`: MetalLB's configuration of releases before 0.13, as this platform has it today."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from components.core.finding import Finding
from components.core.manifests import Manifest
from components.core.messages import in_full
from vds.shared.errors import OperationError
from vds.shared.options import AsJson
from vds.shared.output import print_json

app = typer.Typer(no_args_is_help=True)
LARGEST_BYTES = 1_048_576
"""A ConfigMap is not larger (Kubernetes: 1 MiB)."""


@app.callback()
def _group() -> None:
    pass


@app.command("import")
def import_command(
    file: Annotated[
        Path, typer.Argument(help="A ConfigMap, Helm values with configInline, or the configuration; `-`: from stdin.")
    ],
    *,
    output: Annotated[
        Literal["stack-file", "manifests"],
        typer.Option("--output", help="The stack file's `metallb`, or MetalLB's objects for kubectl."),
    ] = "stack-file",
    as_json: AsJson = False,
) -> None:
    """Turn the ConfigMap of MetalLB 0.12 and older into today's settings, on standard output.

    What means something else today, and what is to be done by hand, is on standard error. Passwords are not repeated.
    Exit code 1: something can't be taken over. Exit code 2: the file can't be read.
    """
    from components.pools.configmap import import_config
    from vds.metallb.reading import find
    from vds.validate.command import finding_as_json

    written = find(_text(file), "standard input" if str(file) == "-" else str(file))
    made = import_config(written.config.value, written.place)
    document = _stack_file(made.metallb) if output == "stack-file" else _manifests(made.metallb, made.problems)
    if as_json:
        findings = [finding_as_json(one) for one in (*made.problems, *made.changed)]
        print_json({"metallb": made.metallb, "findings": findings})
    else:
        _print(document, made.changed, made.problems)
    raise typer.Exit(1 if made.problems else 0)


def _text(file: Path) -> str:
    with sys.stdin.buffer if str(file) == "-" else file.open("rb") as source:
        content = source.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise OperationError(f"{file}: is larger than {LARGEST_BYTES} bytes: name MetalLB's ConfigMap")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OperationError(f"{file}: is no UTF-8 text: name MetalLB's ConfigMap") from None


def _stack_file(metallb: dict[str, Any]) -> list[Manifest]:
    from vds.init.template import METALLB

    if not metallb:
        return []
    return [{"metallb": {"install": {"kind": "helm", "version": METALLB.strip('"')}, **metallb}}]


def _manifests(metallb: dict[str, Any], problems: list[Finding]) -> list[Manifest]:
    from components.pools.model import MetalLbSpec
    from components.pools.render import metallb_manifests

    if problems:
        return []  # they would be less than the old configuration
    spec = MetalLbSpec.model_validate({"install": {"kind": "existing"}, **metallb}, by_alias=True, by_name=False)
    return metallb_manifests(spec)


def _print(document: list[Manifest], changed: list[Finding], problems: list[Finding]) -> None:
    from components.charts.kubernetes_yaml import dump

    if document:
        print("---\n".join(dump(one, sort=False) for one in document), end="")
    for one in changed:
        print(f"changed: {one}", file=sys.stderr)
    for one in problems:
        print(f"error: {one}", file=sys.stderr)
    if problems:
        print(in_full(problems)[0], file=sys.stderr)
