"""Shell scripts that nodes run: a text of ours, with what the stack file wants put in. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote

_SLOT = "#: wanted\n"
_PROBLEMS = (Path(__file__).parent / "problems.sh").read_text(encoding="utf-8")


UNFIT = 3
"""Exit code of a script that a node is not fit for; nothing was changed."""


def as_root(command: str, user: str) -> str:
    """The command line for `user`'s shell that makes root run `command`, which is one program with its arguments.

    It says what to do where sudo asks for a password.
    """
    if user == "root":
        return command
    remedy = (
        f"{user} may not become root without a password: write '{user} ALL=(ALL) NOPASSWD: ALL' to "
        f"/etc/sudoers.d/{user} on the server, or write another ssh.user"
    )
    return f"sudo -n true || {{ echo {quote(remedy)} >&2; exit {UNFIT}; }}; sudo -n {command}"


def shell_script(text: str, facts: Mapping[str, str], *functions: str) -> str:
    """The text with the facts as variables, and the functions, at its line `#: wanted`."""
    variables = "".join(f"{name}={quote(value)}\n" for name, value in facts.items())
    return text.replace(_SLOT, "".join([variables, *functions, "\n", _PROBLEMS]), 1)


def for_each(name: str, rows: Iterable[Sequence[str]]) -> str:
    """A shell function that calls the function that it is given, once for each row."""
    calls = ['"$1" ' + " ".join(map(quote, row)) for row in rows] or [":"]  # a function without a body is no shell
    return f"\n{name}() {{\n" + "".join(f"\t{call}\n" for call in calls) + "}\n"
