"""What is not wrong with Calico and will surprise: said at every preview, refused by nothing."""

from collections.abc import Iterator

from components.core.finding import Finding
from components.network.calico.model import Calico


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
