"""Drains a node: cordons it, asks its pods to leave, waits until they have; takes the cordon back if they cannot."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from components.core import labels
from components.core.finding import Finding
from vds.decommission import drain
from vds.decommission.drain import ClusterState, Pod, Work
from vds.shared.kubernetes import Api, ApiError, UnreachableError, found, listed

_TURN_SECONDS = 2.0

_NOT_EMPTY = (
    "not empty after its drainSeconds, {}, and so not decommissioned. Delete or move what is named below, or raise "
    "drainSeconds while the node is in the stack file, and run again"
)

Say = Callable[[str], None]


class IncompleteError(Exception):
    """A node was not decommissioned; why and what to do, a line each. A second run goes on from there."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Clock:
    """Seconds, and waiting for them to pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass
class Drain:
    """One node's drain."""

    node: str
    api: Api
    gateway_namespace: str
    seconds: int
    may_abandon: bool
    """The node may be abandoned with what is on it: where its kubelet is dead, nothing is waited for."""
    say: Say
    clock: Clock = field(default_factory=Clock)
    evicted: set[Pod] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    def run(self) -> bool:
        """Drain it; False where the cluster has no such node.

        Raises:
            IncompleteError: refused, or not empty in time. A cordon of ours has been taken back.
            ApiError, UnreachableError: of the first questions; later ones are asked again until the time is up.
        """
        node = found(self.api, self._path)
        if node is None:
            return False
        ours = drain.is_ours(node)
        try:
            self._refuse()
            if not drain.is_cordoned(node):
                ours = True  # before it is: an answer that gets lost does not mean that nothing was done
                self._cordon()
                self._refuse()  # now two removals at the same time see each other's mark
            self._empty()
        except BaseException:
            if ours:
                self._uncordon()
            raise
        return True

    @property
    def _path(self) -> str:
        return f"/api/v1/nodes/{self.node}"

    def _pods(self) -> list[dict[str, Any]]:
        return listed(self.api, "/api/v1/pods", query=[("fieldSelector", f"spec.nodeName={self.node}")])

    def _attached(self) -> list[str]:
        return drain.attached(self.node, listed(self.api, "/apis/storage.k8s.io/v1/volumeattachments"))

    def _refuse(self) -> None:
        gateways = self.gateway_namespace
        seen = ClusterState(
            nodes=listed(self.api, "/api/v1/nodes"),
            pods=self._pods(),
            services=listed(self.api, f"/api/v1/namespaces/{gateways}/services"),
            slices=listed(self.api, f"/apis/discovery.k8s.io/v1/namespaces/{gateways}/endpointslices"),
        )
        problems: list[Finding] = drain.refusals(self.node, seen, may_abandon=self.may_abandon)
        if problems:
            raise IncompleteError([str(problem) for problem in problems])

    def _cordon(self) -> None:
        mark = {"metadata": {"annotations": {labels.CORDONED: "true"}}, "spec": {"unschedulable": True}}
        self.api.request("PATCH", self._path, mark)
        self.say("cordoned")

    def _uncordon(self) -> None:
        try:
            uncordon(self.api, self.node)
            self.say("uncordoned: it takes pods again")
        except (ApiError, UnreachableError) as error:  # what went wrong before matters more
            self.say(f"is still cordoned ({error}): run kubectl uncordon {self.node}")

    def _empty(self) -> None:
        deadline = self.clock.now() + self.seconds
        first: frozenset[str] | None = None
        told: dict[str, str] = {}
        while True:
            try:
                if self.may_abandon and self._is_dead():  # a kubelet counts as alive for 40 s after its last word
                    self._abandon_pods()
                    return
                pods = self._pods()
                if first is None:
                    first = frozenset(pod["metadata"]["uid"] for pod in pods)
                blocked = self._turn(drain.work(pods, first=first))
            except UnreachableError as error:
                blocked = {"the cluster": f"does not answer ({error})"}
            except ApiError as error:
                if error.status < 500 and error.status != 429:  # another server of it may do better, or this one later
                    raise
                blocked = {"the cluster": f"can't answer now ({error})"}
            if not blocked:
                return
            for line in _lines(dict(blocked.items() - told.items())):
                self.say(line)
            told = blocked
            if self.clock.now() >= deadline:
                raise IncompleteError([f"node {self.node}: {_NOT_EMPTY.format(self.seconds)}", *_lines(blocked)])
            self.clock.sleep(_TURN_SECONDS)

    def _is_dead(self) -> bool:
        node = found(self.api, self._path)
        return node is not None and not drain.is_ready(node)

    def _turn(self, todo: Work) -> dict[str, str]:
        """Ask every pod to leave that has not been asked, and those again that could not; what is still in the way."""
        blocked = {f"pod {pod}": "has no controller: delete it" for pod in todo.orphans}
        blocked |= {f"pod {pod}": "is being stopped" for pod in todo.leaving}
        blocked |= {f"pod {pod}": self._evict(pod) or "is being stopped" for pod in todo.evict}
        if not blocked:
            blocked = {f"volume {name}": "is still attached" for name in self._attached()}
        return blocked

    def _evict(self, pod: Pod) -> str:
        """Empty where it will leave; else who keeps it."""
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": pod.namespace, "name": pod.name},
            "deleteOptions": {"preconditions": {"uid": pod.uid}},
        }
        try:
            self.api.request("POST", f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/eviction", eviction)
        except ApiError as error:
            if error.status in (404, 409):  # gone, or another pod of the same name by now: the next turn sees
                return ""
            return f"may not be evicted: {'; '.join(error.causes) or error}"
        self.evicted.add(pod)
        return ""

    def _abandon_pods(self) -> None:
        """A dead kubelet stops nothing: let others start replacements as far as budgets allow, and name the rest."""
        todo = drain.work(self._pods())
        kept = {pod: reason for pod in todo.evict if (reason := self._evict(pod))}
        still = [f"{pod} ({kept[pod]})" if pod in kept else str(pod) for pod in (*todo.evict, *todo.leaving)]
        still += [f"{pod} (has no controller)" for pod in todo.orphans]
        if still:
            self.warnings.append(f"is not Ready, so these pods may still run on it: {', '.join(still)}")
        if volumes := self._attached():
            self.warnings.append(f"has these volumes still attached: {', '.join(volumes)}")


def _lines(blocked: dict[str, str]) -> list[str]:
    return [f"{item} {reason}" for item, reason in sorted(blocked.items())]


def uncordon(api: Api, node: str) -> None:
    """Take back the cordon and the mark that it was ours."""
    plain = {"metadata": {"annotations": {labels.CORDONED: None}}, "spec": {"unschedulable": None}}
    api.request("PATCH", f"/api/v1/nodes/{node}", plain)
