"""What a drain does and when it is refused, from listed objects alone.

Order and exceptions are those of `kubectl drain`. A drain is also refused if etcd would lose its majority, or the
gateway its last pod.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from components.core import labels
from components.core.finding import Finding

Object = Mapping[str, Any]

MIRROR = "kubernetes.io/config.mirror"
"""Annotation of the kubelet's own static pods: the API server cannot stop them."""
_MEMBERS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/etcd")
"""Labels of nodes that run etcd: kubeadm and k3s set the first, k3s the second for nodes with etcd alone."""
_CORDON_TAINT = "node.kubernetes.io/unschedulable"
_SERVICE_OF_SLICE = "kubernetes.io/service-name"


class Pod(NamedTuple):
    """One pod; the uid distinguishes it from a later pod of the same name."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class ClusterState(NamedTuple):
    """Objects of the cluster."""

    nodes: Sequence[Object]
    pods: Sequence[Object]
    """Of the one node."""
    services: Sequence[Object]
    """Of the gateway's namespace, as the slices."""
    slices: Sequence[Object]


class Work(NamedTuple):
    """The pods of a node, by what a drain does with them."""

    evict: tuple[Pod, ...]
    orphans: tuple[Pod, ...]
    """Pods without a controller: nothing would start them again."""
    leaving: tuple[Pod, ...]
    """Being deleted already, by us or others."""

    @property
    def is_done(self) -> bool:
        return not (self.evict or self.orphans or self.leaving)


def work(pods: Iterable[Object], *, first: frozenset[str] | None = None) -> Work:
    """Which pods must leave. `first`: uids at the beginning; a later pod that ignores cordons does not count.

    Pods of DaemonSets and static pods stay. Finished pods do not count.
    """
    sorted_pods = sorted(pods, key=lambda pod: (pod["metadata"]["namespace"], pod["metadata"]["name"]))
    evict: list[Pod] = []
    orphans: list[Pod] = []
    leaving: list[Pod] = []
    for item in sorted_pods:
        metadata = item["metadata"]
        pod = Pod(metadata["namespace"], metadata["name"], metadata["uid"])
        owner = _controller(item)
        if belongs_to_node(item):
            continue
        if (item.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            continue
        if first is not None and pod.uid not in first and _ignores_cordons(item):
            continue
        (leaving if metadata.get("deletionTimestamp") else evict if owner else orphans).append(pod)
    return Work(tuple(evict), tuple(orphans), tuple(leaving))


def belongs_to_node(pod: Object) -> bool:
    """Whether it is of a DaemonSet, or a static pod: a drain lets it run."""
    return MIRROR in (pod["metadata"].get("annotations") or {}) or _controller(pod) == "DaemonSet"


def refusals(node: str, state: ClusterState, *, abandon: bool, returns: bool = False) -> list[Finding]:
    """Every reason against draining this node.

    `abandon`: the stack file allows to abandon it. `returns`: it is drained for an upgrade, and its etcd stays.
    """
    lost = _leaving(node, state.nodes)
    problems = [*_quorum(node, lost, state.nodes, returns=returns), *_gateways(node, lost, state, returns=returns)]
    todo = work(state.pods)
    if abandon and not is_ready(_named(node, state.nodes)):
        return problems
    problems += [
        Finding(
            "drain-orphan",
            f"pod {pod}",
            f"is on node {node} and has no controller, so nothing would start it elsewhere",
            "give it a controller, or delete it",
        )
        for pod in todo.orphans
    ]
    if not todo.is_done and not is_ready(_named(node, state.nodes)):
        problems.append(
            Finding(
                "drain-not-ready",
                f"node {node}",
                "is not Ready, so nothing would stop its pods",
                "repair it. If it is lost, add it to the stack file again with "
                "`whenUnreachable: abandon`, run `pulumi up`, and remove it again",
            )
        )
    return problems


def is_ready(item: Object) -> bool:
    """Whether a node's kubelet reports, and reports that it can run pods; or whether a pod is ready."""
    conditions = (item.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def is_ours(node: Object) -> bool:
    """Whether a decommission or an upgrade cordoned it."""
    return labels.CORDONED in (node["metadata"].get("annotations") or {})


def is_cordoned(node: Object) -> bool:
    """Whether it is cordoned."""
    return bool((node.get("spec") or {}).get("unschedulable"))


def attached(node: str, attachments: Iterable[Object]) -> list[str]:
    """Volumes that are still attached to the node: another node could not write to them."""
    found = [item["spec"] for item in attachments if item["spec"]["nodeName"] == node]
    return sorted(spec["source"].get("persistentVolumeName") or "an inline volume" for spec in found)


def _leaving(node: str, nodes: Sequence[Object]) -> frozenset[str]:
    """This node and all others that we drain: they must not count on each other."""
    return frozenset({node, *(item["metadata"]["name"] for item in nodes if is_ours(item))})


def _quorum(node: str, lost: frozenset[str], nodes: Sequence[Object], *, returns: bool) -> Iterator[Finding]:
    members = [item for item in nodes if set(_MEMBERS) & set(item["metadata"].get("labels") or {})]
    names = {item["metadata"]["name"] for item in members}
    left = sum(is_ready(item) and item["metadata"]["name"] not in lost for item in members)
    majority = len(members) // 2 + 1
    if node in names and left < majority and not (returns and len(members) == 1):
        yield Finding(
            "drain-quorum",
            f"node {node}",
            f"is one of {len(members)} control-plane nodes, and {left} ready {'one' if left == 1 else 'ones'} would be "
            f"left{_beside(node, lost & names)}: etcd needs {majority}",
            "add one or bring one back first",
        )


def _gateways(node: str, lost: frozenset[str], state: ClusterState, *, returns: bool) -> Iterator[Finding]:
    for service in state.services:
        metadata = service["metadata"]
        if (service.get("spec") or {}).get("type") != "LoadBalancer":
            continue
        ready = [
            str(endpoint.get("nodeName"))
            for item in state.slices
            if (item["metadata"].get("labels") or {}).get(_SERVICE_OF_SLICE) == metadata["name"]
            for endpoint in item.get("endpoints") or ()
            if (endpoint.get("conditions") or {}).get("ready") is not False  # unknown counts as ready, by its API
        ]
        if returns and len(ready) > 1:  # the disruption budget moves them one by one, and other nodes are free
            continue
        on = set(ready)
        if node in on and on <= lost:
            yield Finding(
                "drain-last-gateway",
                f"Service {metadata['namespace']}/{metadata['name']}",
                f"has its only ready pods on node {node}{_beside(node, lost & on)}: the gateway would be down",
                "run another pod on another node first",
            )


def _beside(node: str, lost: frozenset[str]) -> str:
    others = sorted(lost - {node})
    return f" (with {', '.join(others)}, drained by us too)" if others else ""


def _named(node: str, nodes: Sequence[Object]) -> Object:
    return next((item for item in nodes if item["metadata"]["name"] == node), {})


def _controller(pod: Object) -> str | None:
    """The kind of what would start it again."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return next((str(owner["kind"]) for owner in owners if owner.get("controller")), None)


def _ignores_cordons(pod: Object) -> bool:
    return any(
        toleration.get("key") in (None, "", _CORDON_TAINT) and toleration.get("effect") in (None, "", "NoSchedule")
        for toleration in (pod.get("spec") or {}).get("tolerations") or ()
    )
