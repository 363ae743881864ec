"""Shell scripts that nodes run: a text of ours, with what the stack file wants put in. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote

_SLOT = "#: wanted\n"
_PROBLEMS = (Path(__file__).parent / "problems.sh").read_text(encoding="utf-8")


def shell_script(text: str, facts: Mapping[str, str], *functions: str) -> str:
    """The text with the facts as variables, and the functions, at its line `#: wanted`."""
    variables = "".join(f"{name}={quote(value)}\n" for name, value in facts.items())
    return text.replace(_SLOT, "".join([variables, *functions, "\n", _PROBLEMS]), 1)


def for_each(name: str, rows: Iterable[Sequence[str]]) -> str:
    """A shell function that calls the function that it is given, once for each row."""
    calls = ['"$1" ' + " ".join(map(quote, row)) for row in rows] or [":"]  # a function without a body is no shell
    return f"\n{name}() {{\n" + "".join(f"\t{call}\n" for call in calls) + "}\n"
