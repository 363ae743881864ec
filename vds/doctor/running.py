"""Asks the API server: whether every node is Ready, and which pods of the platform do not run, and why."""

from collections.abc import Iterator

from components.core.names import KUBE_SYSTEM, METALLB_SYSTEM, TIGERA_OPERATOR
from components.faults.reading import node_fault, not_running
from components.kubernetes_api import Api, ApiError, Cluster, KubeconfigError, UnreachableError
from components.network.model import Calico, Cilium
from components.pools.announced import announcement, owner, remedy
from components.pools.model import Helm
from components.stackfile.spec import PlatformSpec
from vds.doctor.diagnosis import GatewayFinding, no_answer

_CILIUM_PODS = "app.kubernetes.io/part-of=cilium"
_CALICO_SYSTEM = "calico-system"


def examine_running(spec: PlatformSpec, kubeconfig: str | None) -> list[GatewayFinding]:
    """What does not run; one good row where everything does. A fault is a finding and raises nothing.

    `kubeconfig` is None if the stack makes its cluster and has not done so yet.
    """
    if kubeconfig is None:
        return []
    try:
        return rows(spec, Cluster(kubeconfig))
    except (ApiError, KubeconfigError, UnreachableError) as error:
        return [no_answer("cluster", error)]


def rows(spec: PlatformSpec, api: Api) -> list[GatewayFinding]:
    """The same. Raises ApiError, UnreachableError."""
    found = [*_nodes(spec, api), *_pods(spec, api)]
    good = [GatewayFinding("cluster", "ok", "every node is Ready, and every pod of the platform runs")]
    return [*(found or good), *_announcement(spec, api)]


def _nodes(spec: PlatformSpec, api: Api) -> Iterator[GatewayFinding]:
    for node in spec.nodes:
        if fault := node_fault(api, node.name):
            see = "see `journalctl -u kubelet` there; run `pulumi up` if it has not joined"
            yield GatewayFinding(fault.item, "fails", fault.says, see)


def _pods(spec: PlatformSpec, api: Api) -> Iterator[GatewayFinding]:
    for namespace, labels in _namespaces(spec):
        for fault in not_running(api, namespace, labels=labels):
            see = f"see `kubectl -n {namespace} describe` and `logs` of it"
            yield GatewayFinding(fault.item, "fails", fault.says, see)


def _announcement(spec: PlatformSpec, api: Api) -> Iterator[GatewayFinding]:
    by = owner(spec.metallb)
    if by is None:  # the gateway's own row says whether the address answers
        return
    found = announcement(api, spec.gateway.namespace, spec.gateway.name, by)
    item = f"address {found.address}" if found.address else "gateway's address"
    if found.reason:
        yield GatewayFinding(item, "fails", found.reason, remedy(api, by))
    else:
        yield GatewayFinding(item, "ok", f"announced by {', '.join(found.nodes)}")


def _namespaces(spec: PlatformSpec) -> Iterator[tuple[str, str]]:
    """Where the platform has pods, with a label selector where others have some too."""
    if spec.bootstrap:
        yield KUBE_SYSTEM, ""
    elif isinstance(spec.cni, Cilium):
        yield KUBE_SYSTEM, _CILIUM_PODS
    if isinstance(spec.cni, Calico):
        yield from ((TIGERA_OPERATOR, ""), (_CALICO_SYSTEM, ""))
    if isinstance(spec.metallb.install, Helm):
        yield METALLB_SYSTEM, ""
    if spec.gateway.pods_namespace and spec.gateway.pods_namespace not in (KUBE_SYSTEM, METALLB_SYSTEM):
        yield spec.gateway.pods_namespace, ""
