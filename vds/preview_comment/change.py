"""Asks git what a change is: its files, their text before and after, and a digest of what judges."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from errno import ENOENT
from pathlib import Path, PurePosixPath
from typing import Any

from components.stackfile.parsing import SpecError, read_stack_file, spec_data
from vds.preview_comment.touched import (
    JUDGES,
    REGISTRATIONS,
    ProgramChange,
    code_folders,
    is_data,
    is_registration,
    is_regular,
    of_program,
    of_stack,
)
from vds.shared.errors import OperationError

_GIT_SECONDS = 60
_LARGEST_FILE = 64 * 2**20
"""Bytes of one file of a change: a chart's archive has less than one MiB."""


@dataclass(frozen=True)
class Changeset:
    """What differs between a base and a change."""

    project: Path
    base: str
    """The commit where the change left its base."""
    head: str | None
    """The commit of the change; None: the working tree."""
    modes: Mapping[str, str]
    """Changed file → git's mode after the change. Paths are relative to the project."""

    @property
    def program(self) -> ProgramChange | None:
        """What of the program changes; None where only data and documents change."""
        files = of_program(self.modes, *self._data())
        if not files:
            return None
        digests = (self._digest(self.base), self._digest(self.head)) if self.head else ("", "")
        return ProgramChange(files, *digests)

    def touched(self, stack: str) -> tuple[str, ...]:
        """The changed files that the stack is made of."""
        others = {name for other in self._stacks() if other != stack for name in self.data_of(other)}
        return of_stack(self.modes, self.data_of(stack), others)

    @property
    def registrations(self) -> tuple[str, ...]:
        """The changed files of registrations."""
        return tuple(sorted(filter(is_registration, self.modes)))

    def all_registrations(self) -> Mapping[str, str]:
        """Every registration's file after the change, with its text."""
        listed = _git(self.project, "ls-tree", "--name-only", "-z", self.base, "--", REGISTRATIONS).split("\0")
        names = sorted({*filter(is_registration, listed), *self.registrations})
        return {name: text for name in names if (text := self.text_after(name)) is not None}

    def stack_files(self) -> tuple[str, ...]:
        """The stack files of the project's folder, before or after the change."""
        return tuple(map(stack_file, self._stacks()))

    def data_of(self, stack: str) -> frozenset[str]:
        """The stack file and what it names, before and after the change; a folder ends with a slash.

        Raises OperationError for a name that leads out of the project.
        """
        file = stack_file(stack)
        sides = (self.text_before(file), self.text_after(file))
        return frozenset({file, *(name for text in sides if text is not None for name in self._named(text))})

    def text_before(self, file: str) -> str | None:
        """A file's text before the change; None where it was not there or is no text."""
        return _decoded(self._content(self.base, file))

    def text_after(self, file: str) -> str | None:
        """The same after the change."""
        return _decoded(self.content_after(file))

    def spec_before(self, file: str) -> Mapping[str, Any] | None:
        """The spec of a stack file before the change; None where there was none, or none that can be read."""
        text = self.text_before(file)
        return None if text is None else spec_data(text, lambda name: _required(self.text_before(name), name))

    def content_after(self, file: str) -> bytes | None:
        """A file's bytes after the change. Of a commit it is git's object: no file of the change is opened."""
        if self.head:
            return self._content(self.head, file)
        path = self.project / file
        return path.read_bytes() if path.is_file() else None

    def export_base(self, into: Path) -> Path:
        """The project as it is in the base, in a new folder. Returns the project's folder."""
        prefix = _git(self.project, "rev-parse", "--show-prefix").strip()
        with tempfile.TemporaryDirectory(prefix="vds-platform-index-") as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            _git(self.project, "read-tree", self.base, environment=index)
            _git(self.project, "checkout-index", "--all", f"--prefix={into}/", environment=index)
        return into / prefix

    def put_data(self, into: Path) -> None:
        """Write the changed data over the base's. Raises OperationError for what is no plain file in its own folder."""
        named, code = self._data()
        for file, mode in sorted(self.modes.items()):
            if not is_data(file, named, code):
                continue
            target = into / file
            if not is_regular(mode) or _leads_out(file) or not target.parent.resolve().is_relative_to(into.resolve()):
                raise OperationError(f"{file}: the change makes it a link or a submodule: write a plain file")
            target.unlink(missing_ok=True)
            content = self.content_after(file)
            if content is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)

    def _data(self) -> tuple[frozenset[str], frozenset[str]]:
        """What stack files name, and the folders with code."""
        listed = _git(self.project, "ls-tree", "-r", "--name-only", "-z", self.base).split("\0")
        return frozenset(name for stack in self._stacks() for name in self.data_of(stack)), code_folders(listed)

    def _stacks(self) -> tuple[str, ...]:
        """Every stack with a file before or after the change."""
        listed = _git(self.project, "ls-tree", "--name-only", "-z", self.base).split("\0")
        names = {*listed, *self.modes}
        return tuple(sorted(stack for name in names if (stack := stack_of(name))))

    def _named(self, text: str) -> Iterator[str]:
        """Files and folders that a stack file names."""
        try:
            shared = read_stack_file(text, "").defaults
        except SpecError:
            shared = None
        spec = spec_data(text, lambda name: _required(self.text_after(name) or self.text_before(name), name)) or {}
        mirror = _at(spec, "charts", "mirror", "path")
        folder = f"{mirror.rstrip('/')}/" if isinstance(mirror, str) else None
        for name in (shared, _at(spec, "ssh", "knownHostsFile"), _at(spec, "gateway", "crds", "path"), folder):
            if isinstance(name, str):
                if _leads_out(name):
                    raise OperationError(
                        f"a stack file names {name[:100]!r}, outside of the project: name a file in it"
                    )
                yield f"{PurePosixPath(name)}{'/' if name.endswith('/') else ''}"

    def _content(self, commit: str, file: str) -> bytes | None:
        if _leads_out(file):
            return None
        size = _run(self.project, "cat-file", "-s", f"{commit}:./{file}")
        if size.returncode:
            return None
        if int(size.stdout) > _LARGEST_FILE:
            raise OperationError(f"{file} has {int(size.stdout):,} bytes, limit {_LARGEST_FILE:,}: make it smaller")
        shown = _run(self.project, "cat-file", "blob", f"{commit}:./{file}")
        return None if shown.returncode else shown.stdout

    def _digest(self, commit: str) -> str:
        listed = _run(self.project, "ls-tree", "-r", "-z", commit, "--", *JUDGES)
        return hashlib.sha256(listed.stdout).hexdigest()


def change_between(base: str, head: str | None, project: Path) -> Changeset:
    """What `head` (None: the working tree) changes since it left `base`. Raises OperationError without git's help."""
    errors = ""
    for candidate in (base, f"origin/{base}"):  # CI has no local branch of that name
        found = _run(project, "merge-base", "--", candidate, head or "HEAD")
        errors = errors or found.stderr.decode(errors="replace")
        if found.returncode == 0:
            commit = found.stdout.decode().strip()
            end = _git(project, "rev-parse", "--verify", f"{head}^{{commit}}").strip() if head else None
            return replace(Changeset(project, commit, end, {}), modes=_modes(project, commit, end))
    why = f" ({' '.join(errors.split())[:200]})" if errors.strip() else ""
    raise OperationError(
        f"--base {base}: git finds no common commit with it{why}: fetch it with its history (actions/checkout: "
        "fetch-depth: 0), or name another"
    )


def stack_file(stack: str) -> str:
    """The name of a stack's file."""
    return f"Pulumi.{stack}.yaml"


def stack_of(file: str) -> str:
    """The stack that a file in the project's folder is of; empty for another file."""
    middle = file.removeprefix("Pulumi.").removesuffix(".yaml")
    return middle if file == stack_file(middle) and middle and "/" not in file else ""


def _modes(project: Path, base: str, head: str | None) -> Mapping[str, str]:
    raw = _git(project, "diff", "--raw", "--no-renames", "--relative", "-z", base, *([head] if head else []))
    parts = raw.split("\0")
    modes = {file: about.split()[1] for about, file in zip(parts[0::2], parts[1::2], strict=False) if about}
    if head is None:
        new = _git(project, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
        modes |= {file: "120000" if (project / file).is_symlink() else "100644" for file in new if file}
    return modes


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts


def _at(group: Any, *path: str) -> Any:
    for key in path:
        group = group.get(key) if isinstance(group, Mapping) else None
    return group


def _decoded(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _required(text: str | None, name: str) -> str:
    if text is None:
        raise FileNotFoundError(ENOENT, "it is not there", name)
    return text


def _git(project: Path, *words: str, environment: Mapping[str, str] | None = None) -> str:
    done = _run(project, *words, environment=environment)
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[:200]
        raise OperationError(f"git {words[0]} failed ({said}): run this in a checkout with its history")
    return done.stdout.decode(errors="surrogateescape")


def _run(
    project: Path, *words: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *words],
            cwd=project,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_SECONDS,
        )
    except FileNotFoundError:
        raise OperationError("git is not on the PATH: install it, or add its folder to PATH") from None
    except subprocess.TimeoutExpired:
        raise OperationError(f"git did not end within {_GIT_SECONDS} s") from None
