"""What is not wrong with Calico and will surprise: said at every preview, refused by nothing."""

from components.network.calico.model import Calico


def calico_advice(cni: Calico, _: int) -> list[str]:
    """Every remark."""
    if cni.dataplane != "BPF" or not cni.encapsulation.startswith("IPIP"):
        return []
    return [
        f"cni.encapsulation: {cni.encapsulation} with the BPF data plane works, and VXLAN is much faster there "
        "(Calico's page on eBPF): write VXLAN, or None where routers know the pods"
    ]
