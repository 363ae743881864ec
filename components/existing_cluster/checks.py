"""The checks of an existing cluster, and their verdict: one table for preflight, doctor and documentation."""

from components.existing_cluster import judges
from components.existing_cluster.judges import Context
from components.existing_cluster.model import ClusterFacts, ClusterRequirements
from components.nodes.preflight.checks import Check
from components.nodes.preflight.verdict import CheckResult, judged

CHECKS = (
    Check(
        "cluster",
        judges.answer,
        "API server",
        limit="an answer",
        source="without facts nothing can be judged",
        remedy="start the API server, or set the right kubeconfig",
        known_by="start the API server, open its port to this machine, or set the right kubeconfig",
    ),
    Check(
        "cluster-version",
        judges.version,
        "Kubernetes version",
        limit="cluster.kubernetesVersion",
        source="the compatibility matrix is asked for that version",
        remedy="correct cluster.kubernetesVersion",
    ),
    Check(
        "cluster-nodes",
        judges.nodes,
        "nodes' names and addresses",
        limit="nodes of the stack file",
        source="nodes are drained and given pods by these names",
        remedy="correct nodes[].name and address",
    ),
    Check(
        "cluster-pod-cidrs",
        judges.pod_cidrs,
        "nodes' pod networks",
        limit="one for each node, in network.podCidr",
        source="Cilium's documentation on IPAM mode kubernetes: agents wait for spec.podCIDR",
        remedy="make the cluster with network.podCidr",
    ),
    Check(
        "cluster-kube-proxy",
        judges.kube_proxy,
        "kube-proxy",
        limit="as cni.serviceProxy says",
        source="Cilium's and MetalLB's documentation: none beside the replacement; strictARP with IPVS",
        remedy="correct cni.serviceProxy, or kube-proxy",
    ),
    Check(
        "cluster-cni",
        judges.cni,
        "CNIs",
        limit="cni.kind alone",
        source="two CNIs write routes and rules against each other",
        remedy="remove the other CNI",
    ),
    Check(
        "cluster-crds",
        judges.crds,
        "Gateway API's CRDs",
        limit="gateway.crds and gateway.bundleVersion",
        source="their annotations gateway.networking.k8s.io/bundle-version and channel",
        remedy="correct gateway.bundleVersion",
    ),
    Check(
        "cluster-labels",
        judges.labels,
        "label exclude-from-external-load-balancers",
        limit="not on every node, where MetalLB respects it",
        source="MetalLB's speakers leave out nodes with it; kubeadm gives it to control planes",
        remedy="remove the label from a node",
    ),
    Check(
        "cluster-dns",
        judges.dns,
        "CoreDNS",
        limit="all pods ready",
        source="every name that a pod looks up goes there",
        remedy="kubectl -n kube-system describe deployment coredns",
        required=False,
    ),
)
"""In the order of the report."""


def cluster_findings(cluster: ClusterFacts | None, requirements: ClusterRequirements) -> list[CheckResult]:
    """Every check of a cluster; nothing if it was not asked. One that did not answer has one row."""
    if cluster is None:
        return []
    context = Context(cluster, requirements)
    return [judged("", check, context) for check in CHECKS if check.id == "cluster" or not cluster.failure]
