"""Advice about a cluster that nothing saves."""

from components.core.finding import Finding
from components.kubeadm.model import Existing, Kubeadm


def backup_advice(cluster: Existing | Kubeadm) -> list[Finding]:
    """Advice where a cluster that kubeadm makes has no backup."""
    if isinstance(cluster, Existing) or cluster.backup is not None:
        return []
    said = "is missing: who loses all control planes loses everything that the cluster knows"
    remedy = "write where snapshots of etcd are kept (docs/howto/restore-a-cluster.md)"
    return [Finding("cluster-backup", "cluster.backup", said, remedy, advice=True)]
