"""Drains a node: cordons it, evicts its pods and waits until they are gone. Uncordons the node if that fails."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from components.core import labels
from components.core.finding import Finding
from components.kubernetes_api import Api, ApiError, UnreachableError, get, list_items
from vds.decommission import plan
from vds.decommission.plan import ClusterState, Pod, Work
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError

_TURN_SECONDS = 2.0

_NOT_EMPTY = (
    "still has pods after its drainSeconds, {}, so it was not {}. Remove what blocks these pods and run again, or "
    "first raise drainSeconds while the node is in the stack file"
)

Report = Callable[[str], None]


@dataclass
class Drain:
    """One node's drain."""

    node: str
    api: Api
    gateway_namespace: str
    seconds: int
    abandon: bool
    """The stack file allows to abandon the node: if its kubelet is dead, nothing is waited for."""
    report: Report
    purpose: Literal["decommissioned", "upgraded", "rebooted"] = "decommissioned"
    """What happens to the node afterwards. After the last two it takes pods again."""
    clock: Clock = field(default_factory=Clock)
    evicted: set[Pod] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    def run(self) -> bool:
        """Drain the node. False if the cluster has no such node.

        Raises:
            IncompleteError: refused, or pods remained. If we had cordoned the node, it is uncordoned.
            ApiError, UnreachableError: of the first calls. Later calls are repeated until the time is up.
        """
        node = get(self.api, self._path)
        if node is None:
            return False
        ours = plan.is_ours(node)
        try:
            self._refuse()
            if not plan.is_cordoned(node):
                ours = True  # before the call: it may take effect even if its answer is lost
                self._cordon()
                self._refuse()  # now two decommissions at the same time see each other's annotation
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
        return list_items(self.api, "/api/v1/pods", query=[("fieldSelector", f"spec.nodeName={self.node}")])

    def _attached(self) -> list[str]:
        return plan.attached(self.node, list_items(self.api, "/apis/storage.k8s.io/v1/volumeattachments"))

    def _refuse(self) -> None:
        gateways = self.gateway_namespace
        state = ClusterState(
            nodes=list_items(self.api, "/api/v1/nodes"),
            pods=self._pods(),
            services=list_items(self.api, f"/api/v1/namespaces/{gateways}/services"),
            slices=list_items(self.api, f"/apis/discovery.k8s.io/v1/namespaces/{gateways}/endpointslices"),
        )
        problems: list[Finding] = plan.refusals(
            self.node, state, abandon=self.abandon, returns=self.purpose != "decommissioned"
        )
        if problems:
            raise IncompleteError(*map(str, problems))

    def _cordon(self) -> None:
        mark = {"metadata": {"annotations": {labels.CORDONED: "true"}}, "spec": {"unschedulable": True}}
        self.api.request("PATCH", self._path, mark)
        self.report("cordoned")

    def _uncordon(self) -> None:
        try:
            uncordon(self.api, self.node)
            self.report("uncordoned")
        except (ApiError, UnreachableError) as error:  # the earlier error matters more
            self.report(f"is still cordoned ({error}): run kubectl uncordon {self.node}")

    def _empty(self) -> None:
        deadline = self.clock.now() + self.seconds
        first: frozenset[str] | None = None
        reported: dict[str, str] = {}
        while True:
            try:
                if self.abandon and self._is_dead():  # a node stays Ready for 40 s after its kubelet died
                    self._abandon()
                    return
                pods = self._pods()
                if first is None:
                    first = frozenset(pod["metadata"]["uid"] for pod in pods)
                blocked = self._turn(plan.work(pods, first=first))
            except UnreachableError as error:
                blocked = {"the cluster": f"does not answer ({error})"}
            except ApiError as error:
                if not error.may_pass:
                    raise
                blocked = {"the cluster": f"can't answer now ({error})"}
            if not blocked:
                return
            for line in _lines(dict(blocked.items() - reported.items())):
                self.report(line)
            reported = blocked
            if self.clock.now() >= deadline:
                said = _NOT_EMPTY.format(self.seconds, self.purpose)
                raise IncompleteError(f"node {self.node}: {said}", *_lines(blocked))
            self.clock.sleep(_TURN_SECONDS)

    def _is_dead(self) -> bool:
        node = get(self.api, self._path)
        return node is not None and not plan.is_ready(node)

    def _turn(self, todo: Work) -> dict[str, str]:
        """Evict every pod that is not leaving yet. What still blocks the drain, with the reason."""
        blocked = {f"pod {pod}": "has no controller: delete it" for pod in todo.orphans}
        blocked |= {f"pod {pod}": "is being stopped" for pod in todo.leaving}
        blocked |= {f"pod {pod}": self._evict(pod) or "is being stopped" for pod in todo.evict}
        if not blocked:
            blocked = {f"volume {name}": "is still attached" for name in self._attached()}
        return blocked

    def _evict(self, pod: Pod) -> str:
        """Evict a pod; the reason if that is refused, else an empty text."""
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": pod.namespace, "name": pod.name},
            "deleteOptions": {"preconditions": {"uid": pod.uid}},
        }
        try:
            self.api.request("POST", f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/eviction", eviction)
        except ApiError as error:
            if error.status in (404, 409):  # gone, or replaced by a pod of the same name
                return ""
            return f"can't be evicted: {'; '.join(error.causes) or error}"
        self.evicted.add(pod)
        return ""

    def _abandon(self) -> None:
        """Evict what the budgets allow, so that replacements start elsewhere. A dead kubelet stops no pod."""
        todo = plan.work(self._pods())
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
    """Uncordon the node and remove our annotation."""
    plain = {"metadata": {"annotations": {labels.CORDONED: None}}, "spec": {"unschedulable": None}}
    api.request("PATCH", f"/api/v1/nodes/{node}", plain)
