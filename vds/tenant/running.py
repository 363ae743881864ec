"""Runs `pulumi up` for several registrations at once. One that fails stops no other."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from components.core.untrusted import json_value
from vds.shared import pulumi
from vds.shared.errors import OperationError

_SECONDS = 1800
"""Longest update of one tenant."""
_RECORD = ".up-all.json"
_LINES = 20
"""Of the engine's output, for an update that failed."""


class Job(NamedTuple):
    """One stack to update."""

    tenant: str
    file: Path


class Outcome(NamedTuple):
    """How one update ended."""

    tenant: str
    ok: bool
    said: str
    """Empty if it succeeded."""


class Done:
    """Which updates of a run have succeeded, kept in a file until all have: `--resume` leaves these out."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _RECORD

    def read(self) -> Mapping[str, str]:
        """Tenant → checksum of its file."""
        try:
            kept = json_value(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return {str(name): str(value) for name, value in kept.items()} if isinstance(kept, dict) else {}

    def add(self, job: Job) -> None:
        """Write that a job is done. The file is whole at every moment."""
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({**self.read(), job.tenant: checksum(job.file)}))
        new.replace(self._file)

    def forget(self) -> None:
        """A new run begins, or all jobs of one have succeeded."""
        with suppress(FileNotFoundError):
            self._file.unlink()

    def left(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs that are not done, or whose file has changed since."""
        kept = self.read()
        return [job for job in jobs if kept.get(job.tenant) != checksum(job.file)]


def checksum(file: Path) -> str:
    """Of a registration's file."""
    return sha256(file.read_bytes()).hexdigest()


def run_all(
    jobs: Sequence[Job], folder: Path, pack: Path, at_once: int, done: Done, report: Callable[[Outcome], None]
) -> list[Outcome]:
    """Update every stack, `at_once` of them at a time; outcomes in the order of `jobs`."""
    with ThreadPoolExecutor(at_once) as pool:
        started = {pool.submit(_update, job, folder, pack): job for job in jobs}
        outcomes = {}
        for future in as_completed(started):
            job, outcome = started[future], future.result()
            outcomes[job.tenant] = outcome
            if outcome.ok:
                done.add(job)
            report(outcome)
    return [outcomes[job.tenant] for job in jobs]


def _update(job: Job, folder: Path, pack: Path) -> Outcome:
    try:
        _stack(job.tenant, folder)
        # With its preview: policies on the whole stack run at the end, and must stop it before any change.
        words = pulumi.operation("up", job.tenant, "--yes", "--color=never", pack=str(pack.resolve()))
        ended = pulumi.run(*words, folder=folder, seconds=_SECONDS)
    except OperationError as error:
        return Outcome(job.tenant, False, str(error))
    if not ended.returncode:
        return Outcome(job.tenant, True, "")
    return Outcome(job.tenant, False, "\n".join(_reasons(f"{ended.stdout}\n{ended.stderr}")))


def _stack(tenant: str, folder: Path) -> None:
    """Make the stack, if the backend has none of this name."""
    made = pulumi.run("stack", "init", tenant, "--no-select", folder=folder)
    if made.returncode and "already exists" not in made.stderr:
        known = pulumi.known_error(made.stderr)
        said = " ".join(made.stderr.split()).removeprefix("error: ")
        raise OperationError(f"{said}{': ' + known.remedy if known else ''}")


def _reasons(output: str) -> Iterator[str]:
    """The lines of the engine's output that say why it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and "warning:" not in line]
    begins = [index for index, line in enumerate(lines) if line in ("Policies:", "Diagnostics:")]
    said = lines[begins[0] :] if begins else lines[-_LINES:]
    ends = [index for index, line in enumerate(said) if line in ("Outputs:", "Resources:")]
    yield from said[: ends[0] if ends else None][:_LINES]


def parallel() -> int:
    """How many updates at a time: each has an engine, a program and a provider."""
    return max(1, min(8, os.cpu_count() or 1))
