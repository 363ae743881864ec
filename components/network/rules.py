"""What a network may not be, beyond what the model already has no spelling for."""

from components.core.finding import Finding
from components.core.versions import version_tuple
from components.network.api_server import api_server_problems
from components.network.calico.rules import calico_problems
from components.network.compatibility.matrix import Combination, Feature, Part
from components.network.compatibility.search import floor
from components.network.model import AnyCni, Calico, Cilium, CiliumNative, DsrGeneve, NetworkSpec
from components.network.mtu import solve
from components.network.unmanaged import Flannel, Unmanaged
from components.network.unmanaged_rules import unmanaged_problems

OLDEST = (1, 11)
"""The oldest minor whose charts were read and rendered."""
NEWEST = (1, 20)
"""The newest minor whose MTU arithmetic was run."""

ANY_KERNEL = "3.10"
"""Where nobody asks for more: kube-proxy's iptables and IPVS modes."""
EBPF_KERNEL = "5.4"
"""Where somebody else's programs replace kube-proxy: no such program that this platform knows takes less."""


def combination(cni: AnyCni) -> Combination:
    """What a CNI brings into the table of what works together."""
    features = set()
    if cni.service_proxy == "nftables":
        features.add(Feature.PROXY_NFTABLES)
    if isinstance(cni, Flannel | Unmanaged):
        return Combination({}, frozenset(features))
    if cni.encryption == "wireguard":
        features.add(Feature.WIREGUARD)
    if isinstance(cni, Calico):
        features |= {"BPF": {Feature.CALICO_BPF}, "Nftables": {Feature.CALICO_NFTABLES}}.get(cni.dataplane, set())
        return Combination({Part.CALICO: cni.version}, frozenset(features))
    if cni.gateway_api:
        features.add(Feature.CILIUM_GATEWAY)
    return Combination({Part.CILIUM: cni.version}, frozenset(features))


def kernel_floor(cni: AnyCni) -> tuple[str, str]:
    """The oldest kernel (`major.minor`) that a node may run, and who asks for it."""
    asked = "eBPF of somebody else's" if cni.service_proxy == "ebpf" else f"kube-proxy with {cni.service_proxy}"
    return floor(combination(cni), Part.KERNEL) or (EBPF_KERNEL if cni.service_proxy == "ebpf" else ANY_KERNEL, asked)


def network_problems(network: NetworkSpec) -> list[Finding]:
    """Networks that overlap, where an address in two is reached in one only; and an API server that no node finds."""
    named = [
        ("nodeCidr", network.node_cidr),
        ("podCidr", network.pod_cidr),
        ("serviceCidr", network.service_cidr),
    ]
    return [
        Finding(
            "cni-networks-apart",
            f"network.{second}",
            f"{second_net} overlaps {first} {first_net}: an address of both is reached in one only; "
            "choose ranges that are apart",
        )
        for index, (first, first_net) in enumerate(named)
        for second, second_net in named[index + 1 :]
        if first_net.overlaps(second_net)
    ] + api_server_problems(network)


def cni_problems(cni: AnyCni, network: NetworkSpec) -> list[Finding]:
    """Everything wrong with a CNI on these networks."""
    problems = _mtu_problems(cni, network)
    if isinstance(cni, Flannel | Unmanaged):
        return problems + unmanaged_problems(cni, network)
    if isinstance(cni, Calico):
        return problems + calico_problems(cni)
    return problems + _version_problems(cni) + _cilium_problems(cni) + _routing_problems(cni, network)


def _mtu_problems(cni: AnyCni, network: NetworkSpec) -> list[Finding]:
    mtu = solve(cni, network.underlay_mtu)
    problems = []
    if cni.pod_mtu is not None and cni.pod_mtu != mtu.pod:
        problems.append(
            Finding(
                "cni-pod-mtu",
                "cni.podMtu",
                f"{cni.pod_mtu}, but pods get {mtu.arithmetic}: write podMtu: {mtu.pod}, or leave it out"
                + _link_meant(cni.pod_mtu, network.underlay_mtu),
            )
        )
    if mtu.pod < 1280:
        problems.append(
            Finding(
                "cni-pod-mtu",
                "network.underlayMtu",
                f"pods get {mtu.arithmetic}, less than the 1280 bytes every IP stack may count on: "
                "choose native routing, no encryption, or links with a larger MTU",
            )
        )
    return problems


def _link_meant(written: int, underlay: int) -> str:
    return " (the links' MTU is network.underlayMtu)" if written == underlay else ""


def _version_problems(cni: Cilium) -> list[Finding]:
    minor = version_tuple(cni.version)[:2]
    if OLDEST <= minor <= NEWEST:
        return []
    oldest, newest = (".".join(map(str, edge)) for edge in (OLDEST, NEWEST))
    return [
        Finding(
            "cni-version",
            "cni.version",
            f"{cni.version} is not between {oldest} and {newest}, for which this platform knows the chart's "
            f"spelling and the MTU arithmetic: choose one of these",
        )
    ]


def _cilium_problems(cni: Cilium) -> list[Finding]:
    problems = _encryption_problems(cni)
    if cni.service_proxy != "ebpf" and cni.load_balancing.mode != "snat":
        problems.append(
            Finding(
                "cni-load-balancing",
                "cni.loadBalancing",
                f"{cni.load_balancing.mode} is Cilium's, but kube-proxy ({cni.service_proxy}) carries Services: "
                "write serviceProxy: ebpf, or mode: snat",
            )
        )
    if cni.gateway_api and version_tuple(cni.version) < (1, 13):
        problems.append(
            Finding(
                "cni-gateway-api",
                "cni.gatewayApi",
                f"true, but Cilium {cni.version} has no Gateway controller and its chart ignores the key: "
                "write version 1.13 or newer, or gatewayApi: false",
            )
        )
    if isinstance(cni.load_balancing, DsrGeneve) and version_tuple(cni.version) < (1, 14):
        problems.append(
            Finding(
                "cni-load-balancing",
                "cni.loadBalancing",
                f"dispatch geneve came with Cilium 1.14, and this is {cni.version}: write version 1.14 or newer, "
                "or native routing with dispatch: opt",
            )
        )
    if cni.gateway_api and cni.service_proxy != "ebpf":
        problems.append(
            Finding(
                "cni-gateway-api",
                "cni.gatewayApi",
                "true, but Cilium's Gateway needs kube-proxy replacement: write serviceProxy: ebpf",
            )
        )
    if cni.gateway_api and not cni.l7_proxy:
        problems.append(
            Finding(
                "cni-gateway-api",
                "cni.gatewayApi",
                "true without l7Proxy: the chart renders and the operator then does nothing; write l7Proxy: true",
            )
        )
    return problems


def _encryption_problems(cni: Cilium) -> list[Finding]:
    """Encryption that old agents refuse beside what is on by default: `exclusions` has the sources."""
    problems = []
    if cni.encryption == "ipsec" and cni.service_proxy == "ebpf" and version_tuple(cni.version) < (1, 16):
        problems.append(
            Finding(
                "cni-encryption",
                "cni.encryption",
                f"ipsec with kube-proxy replaced came with Cilium 1.16, and every agent of {cni.version} exits: write "
                "version 1.16 or newer, encryption: wireguard, or serviceProxy: iptables",
            )
        )
    if cni.encryption == "wireguard" and cni.l7_proxy and version_tuple(cni.version) < (1, 14):
        problems.append(
            Finding(
                "cni-encryption",
                "cni.encryption",
                f"wireguard with the L7 proxy came with Cilium 1.14, and every agent of {cni.version} exits: write "
                "version 1.14 or newer, or l7Proxy: false",
            )
        )
    return problems


def _routing_problems(cni: Cilium, network: NetworkSpec) -> list[Finding]:
    if not isinstance(cni, CiliumNative):
        return []
    problems = []
    native = cni.routing.native_cidr
    if not network.pod_cidr.subnet_of(native):
        problems.append(
            Finding(
                "cni-native-cidr",
                "cni.routing.nativeCidr",
                f"{native} does not hold podCidr {network.pod_cidr}: pods on other nodes would see masqueraded "
                f"addresses; write {network.pod_cidr}",
            )
        )
    elif network.node_cidr.subnet_of(native):
        problems.append(
            Finding(
                "cni-native-cidr",
                "cni.routing.nativeCidr",
                f"{native} holds the nodes' network {network.node_cidr} too: pods would reach it with addresses "
                f"that a provider's reverse-path filter drops; write {network.pod_cidr}",
            )
        )
    return problems
