"""A Lease in the cluster: of several processes, on whatever machines, one at a time does something."""

import hashlib
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.kubernetes_api import Api, ApiError, UnreachableError, get
from vds.shared.clock import Clock
from vds.shared.errors import OperationError

API = "coordination.k8s.io/v1"
SECONDS = 120
"""After so many seconds of silence another process may take it: an API server that boots again is away for less."""
_RENEWALS = 6
"""How often it is renewed in that time."""
_CONFLICT = 409


def identity() -> str:
    """This process, as it names itself in a Lease."""
    return f"{_place()}/{os.getpid()}"


def _place() -> str:
    """The machine or container that this process id is of. Several may have one host name."""
    try:
        known = Path("/proc/sys/kernel/random/boot_id").read_text() + str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # no Linux
        known = ""
    return f"{socket.gethostname()}.{hashlib.sha256(known.encode()).hexdigest()[:8]}"


def lives(holder: str) -> bool:
    """Whether the holder may be alive: a process of this machine that has ended is not."""
    place, _, process = holder.rpartition("/")
    if place != _place() or not process.isdigit():
        return True
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def held_by(item: Mapping[str, Any] | None, now: float) -> tuple[str, float]:
    """Who holds a Lease, and for how many seconds more if it does not renew it; empty if it is free."""
    spec = (item or {}).get("spec") or {}
    holder = str(spec.get("holderIdentity") or "")
    try:
        until = datetime.fromisoformat(str(spec["renewTime"])).timestamp() + int(spec["leaseDurationSeconds"])
    except (KeyError, TypeError, ValueError):
        return "", 0
    return (holder, until - now) if holder and until > now and lives(holder) else ("", 0)


@dataclass
class Lease:
    """One Lease, which is made when it is first taken."""

    api: Api
    namespace: str
    name: str
    purpose: str
    """What its holder does, for messages."""
    holder: str = field(default_factory=identity)
    clock: Clock = field(default_factory=Clock)
    lost: str = ""
    """The process that has taken it from us, because we were silent for too long."""

    @property
    def path(self) -> str:
        """Where the API server has it."""
        return f"/apis/{API}/namespaces/{self.namespace}/leases/{self.name}"

    def take(self) -> None:
        """Raises OperationError if another process has it."""
        found = get(self.api, self.path)
        holder, seconds = held_by(found, self.clock.date())
        if holder and holder != self.holder:
            raise OperationError(
                f"{self.purpose}: process {holder} is at work: wait until it ends, or {seconds:.0f} s if it is dead"
            )
        try:
            self._write(found, self.holder)
        except ApiError as error:
            if error.status != _CONFLICT:
                raise
            raise OperationError(f"{self.purpose}: another process has begun just now: run this again") from None

    def renew(self) -> None:
        """Say that we live. An API server that does not answer is asked again next time."""
        with suppress(ApiError, UnreachableError):
            found = get(self.api, self.path)
            holder = str(((found or {}).get("spec") or {}).get("holderIdentity") or "")
            if holder not in ("", self.holder):
                self.lost = holder
            elif not self.lost:
                self._write(found, self.holder)

    def give_back(self) -> None:
        """Let the next process take it at once."""
        with suppress(ApiError, UnreachableError):  # it ends by itself
            found = get(self.api, self.path)
            if found and found["spec"].get("holderIdentity") == self.holder:
                self._write(found, "")

    def require(self) -> None:
        """Raises OperationError if another process has it by now."""
        if self.lost:
            raise OperationError(f"{self.purpose}: process {self.lost} has taken over: let it end, then run this again")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Take it, renew it for as long as the block takes, and give it back. Raises OperationError as `take` does."""
        self.take()
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(SECONDS / _RENEWALS):
                self.renew()

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.give_back()

    def _write(self, before: Mapping[str, Any] | None, holder: str) -> None:
        metadata = {"name": self.name, "namespace": self.namespace}
        if before:
            metadata["resourceVersion"] = before["metadata"]["resourceVersion"]
        spec: dict[str, Any] = {"leaseDurationSeconds": SECONDS}
        if holder:
            renewed = datetime.fromtimestamp(self.clock.date(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            spec |= {"holderIdentity": holder, "renewTime": renewed}
        item = {"apiVersion": API, "kind": "Lease", "metadata": metadata, "spec": spec}
        method, path = ("PUT", self.path) if before else ("POST", self.path.rpartition("/")[0])
        self.api.request(method, path, item)
