"""Whether the nodes of a cluster may be upgraded to a version, and what that will do.

Sources: Kubernetes' version skew policy, and kubeadm's documentation of `kubeadm upgrade`.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from components.core.finding import Finding
from components.core.versions import parse
from components.kubeadm.model import Bootstrap
from components.kubeadm.render import packages
from components.kubeadm.upgrade.reading import NodeVersions, RemovedApi
from components.network.cilium.model import Cilium
from components.network.model import AnyCni

KUBELET_MINORS = 3
"""How many minors a kubelet may be older than an API server (the skew policy, since Kubernetes 1.28)."""
_FIELD = "cluster.kubernetesVersion"


class Running(NamedTuple):
    """Versions that run, by node."""

    api_servers: Mapping[str, str]
    kubelets: Mapping[str, str]


class Step(NamedTuple):
    """What an upgrade does on one node."""

    node: str
    changes: Mapping[str, tuple[str, str]]
    """Package → its version now and its version afterwards."""
    drain_seconds: int
    unfinished: bool = False

    @property
    def differences(self) -> str:
        """Its packages that are not as wanted."""
        same: dict[tuple[str, str], list[str]] = {}
        for name, change in self.changes.items():
            same.setdefault(change, []).append(name)
        does = [f"{', '.join(names)} {before} → {after}" for (before, after), names in same.items()]
        if self.unfinished:
            does.append("an upgrade was begun and not finished")
        return "; ".join(does)

    def __str__(self) -> str:
        limit = self.drain_seconds
        drained = f"drained for at most {limit} s" if limit else "not drained, because its drainSeconds is 0"
        return f"{self.node}: {self.differences}; {drained}"


def running(found: Mapping[str, NodeVersions]) -> Running:
    """What the members among these nodes run."""
    members = {node: said for node, said in found.items() if said.member}
    return Running(
        {node: said.api_server for node, said in members.items() if said.api_server},
        {node: said.packages["kubelet"] for node, said in members.items() if "kubelet" in said.packages},
    )


def steps(bootstrap: Bootstrap, found: Mapping[str, NodeVersions]) -> list[Step]:
    """One step for each member that does not have the packages of the stack file, in the order of the upgrade."""
    wanted, made = packages(bootstrap.cluster), []
    for node in (*bootstrap.control_planes, *bootstrap.workers):
        said = found.get(node.name, NodeVersions())
        changes = {name: (version, wanted[name]) for name, version in said.behind(wanted).items()}
        if said.member and (changes or said.unfinished):
            made.append(Step(node.name, changes, node.drain_seconds, said.unfinished))
    return made


def skew_problems(wanted: str, now: Running) -> list[Finding]:
    """Why the nodes that run these versions can't be upgraded to `wanted`. Empty if nothing is to change."""
    return list(_skew(wanted, now))


def _skew(wanted: str, now: Running) -> Iterator[Finding]:
    everything = [*now.api_servers.items(), *now.kubelets.items()]
    newest = max((version for _, version in everything), key=_release, default=wanted)
    if newer := sorted({node for node, version in everything if _release(version) > _release(wanted)}):
        said = f"{wanted} is older than {_plain(newest)}, which {', '.join(newer)} already {_has(newer)}"
        remedy = f"write {_plain(newest)} or a newer version: kubeadm can't go back"
        yield _finding("upgrade-down", wanted, said, remedy)
        return
    servers = {_minor(version): version for version in now.api_servers.values()}
    oldest, last = min(servers, default=_minor(wanted)), max(servers, default=_minor(wanted))
    if _minor(wanted) > oldest + 1:
        said = f"{wanted} is {_minor(wanted) - oldest} minors newer than {servers[oldest]}, and kubeadm upgrades by one"
        yield _finding("upgrade-step", wanted, said, f"write a version of {_name(wanted, oldest + 1)} first")
    if last > oldest + 1:
        said = f"API servers run {servers[oldest]} and {servers[last]}, and may differ by one minor"
        yield _finding("upgrade-step", wanted, said, f"write a version of {_name(wanted, oldest + 1)} first")
    for node, version in sorted(now.kubelets.items()):
        if _minor(wanted) - _minor(version) > KUBELET_MINORS:
            said = f"the kubelet of {node} is {_plain(version)}, more than {KUBELET_MINORS} minors older than {wanted}"
            remedy = f"remove {node} from the stack file, run `pulumi up`, and add it again"
            yield _finding("upgrade-kubelet", wanted, said, remedy)


def joining_problems(bootstrap: Bootstrap, found: Mapping[str, NodeVersions]) -> list[Finding]:
    """Nodes that would join while API servers of two minors run: a kubelet may not be newer than any of them."""
    wanted = bootstrap.cluster.kubernetes_version
    older = [version for version in running(found).api_servers.values() if _minor(version) < _minor(wanted)]
    new = sorted(node for node, said in found.items() if not said.member)
    if not older or not new:
        return []
    said = f"{', '.join(new)} would join while API servers of {_plain(older[0])} and {wanted} run"
    return [_finding("upgrade-join", wanted, said, "add nodes in an update before or after the upgrade")]


def removed_problems(wanted: str, found: Mapping[str, NodeVersions]) -> list[Finding]:
    """APIs in use that `wanted` does not have any more, of every API server of an older minor.

    None is left out: what one API server was asked for, another does not know. One that was upgraded forgets it.
    """
    return list(_removed(wanted, found))


def _removed(wanted: str, found: Mapping[str, NodeVersions]) -> Iterator[Finding]:
    used: dict[tuple[str, str], list[tuple[str, RemovedApi]]] = {}
    for node, said in found.items():
        if not said.api_server or _minor(said.api_server) >= _minor(wanted):
            continue
        if not said.asked:
            reason = f" ({said.unasked})" if said.unasked else ""
            problem = f"its API server did not say which APIs are in use that {wanted} removes{reason}"
            yield Finding("upgrade-removed-api", f"node {node}", problem, "make it answer, and run again")
        for api in said.removed:
            if _release(api.release) <= _release(wanted)[:2]:
                used.setdefault((api.api, api.resource), []).append((node, api))
    for (name, resource), answers in used.items():
        nodes = ", ".join(node for node, _ in answers)
        stored = max(api.stored for _, api in answers)
        clients = sorted({client for _, api in answers for client in api.clients})
        by = f"by {', '.join(clients)}" if clients else "by a client that the audit log does not name"
        problem = f"{answers[0][1].release} removes it, and {nodes} was asked for it {by}"
        remedy = f"change the client to an API that {wanted} has, restart that API server, and run again"
        if stored:
            problem = f"{answers[0][1].release} removes it, and {stored} objects have no other API"
            remedy = "save them, and delete them or move them to the API that replaces it"
        yield Finding("upgrade-removed-api", f"{resource} of {name}", problem, remedy, value=wanted)


def cni_problems(cni: AnyCni) -> list[Finding]:
    """A change of the CNI in the same update: neither would be known to work with the other's old version."""
    if not isinstance(cni, Cilium) or cni.running_version in (None, cni.version):
        return []
    said = f"{cni.version} is to replace {cni.running_version} in the update that upgrades nodes"
    remedy = "change the CNI in an update of its own, and write its version to cni.runningVersion too"
    return [Finding("upgrade-cni", "cni.version", said, remedy, value=cni.version)]


def _finding(rule: str, wanted: str, said: str, remedy: str) -> Finding:
    return Finding(rule, _FIELD, said, remedy, value=wanted)


def _release(version: str) -> tuple[int, ...]:
    return parse(version).release


def _plain(version: str) -> str:
    return version.partition("-")[0]


def _minor(version: str) -> int:
    return parse(version).minor


def _name(version: str, minor: int) -> str:
    return f"{parse(version).major}.{minor}"


def _has(nodes: list[str]) -> str:
    return "has" if len(nodes) == 1 else "have"
