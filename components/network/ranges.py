"""Networks of a cluster that lie in each other, or are too small for what they are given out to. Pure."""

from ipaddress import IPv4Network

from components.core.finding import Finding
from components.network.networks import NetworkSpec

PER_NODE = 24
"""Prefix length of what each node gets of the pod network: kube-controller-manager's `--node-cidr-mask-size`, and
Cilium's `clusterPoolIPv4MaskSize`."""
SERVICES = 28
"""The smallest Service network: the API server takes its first address, and kubeadm gives DNS the tenth."""
_CANDIDATES = ("10.244.0.0/16", "10.200.0.0/16", "172.20.0.0/16", "192.168.0.0/16")


def range_problems(network: NetworkSpec) -> list[Finding]:
    """Networks that overlap, where an address in two is reached in one only; and a Service network without room."""
    nodes, pods, services = network.node_cidr, network.pod_cidr, network.service_cidr
    if nodes.prefixlen == 0:
        said = f"{nodes} is every address"
        return [_finding("nodeCidr", said, "write the nodes' segment, as in 198.51.100.0/24", nodes)]
    found = []
    if holds_nodes(network):
        remedy = f"write another podCidr, as in {_free(network)}, and cni.routing.nativeCidr with it"
        found.append(_finding("podCidr", f"{pods} holds the nodes' network {nodes}", remedy, pods))
    pairs = (("podCidr", pods, "nodeCidr", nodes), ("serviceCidr", services, "nodeCidr", nodes))
    for second, second_net, first, first_net in (*pairs, ("serviceCidr", services, "podCidr", pods)):
        if first_net.overlaps(second_net) and not (second == "podCidr" and holds_nodes(network)):
            said = f"{second_net} overlaps {first} {first_net}: an address of both is reached in one only"
            found.append(_finding(second, said, "choose ranges that are apart", second_net))
    if services.prefixlen > SERVICES:
        takes = "the API server takes the first, and cluster DNS the tenth"
        said = f"{services} has {services.num_addresses} addresses: {takes}"
        found.append(_finding("serviceCidr", said, "write a larger network, as in 10.96.0.0/16", services))
    return found


def room_problems(network: NetworkSpec, nodes: int) -> list[Finding]:
    """A pod network with fewer parts than there are nodes."""
    pods = network.pod_cidr
    parts = 2 ** (PER_NODE - pods.prefixlen) if pods.prefixlen <= PER_NODE else 0
    if parts >= nodes:
        return []
    enough = PER_NODE - (nodes - 1).bit_length()
    said = f"{pods}: each node takes a /{PER_NODE} of it, and there are {nodes} nodes"
    remedy = f"write a /{enough} or larger, and cni.routing.nativeCidr with it"
    return [_finding("podCidr", said, remedy, pods)]


def holds_nodes(network: NetworkSpec) -> bool:
    """Whether the nodes' network is within the pods': everything else about its addresses follows from that."""
    return network.node_cidr.subnet_of(network.pod_cidr)


def _free(network: NetworkSpec) -> str:
    taken = (network.node_cidr, network.pod_cidr, network.service_cidr)
    return next(text for text in _CANDIDATES if not any(IPv4Network(text).overlaps(one) for one in taken))


def _finding(field: str, said: str, remedy: str, value: IPv4Network) -> Finding:
    return Finding("cni-networks-apart", f"network.{field}", said, remedy, value=str(value))
