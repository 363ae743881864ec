"""The operator's commands, gathered; each has its own module, with `register(app)`."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from vds.shared.errors import OperationError

_MODULES = {
    "bench": "vds.bench.command",
    "charts": "vds.charts.command",
    "cilium-values": "vds.cilium_values.command",
    "doctor": "vds.doctor.command",
    "evidence": "vds.evidence.command",
    "gateway-crds": "vds.gateway_crds.command",
    "decommission": "vds.decommission.command",
    "inspect": "vds.inspect.command",
    "preview-comment": "vds.preview_comment.command",
    "recommission": "vds.decommission.command",
}
"""Command → the module that has it."""


def application(command: str = "") -> typer.Typer:
    """All commands; or only the module of the one that is asked for.

    Everything together takes a second to load, and the engine runs `recommission` once for every node.
    """
    app = typer.Typer(
        help="What people run beside `pulumi up`.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(lambda: None)  # a group even while it holds one command: typer would leave its name out
    modules = [_MODULES[command]] if command in _MODULES else sorted(set(_MODULES.values()))
    for name in modules:
        import_module(name).register(app)
    return app


def main() -> None:
    """Run a command; what an operator can do something about is one line, and no traceback."""
    try:
        application(sys.argv[1] if len(sys.argv) > 1 else "")(prog_name="vds")
    except OperationError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
