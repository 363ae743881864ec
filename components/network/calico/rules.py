"""What Calico may not be, beyond what its model can't express, and what is right and will surprise."""

from collections.abc import Iterator

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.core.versions import parse
from components.network.calico.model import Calico
from components.network.networks import NetworkSpec

OLDEST = "3.15"
"""Calico 3.15's release notes: the operator, and with it Installation."""

NOT_YET = "3.33"
"""Helm keeps a release in a Secret, of at most 1,048,576 bytes. For crd.projectcalico.org.v1 3.32.1 it needs 948,940
(Helm 3.22, API server 1.36.3). For the chart of the branch release-v3.33 of 2026-08-21 it needs about 1,170,000."""


def calico_problems(cni: Calico, _: NetworkSpec) -> Iterator[Finding]:
    """Everything wrong with it by itself."""
    if parse(cni.version) < parse(OLDEST):
        yield Finding(
            "cni-version",
            "cni.version",
            f"{cni.version} is from before Calico's operator, which came with 3.15",
            "write a version of today",
        )
    if parse(cni.version) >= parse(NOT_YET):
        yield Finding(
            "cni-version",
            "cni.version",
            f"{cni.version} can't be installed with Helm: its record of the chart of the CRDs is larger than the "
            "1 MiB that Kubernetes allows",
            "write a version of 3.32",
        )
    if not cni.bgp and (cni.encapsulation == "None" or cni.encapsulation.startswith("IPIP")):
        yield Finding(
            "cni-calico-routes",
            "cni.encapsulation",
            f"{cni.encapsulation} without BGP: no node would know where another's pods are",
            "write bgp: true, or encapsulation: VXLAN",
        )
    if cni.external_services == "dsr" and cni.dataplane != "BPF":
        yield Finding(
            "cni-calico-dsr",
            "cni.externalServices",
            f"dsr is the BPF data plane's, and this is {cni.dataplane}",
            "write dataplane: BPF, or externalServices: snat",
        )
    if cni.kube_proxy == "ipvs" and cni.dataplane != "Iptables":
        yield Finding(
            "cni-calico-proxy",
            "cni.kubeProxy",
            f"ipvs, but the {cni.dataplane} data plane "
            + ("replaces kube-proxy" if cni.dataplane == "BPF" else "needs kube-proxy with nftables"),
            "leave kubeProxy out, or write dataplane: Iptables",
        )
    yield from _bgp_problems(cni)


def _bgp_problems(cni: Calico) -> Iterator[Finding]:
    peering = cni.bgp_peering
    if peering is None:
        return
    if not cni.bgp:
        yield Finding(
            "cni-calico-bgp",
            "cni.bgpPeering",
            "is for nodes that speak BGP, and bgp is false",
            "write bgp: true, or take bgpPeering out",
        )
    if not peering.node_mesh and not peering.peers:
        yield Finding(
            "cni-calico-bgp",
            "cni.bgpPeering.nodeMesh",
            "false without peers: no node would hear of another's pods",
            "write peers, or nodeMesh: true",
        )
    for name in duplicates(peer.name for peer in peering.peers):
        yield Finding("cni-calico-bgp", "cni.bgpPeering.peers", f"'{name}' occurs twice", "rename one of them")


def calico_advice(cni: Calico, _: int) -> Iterator[Finding]:
    """Every remark."""
    if cni.dataplane != "BPF" or not cni.encapsulation.startswith("IPIP"):
        return
    yield Finding(
        "advice",
        "cni.encapsulation",
        f"{cni.encapsulation} with the BPF data plane works, and VXLAN is much faster there (Calico's page on eBPF)",
        "write VXLAN, or None where routers know the pods",
        advice=True,
    )
