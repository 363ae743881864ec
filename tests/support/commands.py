"""The commands of `vds`, as somebody who writes one down must spell them."""

from typing import Any

import click
import typer.main

from vds.main import application


def options_of(words: list[str]) -> tuple[set[str], set[str]]:
    """Options that the command which these words begin with knows, and those that it must be given.

    Raises AssertionError where there is no such command.
    """
    found: Any = typer.main.get_command(application())
    rest = list(words)
    while isinstance(getattr(found, "commands", None), dict) and rest:
        found = found.commands.get(rest.pop(0))
    command: click.Command | None = found
    assert command is not None, words
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return known, {parameter.opts[0] for parameter in command.params if parameter.required}
