"""Advice about a cluster: not wrong now, but it will be. Shown at every preview."""

from components.core.finding import Finding
from components.kubeadm.model import Existing, Kubeadm


def cgroup_advice(cluster: Existing | Kubeadm) -> list[Finding]:
    """Advice on nodes with cgroup v1."""
    if isinstance(cluster, Existing) or not cluster.cgroup_v1:
        return []
    return [
        Finding(
            "advice",
            "cluster.cgroupV1",
            "Kubernetes no longer maintains cgroup v1, kubelets refuse it by default since 1.35, and its code will be "
            "removed (KEP-5573)",
            "move the nodes to cgroup v2, which systemd 247 and newer use by default",
            advice=True,
        )
    ]
