"""Which stacks a change touches, and whether it changes the program, by the files that it changes. Pure."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from components.charts.lock import FILE as CHART_LOCK

_DOCUMENTS = ("docs/", "tests/")
"""Nothing that runs for a stack reads them; neither do `.md` files."""
_OF_EVERY_STACK = (CHART_LOCK,)
_DATA = (".yaml", ".yml", ".tgz", "known_hosts")
_READ_BY_TOOLS = ("Pulumi.yaml", "mkdocs.yml")
"""They decide what runs."""
_REGULAR = ("100644", "100755", "000000")
"""Git's modes of a file, of one that can be executed, and of one that is deleted."""

REGISTRATIONS = "tenants/"
"""The project of registrations: `Pulumi.<tenant>.yaml` in it is data, which no stack of an environment is made of."""
_REGISTRATION = re.compile(rf"{REGISTRATIONS}Pulumi\.[a-z0-9-]+\.yaml")

JUDGES = ("policies", "components", "vds", "requirements.txt", "pyproject.toml", "setup.sh")
"""What judges a change: the policies, the rules that they use, the tool that runs them, and their libraries."""


@dataclass(frozen=True)
class ProgramChange:
    """The change is not of data alone: what runs, or what judges it, changes too."""

    files: tuple[str, ...]
    base_digest: str = ""
    """SHA-256 of what judges, before the change; empty for a working tree."""
    digest: str = ""
    """The same after the change."""


def of_stack(changed: Iterable[str], own: Collection[str], others: Collection[str]) -> tuple[str, ...]:
    """The changed files that a stack is made of; empty: the change does not touch it.

    `own` and `others`: what this stack file and all others name, themselves included; a folder ends with a slash.
    Every file that is no document and belongs to no other stack alone is of this stack.
    """
    mine = {*own, *_OF_EVERY_STACK}
    read = [file for file in changed if not _document(file) and not is_registration(file)]
    return tuple(sorted(file for file in read if _in(file, mine) or not _in(file, others)))


def of_program(changed: Iterable[str], named: Collection[str], code: Collection[str]) -> tuple[str, ...]:
    """The changed files that are neither documents nor data of a stack: what runs, or decides how it runs."""
    return tuple(sorted(file for file in changed if not _document(file) and not is_data(file, named, code)))


def is_data(file: str, named: Collection[str], code: Collection[str]) -> bool:
    """Whether a file is only read. That a stack file names it is not enough: the change may have written that name.

    `code`: the top folders of the base that have more than data.
    """
    if is_registration(file):
        return True
    parts = file.split("/")
    hidden = any(part.startswith(".") for part in parts)
    inside_code = len(parts) > 1 and parts[0] in code
    readable = file.endswith(_DATA) and file not in _READ_BY_TOOLS
    return _in(file, {*named, *_OF_EVERY_STACK}) and readable and not hidden and not inside_code


def is_registration(file: str) -> bool:
    """Whether a file is a tenant's registration."""
    return _REGISTRATION.fullmatch(file) is not None


def code_folders(files: Iterable[str]) -> frozenset[str]:
    """The top folders that have a file which is no data."""
    inner = [file for file in files if "/" in file]
    return frozenset(file.split("/")[0] for file in inner if not file.endswith(_DATA))


def is_regular(mode: str) -> bool:
    """Whether git's mode is that of a plain file: a symbolic link or a submodule could lead anywhere."""
    return mode in _REGULAR


def _document(file: str) -> bool:
    return file.startswith(_DOCUMENTS) or file.endswith(".md")


def _in(file: str, names: Collection[str]) -> bool:
    return file in names or file.startswith(tuple(name for name in names if name.endswith("/")))
