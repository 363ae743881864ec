"""Where the API server may not be: nodes reach it before there is a network that could lead them there."""

from ipaddress import IPv4Address

from components.core.finding import Finding
from components.network.networks import NetworkSpec

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
