"""What Cilium may not be on these networks, beyond what its model can't express."""

from collections.abc import Iterator

from components.core.finding import Finding
from components.core.versions import between
from components.network.cilium.changes import as_spec, effect, spec_field
from components.network.cilium.constraints import broken
from components.network.cilium.data_path import DataPath
from components.network.cilium.model import Cilium, CiliumNative
from components.network.cilium.releases import SUPPORTED
from components.network.networks import NetworkSpec
from components.network.ranges import holds_nodes

NEWEST = "1.20"
"""The newest minor whose MTU arithmetic was run."""


def cilium_problems(cni: Cilium, network: NetworkSpec) -> Iterator[Finding]:
    """Everything wrong with it."""
    if between(cni.version, SUPPORTED, NEWEST):
        yield from _routing_problems(cni, network)
        yield from _data_path_problems(cni.data_path(network))
        return
    yield Finding(
        "cni-version",
        "cni.version",
        f"{cni.version} is not between {SUPPORTED} and {NEWEST}: Cilium maintains three minors, and this platform "
        "knows the chart's values and the MTU arithmetic of these",
        "choose one of these (`vds cilium-values migrate` carries the values of older releases)",
    )


def _data_path_problems(path: DataPath) -> Iterator[Finding]:
    for row in broken(path):
        upgrade = [f"version {row.fixed_in} or newer"] if row.fixed_in else []
        remedies = [*upgrade, *(as_spec(change) for change in row.remedies(path))]
        value = as_spec({row.field: getattr(path, row.field)}).partition(": ")[2]
        yield Finding(
            "cni-consistent",
            spec_field(row.field),
            f"{value} on Cilium {path.release}: {effect(row, row.reason(path))} ({row.source})",
            f"write {', or '.join(remedies)}",
        )


def _routing_problems(cni: Cilium, network: NetworkSpec) -> Iterator[Finding]:
    if not isinstance(cni, CiliumNative):
        return
    native = cni.routing.native_cidr
    if not network.pod_cidr.subnet_of(native):
        yield Finding(
            "cni-native-cidr",
            "cni.routing.nativeCidr",
            f"{native} does not hold podCidr {network.pod_cidr}: pods on other nodes would see masqueraded addresses",
            f"write {network.pod_cidr}",
        )
    elif not holds_nodes(network) and (held := [nodes for nodes in network.node_cidrs if nodes.subnet_of(native)]):
        yield Finding(
            "cni-native-cidr",
            "cni.routing.nativeCidr",
            f"{native} contains the nodes' network {held[0]} too: pods would reach it with addresses "
            "that a provider's reverse-path filter drops",
            f"write {network.pod_cidr}",
        )
