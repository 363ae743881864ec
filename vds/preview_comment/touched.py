"""Which stacks a change touches, by the files that it changes. Pure."""

from collections.abc import Iterable

EVERY_STACK = (
    "Pulumi.yaml",
    "__main__.py",
    "charts.lock.yaml",
    "components/",
    "policies/",
    "pyproject.toml",
    "requirements.txt",
    "setup.sh",
)
"""What every stack's program, its policies and their libraries are made of; a folder ends with a slash."""


def reasons(changed: Iterable[str], own: Iterable[str]) -> tuple[str, ...]:
    """The changed files that a stack is made of: its `own` (stack file and what it names), and every stack's.

    Empty: the change does not touch it. Documents, tests, the lab and workflows touch none.
    """
    mine = {*own, *(name for name in EVERY_STACK if not name.endswith("/"))}
    folders = tuple(name for name in EVERY_STACK if name.endswith("/"))
    return tuple(sorted(file for file in changed if file in mine or file.startswith(folders)))
