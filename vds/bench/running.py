"""One measurement in a cluster: makes a namespace, runs pods, reads their results, and deletes all of it."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from components.core.manifests import Manifest
from components.kubernetes_api import Api, ApiError, UnreachableError, get
from vds.bench import manifests
from vds.bench.manifests import NAMESPACE
from vds.bench.readings import UnreadableError, latency, loss, throughput
from vds.bench.verdict import Measured
from vds.shared.clock import Clock
from vds.shared.errors import OperationError

START_SECONDS = 120
"""For a pod to be scheduled, its image pulled and its program started."""
GRACE_SECONDS = 30
"""For a client to connect before its time, and to exchange results after it."""
GONE_SECONDS = 60
"""For the namespace to be gone."""
_TURN_SECONDS = 0.5
_TRIES = 4
_NOT_YET = ("connection refused", "server is busy")
"""What iperf3 says where its server is not there yet, or has not finished with the last client."""
_STUCK = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
}
"""Reasons of a waiting container that do not go away by themselves."""


Reading = TypeVar("Reading")


class PodFailedError(Exception):
    """A pod did not run; the text says why."""


@dataclass
class Bench:
    """A measurement from pods on one node to pods on another."""

    api: Api
    run: str
    """A word that no other run has."""
    image: str
    source: str
    target: str
    seconds: int
    """For each of the three parts."""
    udp_megabits: int
    say: Callable[[str], None]
    clock: Clock = field(default_factory=Clock)

    def measure(self) -> Measured:
        """Every measurement that succeeds. Nothing stays in the cluster, also after an error.

        Raises:
            OperationError: nothing can be measured, because of the text.
        """
        self._check_nodes()
        refused = False
        try:
            try:
                self._make(manifests.namespace(self.run), "/api/v1/namespaces")
            except OperationError:  # a clear no, unlike an answer that was lost
                refused = True
                raise
            self._make(manifests.account(), f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts")
            return self._measure()
        finally:
            if not refused:
                self._take_away()

    def _measure(self) -> Measured:
        try:
            iperf = self._serve("iperf-server", manifests.iperf_server())
        except PodFailedError as error:
            raise OperationError(
                f"no iperf3 server on node {self.target}: {error}: --image must hold iperf3 and python3, and the node "
                "must be able to pull it"
            ) from None
        stream = self._ask("throughput", manifests.throughput_client(iperf, self.seconds), throughput)
        lost = self._ask("loss", manifests.loss_client(iperf, self.seconds, self.udp_megabits), loss)
        try:
            pinger = self._serve("latency-server", manifests.pinger_server())
            trips = self._ask("latency", manifests.latency_client(pinger, self.seconds), latency)
        except PodFailedError as error:
            trips = f"its server did not start: {error}; the image needs python3 beside iperf3"
        return Measured(stream, trips, lost)

    def _serve(self, name: str, command: Sequence[str]) -> str:
        """Start a server; its address once it runs."""
        self.say(f"{name} on {self.target}")
        self._start(name, self.target, command)
        return str(self._wait(name, "Running", START_SECONDS)["podIP"])

    def _ask(self, name: str, command: Sequence[str], read: Callable[[str], Reading]) -> Reading | str:
        """Run a client; its reading, or why there is none."""
        why = ""
        for number in range(1, _TRIES + 1):
            self.say(f"{name} from {self.source}, {self.seconds} s")
            client = f"{name}-{number}"
            self._start(client, self.source, command)
            try:
                status = self._wait(client, "ended", START_SECONDS + self.seconds + GRACE_SECONDS)
            except PodFailedError as error:
                return str(error)
            ended = _state(status, "terminated")
            try:
                return read(str(ended.get("message") or ""))
            except UnreadableError as error:
                why = f"pod {client} ended with {ended.get('exitCode', 'no exit code')}: {error}"
            if not any(words in why.lower() for words in _NOT_YET):
                break
            self.clock.sleep(1)
        return why

    def _start(self, name: str, node: str, command: Sequence[str]) -> None:
        # A server outlives all clients of it, each at its longest.
        lives = 4 * (START_SECONDS + self.seconds + GRACE_SECONDS)
        self._make(
            manifests.pod(name, node, self.image, command, lives_seconds=lives), f"/api/v1/namespaces/{NAMESPACE}/pods"
        )

    def _wait(self, name: str, wanted: str, seconds: float) -> dict[str, Any]:
        """The pod's status once it runs, or has ended.

        Raises:
            PodFailedError: it can't start, ended where it should run, or took too long.
        """
        deadline = self.clock.now() + seconds
        status: dict[str, Any] = {}
        while self.clock.now() < deadline:
            try:
                status = self.api.request("GET", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}").get("status") or {}
            except UnreachableError:  # what we measure may be the API server's network too
                status = {}
            ended = status.get("phase") in ("Succeeded", "Failed")
            if wanted == "ended" and ended and not _unstarted(status):
                return status
            if ended:
                raise PodFailedError(f"pod {name} ended: {_why(status)}")
            if status.get("phase") == wanted and status.get("podIP"):
                return status
            if _state(status, "waiting").get("reason") in _STUCK:
                raise PodFailedError(f"pod {name} does not start: {_why(status)}")
            self.clock.sleep(_TURN_SECONDS)
        raise PodFailedError(f"pod {name} was not {wanted.lower()} after {seconds:g} s: {_why(status)}")

    def _check_nodes(self) -> None:
        problems = []
        for name in (self.source, self.target):
            node = get(self.api, f"/api/v1/nodes/{name}")
            conditions = ((node or {}).get("status") or {}).get("conditions") or ()
            if node is None:
                problems.append(f"node {name} is not in the cluster: see `kubectl get nodes`, or name another")
            elif not any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                problems.append(f"node {name} is not ready: see `kubectl describe node {name}`, or name another")
        if problems:
            raise OperationError("; ".join(problems))

    def _make(self, manifest: Manifest, path: str) -> None:
        what = f"{manifest['kind']} {manifest['metadata']['name']}"
        try:
            self.api.request("POST", path, manifest)
        except ApiError as error:
            if error.status == 409:
                raise OperationError(
                    f"{what} is there already: another measurement is under way, or one was killed and left it; "
                    f"then run `kubectl delete namespace {NAMESPACE}` and this again"
                ) from None
            raise OperationError(f"{what} can not be made ({error.status}): {error}") from None

    def _take_away(self) -> None:
        """Delete the namespace if it is this run's. Neither a second signal nor one lost answer stops that."""
        path = f"/api/v1/namespaces/{NAMESPACE}"
        remedy = f"run `kubectl delete namespace {NAMESPACE}`"
        deadline = self.clock.now() + GONE_SECONDS
        with _undisturbed():
            while self.clock.now() < deadline:
                try:
                    live = get(self.api, path)
                    if live is None or (live["metadata"].get("labels") or {}).get(manifests.RUN) != self.run:
                        return
                    if "deletionTimestamp" not in live["metadata"]:
                        self.say("deleting the pods")
                        uid = {"preconditions": {"uid": live["metadata"]["uid"]}}
                        self.api.request("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", **uid})
                except UnreachableError:
                    pass
                except ApiError as error:
                    if error.status not in (404, 409):
                        raise OperationError(f"namespace {NAMESPACE} is left: {error}: {remedy}") from None
                self.clock.sleep(_TURN_SECONDS)
        self.say(f"namespace {NAMESPACE} is not gone after {GONE_SECONDS} s: if it stays, {remedy}")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off what would end us."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler or signal.SIG_DFL)  # None: set by other than Python


def _state(status: dict[str, Any], kind: str) -> dict[str, Any]:
    containers: list[dict[str, Any]] = status.get("containerStatuses") or [{}]
    return dict((containers[0].get("state") or {}).get(kind) or {})


def _unstarted(status: dict[str, Any]) -> bool:
    """Whether the command itself could not be run: what runtimes and shells say of a program that is not there."""
    ended = _state(status, "terminated")
    return (
        not ended or ended.get("reason") in ("StartError", "ContainerCannotRun") or ended.get("exitCode") in (126, 127)
    )


def _why(status: dict[str, Any]) -> str:
    """The most particular thing that a pod's status says."""
    for part in (_state(status, "terminated"), _state(status, "waiting"), status):
        text = ": ".join(str(part[key]) for key in ("reason", "message") if part.get(key))
        if text:
            code = f" (exit code {part['exitCode']})" if "exitCode" in part else ""
            return text[-500:] + code
    for condition in status.get("conditions") or ():
        if condition.get("status") != "True" and condition.get("message"):
            return str(condition["message"])
    return f"phase {status.get('phase', 'unknown: the API server does not answer')}"
