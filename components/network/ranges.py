"""Networks of a cluster that lie in each other, or are too small for what they are given out to. Pure."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import combinations

from components.core.finding import Finding
from components.network.networks import NetworkSpec

PER_NODE = 24
"""Prefix length of what each node gets of the pod network: kube-controller-manager's `--node-cidr-mask-size`, and
Cilium's `clusterPoolIPv4MaskSize`."""
SERVICES = 28
"""The smallest Service network: the API server takes its first address, and kubeadm gives DNS the tenth."""
_SEGMENT = "write the nodes' segment, as in 198.51.100.0/24"
_CANDIDATES = ("10.244.0.0/16", "10.200.0.0/16", "172.20.0.0/16", "192.168.0.0/16")


def range_problems(network: NetworkSpec) -> Iterator[Finding]:
    """Networks that overlap, where an address in two is reached in one only; and a Service network without room."""
    pods, services = network.pod_cidr, network.service_cidr
    if any(nodes.prefixlen == 0 for nodes in network.node_cidrs):
        yield _finding("nodeCidr", "0.0.0.0/0 is every address", _SEGMENT, IPv4Network("0.0.0.0/0"))
        return
    for nodes in network.node_cidrs:
        if nodes.subnet_of(pods):
            remedy = f"write another podCidr, as in {_free(network)}, also to cni.routing.nativeCidr if it is there"
            yield _finding("podCidr", f"{pods} contains the nodes' network {nodes}", remedy, pods)
        elif pods.overlaps(nodes):
            yield _apart("podCidr", pods, "nodeCidr", nodes)
        if services.overlaps(nodes):
            yield _apart("serviceCidr", services, "nodeCidr", nodes)
    if services.overlaps(pods):
        yield _apart("serviceCidr", services, "podCidr", pods)
    for first, second in combinations(network.node_cidrs, 2):
        if first.overlaps(second):
            yield _apart("nodeCidr", second, "nodeCidr", first)
    if services.prefixlen > SERVICES:
        takes = "the API server takes the first, and cluster DNS the tenth"
        said = f"{services} has {services.num_addresses} addresses: {takes}"
        yield _finding("serviceCidr", said, "write a larger network, as in 10.96.0.0/16", services)


def room_problems(network: NetworkSpec, nodes: int) -> Iterator[Finding]:
    """A pod network with fewer parts than there are nodes.

    kube-controller-manager gives each node its part; Cilium's and Flannel's pods get their addresses from it, and
    `kubeadm init` refuses a network without room for one.
    """
    pods = network.pod_cidr
    parts = 2 ** (PER_NODE - pods.prefixlen) if pods.prefixlen <= PER_NODE else 0
    if parts < nodes:
        enough = PER_NODE - (nodes - 1).bit_length()
        said = f"{pods}: each node takes a /{PER_NODE} of it, and there are {nodes} nodes"
        remedy = f"write a /{enough} or larger, also to cni.routing.nativeCidr if it is there"
        yield _finding("podCidr", said, remedy, pods)


def holds_nodes(network: NetworkSpec) -> bool:
    """Whether the nodes' network is within the pods': everything else about its addresses follows from that."""
    return any(nodes.subnet_of(network.pod_cidr) for nodes in network.node_cidrs)


def _free(network: NetworkSpec) -> str:
    taken = (*network.node_cidrs, network.pod_cidr, network.service_cidr)
    return next(text for text in _CANDIDATES if not any(IPv4Network(text).overlaps(one) for one in taken))


def _apart(field: str, net: IPv4Network, other: str, of_other: IPv4Network) -> Finding:
    said = f"{net} overlaps {other} {of_other}: an address in both can be reached in one of them only"
    return _finding(field, said, "choose ranges that are apart", net)


def _finding(field: str, said: str, remedy: str, value: IPv4Network) -> Finding:
    return Finding("cni-networks-apart", f"network.{field}", said, remedy, value=str(value))
