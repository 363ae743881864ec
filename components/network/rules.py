"""What a network may not be, beyond what the model can't express."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from components.core.finding import Finding
from components.network.compatibility.matrix import Part
from components.network.compatibility.search import floor
from components.network.kinds import KINDS
from components.network.model import AnyCni, NetworkSpec
from components.network.mtu import solve
from components.network.ranges import holds_nodes, range_problems

ANY_KERNEL = "3.10"
"""Where nothing needs more: kube-proxy's iptables and IPVS modes."""
EBPF_KERNEL = "5.4"
"""Where somebody else's programs replace kube-proxy: no such program that this platform knows takes less."""


def kernel_floor(cni: AnyCni) -> tuple[str, str]:
    """The oldest kernel (`major.minor`) that a node may run, and who asks for it."""
    asked = "eBPF of somebody else's" if cni.service_proxy == "ebpf" else f"kube-proxy with {cni.service_proxy}"
    return floor(cni.combination(), Part.KERNEL) or (EBPF_KERNEL if cni.service_proxy == "ebpf" else ANY_KERNEL, asked)


def network_problems(network: NetworkSpec) -> Iterator[Finding]:
    """Networks that overlap or are too small; and an API server that no node finds."""
    yield from range_problems(network)
    if not holds_nodes(network):
        yield from api_server_problems(network)


def cni_problems(cni: AnyCni, network: NetworkSpec) -> list[Finding]:
    """Everything wrong with a CNI on these networks."""
    return [*_mtu_problems(cni, network), *KINDS[cni.kind].problems(cni, network)]


def _mtu_problems(cni: AnyCni, network: NetworkSpec) -> Iterator[Finding]:
    mtu = solve(cni, network.underlay_mtu)
    if cni.pod_mtu is not None and cni.pod_mtu != mtu.pod:
        yield Finding(
            "cni-pod-mtu",
            "cni.podMtu",
            f"{cni.pod_mtu}, but pods get {mtu.arithmetic}",
            f"write podMtu: {mtu.pod}, or leave it out"
            + (" (the links' MTU is network.underlayMtu)" if cni.pod_mtu == network.underlay_mtu else ""),
        )
    if mtu.pod < 1280:
        yield Finding(
            "cni-pod-mtu",
            "network.underlayMtu",
            f"pods get {mtu.arithmetic}, less than the 1280 bytes every IP stack may count on",
            "choose native routing, no encryption, or links with a larger MTU",
        )


REMEDY = "write a control plane's address, or one or a name in front of all of them"
APISERVER_PORT = 6443
"""kube-apiserver's own, where each control plane has it. On another port of every node something may pass it on, as
k3s' agents do on 6444 and Talos on 7445."""


def api_server_problems(network: NetworkSpec) -> list[Finding]:
    """An address that no node reaches by itself, or that is none."""
    host = network.api_server.host
    wrong = _of_address(host, network) if host.rpartition(".")[2].isdecimal() else _of_name(host, network)
    return [Finding("cni-api-server", "network.apiServer.host", f"{host} {wrong}", REMEDY)] if wrong else []


def _of_address(host: str, network: NetworkSpec) -> str:
    try:
        address = IPv4Address(host)
    except ValueError:
        return "is no IPv4 address: four numbers from 0 to 255, without leading zeros"
    if address in network.service_cidr:
        return (
            f"is a Service's, of serviceCidr {network.service_cidr}: who makes Services work has to reach the API "
            "server first"
        )
    if address in network.pod_cidr:
        return f"is a pod's, of podCidr {network.pod_cidr}: there are no pods before the network"
    if address.is_loopback:
        return _own(network)
    if address.is_unspecified or address.is_multicast or address.is_reserved:
        return "is no host's address"
    return ""


def _of_name(host: str, network: NetworkSpec) -> str:
    labels = host.split(".")
    if labels[-1] == "localhost":
        return _own(network)
    if labels[0] == "kubernetes" and labels[1:3] in ([], ["default"], ["default", "svc"]):
        return "is a Service's name: the cluster's DNS, which knows it, comes after the network"
    return ""


def _own(network: NetworkSpec) -> str:
    if network.api_server.port != APISERVER_PORT:
        return ""
    return f"is each node itself, and workers have no API server on port {APISERVER_PORT}"
