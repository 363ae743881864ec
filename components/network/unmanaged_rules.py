"""What a CNI of somebody else's may not be on these networks, with these tenants."""

from collections.abc import Sequence

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.network.model import AnyCni, NetworkSpec
from components.network.mtu import fitting, solve
from components.network.unmanaged import Flannel, Unmanaged


def unmanaged_problems(cni: Flannel | Unmanaged, network: NetworkSpec) -> list[Finding]:
    """Everything wrong with it, beyond what `cni_problems` says of every CNI."""
    if isinstance(cni, Unmanaged):
        return _unmanaged(cni, network)
    if cni.legacy:
        return []
    mtu = solve(cni, network.underlay_mtu)
    return [
        Finding(
            "cni-flannel",
            "cni.kind",
            "flannel enforces no NetworkPolicy: every tenant could reach every other; write kind: cilium or calico. "
            f"Where it runs already and is to go later, write legacy: true (pods then get {mtu.arithmetic})",
        )
    ]


def _unmanaged(cni: Unmanaged, network: NetworkSpec) -> list[Finding]:
    twice = [
        Finding("cni-layers", "cni.layers", f"{layer} occurs twice: write each once; what is nested twice is unknown")
        for layer in duplicates(cni.layers)
    ]
    fits = fitting(cni, network.underlay_mtu)
    if cni.pod_mtu <= fits.pod:
        return twice
    return [
        *twice,
        Finding(
            "cni-pod-mtu",
            "cni.podMtu",
            f"{cni.pod_mtu}, but of {cni.name}'s packets {fits.arithmetic} fit: larger ones are lost between nodes "
            f"without a word; set {cni.name}'s pod MTU to {fits.pod}, then write it here"
            + ("" if cni.layers else ", or correct network.underlayMtu"),
        ),
    ]


def policy_problems(cni: AnyCni, tenants: Sequence[str]) -> list[Finding]:
    """Tenants on a network that keeps nobody apart: their policies would be stored, and enforced by nobody."""
    enforces = cni.network_policies if isinstance(cni, Unmanaged) else not isinstance(cni, Flannel)
    if enforces or not tenants or (isinstance(cni, Flannel) and not cni.legacy):  # then it is refused anyway
        return []
    name = cni.name if isinstance(cni, Unmanaged) else "flannel"
    return [
        Finding(
            "cni-policies",
            "cni.networkPolicies" if isinstance(cni, Unmanaged) else "cni.kind",
            f"{name} enforces no NetworkPolicy, so nothing keeps {', '.join(tenants)} apart: write kind: cilium or "
            "calico, or take the tenants out",
        )
    ]
