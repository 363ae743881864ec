"""The commands of `vds`: runs them in this process, and knows their options."""

import contextlib
import io
import sys
from typing import Any, NamedTuple
from unittest import mock

from typer.main import get_command

from vds.main import application, run


class Result(NamedTuple):
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str


def vds(*words: str, stdin: str | bytes | None = None) -> Result:
    """Run `vds` with these words. An exception that the program does not expect is raised here."""
    given = io.TextIOWrapper(io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin or b""))
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        mock.patch.object(sys, "stdin", given),
    ):
        exit_code = run(words)
    return Result(exit_code, stdout.getvalue(), stderr.getvalue())


def command_of(words: list[str]) -> Any:
    """The command that these words begin with. Raises UsageError if there is none."""
    found: Any = get_command(application())
    rest = list(words)
    while rest and hasattr(found, "commands"):
        context = found.make_context("vds", [], resilient_parsing=True)
        _, found, rest = found.resolve_command(context, rest)
    return found


def options_of(words: list[str]) -> tuple[set[str], set[str]]:
    """Options that this command has, and those that are required."""
    parameters = command_of(words).params
    known = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    required = {parameter.opts[0] for parameter in parameters if parameter.required}
    return known, {option for option in required if option.startswith("-")}  # arguments have no name
