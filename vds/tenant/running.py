"""Runs `pulumi up` for several registrations at once. One that fails stops no other."""

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue

from components.core.untrusted import json_value
from vds.shared import pulumi
from vds.tenant.worker import Job, Outcome, Worker

_RECORD = ".up-all.json"


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

    def add(self, tenant: str, file: Path) -> None:
        """Write that a tenant is done. The file is whole at every moment."""
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({**self.read(), tenant: checksum(file)}))
        new.replace(self._file)

    def forget(self) -> None:
        """A new run begins, or all updates of one have succeeded."""
        with suppress(FileNotFoundError):
            self._file.unlink()

    def left(self, files: Mapping[str, Path]) -> dict[str, Path]:
        """The tenants that are not done, or whose file has changed since."""
        kept = self.read()
        return {tenant: file for tenant, file in files.items() if kept.get(tenant) != checksum(file)}


def checksum(file: Path) -> str:
    """Of a registration's file."""
    return sha256(file.read_bytes()).hexdigest()


def run_all(
    files: Mapping[str, Path], folder: Path, pack: Path, at_once: int, done: Done, report: Callable[[Outcome], None]
) -> list[Outcome]:
    """Update the stack of each tenant, `at_once` of them at a time; outcomes in the order of `files`."""
    known = _stacks(folder)
    idle: SimpleQueue[Worker] = SimpleQueue()
    workers = [Worker(folder, pack) for _ in range(min(at_once, len(files)))]
    for worker in workers:
        idle.put(worker)

    def update(tenant: str) -> Outcome:
        worker = idle.get()
        try:
            return worker.update(Job(tenant, tenant not in known))
        finally:
            idle.put(worker)

    outcomes = {}
    pool = ThreadPoolExecutor(max(1, len(workers)))
    try:
        for future in as_completed([pool.submit(update, tenant) for tenant in files]):
            outcome = future.result()
            outcomes[outcome.tenant] = outcome
            if outcome.ok:
                done.add(outcome.tenant, files[outcome.tenant])
            report(outcome)
    finally:
        pool.shutdown(cancel_futures=True)
        for worker in workers:
            worker.end()
    return [outcomes[tenant] for tenant in files]


def _stacks(folder: Path) -> set[str]:
    """Names of the project's stacks in the backend. Empty if it does not say: each stack is then asked by itself."""
    shown = pulumi.run("stack", "ls", "--json", folder=folder)
    try:
        return {str(one["name"]) for one in json_value(shown.stdout)}
    except (ValueError, KeyError, TypeError):
        return set()


def parallel() -> int:
    """How many updates at a time: each has an engine, a program and a provider."""
    return max(1, min(8, os.cpu_count() or 1))
