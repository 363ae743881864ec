"""What a CNI of somebody else's may not be on these networks."""

from collections.abc import Iterator

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.network.mtu import fitting, solve
from components.network.networks import NetworkSpec
from components.network.unmanaged.model import Flannel, Unmanaged


def flannel_problems(cni: Flannel, network: NetworkSpec) -> Iterator[Finding]:
    """That it is Flannel, unless it runs already and is to go."""
    if cni.legacy:
        return
    mtu = solve(cni, network.underlay_mtu)
    yield Finding(
        "cni-flannel",
        "cni.kind",
        "flannel enforces no NetworkPolicy: every tenant could reach every other",
        "write kind: cilium or calico. Where it runs already and is to go later, write legacy: true "
        f"(pods then get {mtu.arithmetic})",
    )


def unmanaged_problems(cni: Unmanaged, network: NetworkSpec) -> Iterator[Finding]:
    """Layers and an MTU that can't be right."""
    for layer in duplicates(cni.layers):
        yield Finding(
            "cni-layers", "cni.layers", f"{layer} occurs twice, and what is nested twice is unknown", "write each once"
        )
    fits = fitting(cni, network.underlay_mtu)
    if cni.pod_mtu <= fits.pod:
        return
    yield Finding(
        "cni-pod-mtu",
        "cni.podMtu",
        f"{cni.pod_mtu}, but of {cni.name}'s packets {fits.arithmetic} fit: larger ones are lost between nodes "
        "without a word",
        f"set {cni.name}'s pod MTU to {fits.pod}, then write it here"
        + ("" if cni.layers else ", or correct network.underlayMtu"),
    )
