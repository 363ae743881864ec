"""Prints results: for people at a terminal, for pipes, and as JSON."""

import json
from typing import Any

from rich.console import Console

_UNFOLDED_COLUMNS = 10_000


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal. In a pipe or a file no line is folded and nothing is cut off."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        made.width = _UNFOLDED_COLUMNS
    return made


def print_json(result: Any) -> None:
    """The result alone on standard output."""
    print(json.dumps(result, indent=2, ensure_ascii=False, default=str))  # YAML has dates, JSON has none
