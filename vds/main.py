"""`vds`: the command line. A command's module is imported only when that command runs."""

import json
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from inspect import cleandoc
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command, get_group

from components.core.untrusted import without_escapes
from components.kubernetes_api import KubeconfigError
from vds.shared.errors import OperationError

_MODULES = {
    "admission": ("admission:admission", "Wait until MetalLB's webhook answers. Pulumi runs this."),
    "agency": ("agency:app", "Write or check an agency's own project, without a cluster."),
    "announced": ("announced:announced", "Wait for a node that announces the gateway's address. Pulumi runs this."),
    "backend-login": (
        "backend_login:backend_login",
        "Run a command with the CI job's identity for the state backend.",
    ),
    "backup": ("backup:app", "Take a snapshot of etcd, see when the last one was, and check that one can be restored."),
    "bench": ("bench:app", "Measure the network between two nodes."),
    "canary": ("canary:app", "Promote a canary step by step, or roll it back, by what its requests show."),
    "charts": ("charts:app", "Pin Helm charts by their SHA-256, check them, and list their images."),
    "cilium-values": ("cilium_values:app", "Explain Helm values of Cilium, or migrate them."),
    "decommission": (
        "decommission:decommission_command",
        "Drain a node and restore it. Pulumi runs this when a node leaves.",
    ),
    "doctor": ("doctor:doctor", "Check nodes, cluster and gateway against the stack file."),
    "evidence": ("evidence:evidence", "Write a report for an auditor: where data is processed, and the proof."),
    "gateway-crds": ("gateway_crds:gateway_crds_command", "Compare the CRDs of Gateway API with those in the cluster."),
    "init": ("init:init", "Write a first stack file."),
    "inspect": ("inspect:app", "Look into a pod's network, and ask the CNI's agents."),
    "metallb": ("metallb:app", "Turn the ConfigMap of MetalLB 0.12 into today's settings."),
    "plan": ("plan:plan", "Show what an update would do with the state, without the passphrase."),
    "post-comment": ("post_comment:post_comment", "Post the comment of `preview-comment` to the pull request."),
    "preview-comment": ("preview_comment:preview_comment", "Write a pull request comment: what the change would do."),
    "reach": ("reach:reach", "Show which pods reach which, and the rule that decides."),
    "reboot": ("reboot:reboot", "Reboot nodes that updates have left waiting for it, one at a time."),
    "recommission": ("decommission:recommission_command", "Uncordon a node. Pulumi runs this when a node comes back."),
    "recover": ("recover:recover_command", "Make a stack ready for `pulumi up` after an update that was killed."),
    "restore": ("restore:restore", "Make lost control planes again, on new machines, from a snapshot of etcd."),
    "tenant": ("tenant:app", "Register agencies: check, update, list and retire their namespaces."),
    "upgrade": ("upgrade:upgrade_command", "Drain a node and upgrade it. Pulumi runs this when packages change."),
    "validate": ("validate:validate", "Check stack files, without nodes, engine or login."),
    "versions": ("versions:versions", "Show which versions of a stack file are old, past their end or vulnerable."),
    "without-bgp": (
        "without_bgp:without_bgp",
        "Remove BGP peers before MetalLB runs without FRR. Pulumi runs this.",
    ),
}
"""Command → its folder, whose `command.py` has this function or `Typer`; and what it does."""

EXIT_CODES = (
    "Exit codes: 0 everything is fine, 1 there are findings, 2 it could not be done, 130 interrupted. "
    'With --json an error is one document too: {"error": {"exitCode": 2, "problems": ["…"]}}.'
)

WRONG_USE = 2
NOT_CONFIRMED = 1
INTERRUPTED = 130


class _Commands(TyperGroup):
    """Knows all commands by name, and imports the module of the one that runs.

    Importing every module takes a second, and the engine runs `recommission` once for each node.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        return name, self.load(str(name)), rest

    def load(self, name: str) -> Any:
        """The command with its options, or its own commands."""
        place, summary = _MODULES[name]
        folder, _, attribute = place.partition(":")
        made = getattr(import_module(f"vds.{folder}.command"), attribute)
        app = typer.Typer()
        app.callback()(lambda: None)  # keeps it a group if there is one command in it
        if isinstance(made, typer.Typer):
            app.add_typer(made, name=name)
        else:
            app.command(name)(made)
        command = get_group(app).commands[name]
        command.help = "\n\n".join(filter(None, [summary, command.help]))
        for described in (command, *getattr(command, "commands", {}).values()):
            described.epilog = EXIT_CODES
            described.help = re.sub(r"(?<!\n)\n(?!\n)", " ", cleandoc(described.help))  # typer keeps line breaks
        return command


def application() -> typer.Typer:
    """All commands by name and summary."""
    app = typer.Typer(
        cls=_Commands,
        help="Check, inspect and document a platform that `pulumi up` made.",
        epilog=EXIT_CODES,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_global_options)
    for name, (_, summary) in _MODULES.items():
        app.command(name, help=summary)(lambda: None)
    return app


def _global_options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=lambda asked: _show_version(asked), help="Print the version."
        ),
    ] = False,
) -> None:
    pass


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"vds {version('vds-platform')}")
        raise typer.Exit


def run(words: Sequence[str]) -> int:
    """Run a command. The exit code is returned, and an error is printed without a traceback."""
    options = words[: words.index("--")] if "--" in words else words
    try:
        status = get_command(application()).main(list(words), prog_name="vds", standalone_mode=False) or 0
    except KeyboardInterrupt:  # while a module is imported; typer makes an exit code of any other
        status = INTERRUPTED
    except typer.Abort:  # a question was answered with no, or not at all
        status = NOT_CONFIRMED
        _report(["not confirmed: nothing was changed; --yes answers the question"], status, as_json="--json" in options)
    except OperationError as error:
        status = error.exit_code
        _report(error.problems, status, as_json="--json" in options)
    except KubeconfigError as error:
        status = OperationError.exit_code
        _report([str(error)], status, as_json="--json" in options)
    except OSError as error:  # a full disk, a closed pipe, a folder that may not be written
        status = OperationError.exit_code
        named = f"{error.filename}: " if error.filename else ""
        _report([f"{named}{error.strerror or error}"], status, as_json="--json" in options)
    except TyperException as error:  # wrong use
        status = WRONG_USE
        context = getattr(error, "ctx", None)
        see = f" See `{context.command_path} --help`." if context else ""
        if text := error.format_message():  # empty if the help has been printed instead
            _report([f"{text}{see}"], status, as_json="--json" in options)
    if status == INTERRUPTED:
        print("interrupted", file=sys.stderr)
    return int(status)


def _report(problems: Sequence[str], exit_code: int, *, as_json: bool) -> None:
    for problem in problems:
        print(f"error: {without_escapes(problem)}", file=sys.stderr)
    if as_json:
        document = {"error": {"exitCode": exit_code, "problems": list(problems)}}
        print(json.dumps(document, indent=2, ensure_ascii=False))


def main() -> None:
    """The program."""
    sys.exit(run(sys.argv[1:]))
