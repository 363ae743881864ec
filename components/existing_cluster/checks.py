"""The checks of an existing cluster: each one compares what was read with what the stack file says."""

import re
from ipaddress import ip_network
from typing import NamedTuple

from components.core.versions import minor, parse
from components.existing_cluster.model import ClusterFacts, ClusterRequirements, Fact
from components.nodes.preflight.checks import Check, Measurement, MissingFactError, check
from components.nodes.preflight.verdict import CheckResult, judged

OTHER_CNIS = {
    "antrea-agent": "antrea",
    "aws-node": "amazon-vpc",
    "calico-node": "calico",
    "canal": "canal",
    "cilium": "cilium",
    "kube-flannel": "flannel",
    "kube-flannel-ds": "flannel",
    "kube-router": "kube-router",
    "ovnkube-node": "ovn-kubernetes",
    "rke2-canal": "canal",
    "weave-net": "weave",
}
"""DaemonSets of CNIs, by their projects' manifests and charts."""


class Context(NamedTuple):
    """Everything that a judge may use."""

    cluster: ClusterFacts
    requirements: ClusterRequirements

    def fact(self, name: str) -> Fact:
        """A fact by its name. Raises MissingFactError."""
        fact = self.cluster.get(name)
        if "unknown" in fact:
            raise MissingFactError(str(fact["unknown"]))
        return fact

    @property
    def own_nodes(self) -> list[str]:
        """Nodes of the stack file that are in the cluster. Raises MissingFactError where none is."""
        live = self.fact("nodes")["nodes"]
        found = [name for name in self.requirements.nodes if name in live]
        if not found:
            raise MissingFactError("no node of the stack file is in the cluster")
        return found


@check(
    "API server",
    limit="an answer",
    source="without facts nothing can be judged",
    remedy="start the API server, or set the right kubeconfig",
    known_by="start the API server, open its port to this machine, or set the right kubeconfig",
)
def cluster(context: Context) -> Measurement:
    if context.cluster.failure:
        raise MissingFactError(context.cluster.failure)
    return Measurement("answers")


@check(
    "Kubernetes version",
    limit="cluster.kubernetesVersion",
    source="the compatibility matrix is asked for that version",
    remedy="correct cluster.kubernetesVersion",
)
def cluster_version(context: Context) -> Measurement:
    live, wanted = str(context.fact("version")["version"]), minor(context.requirements.kubernetes)
    return Measurement(live, minor(live) == wanted, wanted, f'write kubernetesVersion: "{minor(live)}", or upgrade')


@check(
    "nodes' names and addresses",
    limit="nodes of the stack file",
    source="nodes are drained and given pods by these names",
    remedy="correct nodes[].name and address",
)
def cluster_nodes(context: Context) -> Measurement:
    live, wanted = context.fact("nodes")["nodes"], context.requirements.nodes
    wrong = [f"{name} is not in the cluster" for name in wanted if name not in live]
    wrong += [
        f"{name} has the address {' and '.join(live[name]['addresses']) or 'none'}, not {address}"
        for name, address in wanted.items()
        if name in live and address not in live[name]["addresses"]
    ]
    others = sorted(set(live) - set(wanted))
    if wrong:
        if others:
            wrong.append(f"it has also {', '.join(others)}")
        remedy = "correct nodes[].name and address, join the missing nodes, or set the right cluster's kubeconfig"
        return Measurement("; ".join(wrong), good=False, remedy=remedy)
    if others:
        remedy = "write them into nodes, or remove them from the cluster: the stack file does not say where they are"
        return Measurement(f"also {', '.join(others)}", good=False, remedy=remedy, advisory=True)
    return Measurement(f"all {len(wanted)} as the stack file says")


@check(
    "nodes' pod networks",
    limit="one for each node, in network.podCidr",
    source="Cilium's documentation on IPAM mode kubernetes: agents wait for spec.podCIDR",
    remedy="make the cluster with network.podCidr",
)
def cluster_pod_cidrs(context: Context) -> Measurement:
    user, network = context.requirements.node_pod_cidrs, context.requirements.pod_cidr
    if not user:
        return Measurement("not needed by the CNI")
    live = context.fact("nodes")["nodes"]
    wrong = []
    for name in context.own_nodes:
        ranges = [ip_network(text) for text in live[name]["pod_cidrs"]]
        same = [one for one in ranges if one.version == network.version]
        if not same:
            wrong.append(f"{name} has none")
        elif not same[0].subnet_of(network):
            wrong.append(f"{name} has {same[0]}")
    remedy = (
        f"make the cluster with kubeadm's --pod-network-cidr={network} or k3s' --cluster-cidr={network}, or correct "
        "network.podCidr"
    )
    measured = "; ".join(wrong) or f"all in {network}"
    return Measurement(measured, not wrong, f"each in {network}, for {user}", remedy)


@check(
    "kube-proxy",
    limit="as cni.serviceProxy says",
    source="Cilium's and MetalLB's documentation: none beside the replacement; strictARP with IPVS",
    remedy="correct cni.serviceProxy, or kube-proxy",
)
def cluster_kube_proxy(context: Context) -> Measurement:
    programs, wanted = context.fact("programs"), context.requirements.service_proxy
    runs = any("kube-proxy" in name for name in (*programs["sets"], *programs["k3s"])) or any(
        name.startswith("kube-proxy-") for name in programs["pods"]
    )
    if wanted == "ebpf":
        remedy = (
            "with kubeadm: kubectl -n kube-system delete daemonset kube-proxy; with k3s and RKE2: disable-kube-proxy: "
            "true; or write serviceProxy: iptables"
        )
        return Measurement("runs" if runs else "does not run", not runs, "none beside the eBPF replacement", remedy)
    if not runs:
        remedy = "run it, or write serviceProxy: ebpf"
        return Measurement("does not run", good=False, limit=f"mode {wanted}", remedy=remedy)
    found = context.fact("kube_proxy")
    if not found["mode"]:
        if wanted == "iptables" and not context.requirements.strict_arp:  # the default mode, which k3s has too
            return Measurement("runs, its mode is not in a ConfigMap", limit=f"mode {wanted}")
        raise MissingFactError("kube-proxy has no ConfigMap kube-system/kube-proxy that shows its mode")
    if found["mode"] != wanted:
        remedy = f"write serviceProxy: {found['mode']}, or change mode in the ConfigMap kube-system/kube-proxy"
        return Measurement(f"mode {found['mode']}", good=False, limit=f"mode {wanted}", remedy=remedy)
    if context.requirements.strict_arp and not found["strict_arp"]:
        remedy = "write ipvs.strictARP: true into the ConfigMap kube-system/kube-proxy, and restart kube-proxy"
        limit = f"with strictARP, for {context.requirements.strict_arp}"
        return Measurement(f"mode {wanted} without strictARP", good=False, limit=limit, remedy=remedy)
    return Measurement(f"mode {found['mode']}")


@check(
    "CNIs",
    limit="cni.kind alone",
    source="two CNIs write routes and rules against each other",
    remedy="remove the other CNI",
)
def cluster_cni(context: Context) -> Measurement:
    programs, own = context.fact("programs"), context.requirements.cni
    found = {OTHER_CNIS[name] for name in programs["sets"] if name in OTHER_CNIS}
    found |= {"flannel"} & set(programs["k3s"])
    measured = ", ".join(sorted(found)) or "none yet"
    if own == "unmanaged":
        return Measurement(measured)
    others = sorted(found - {own})
    remedy = f"remove {' and '.join(others)} first (k3s: flannel-backend: none), or correct cni.kind"
    return Measurement(measured, not others, f"none but {own}", remedy)


@check(
    "Gateway API's CRDs",
    limit="gateway.crds and gateway.bundleVersion",
    source="their annotations gateway.networking.k8s.io/bundle-version and channel",
    remedy="correct gateway.bundleVersion",
)
def cluster_crds(context: Context) -> Measurement:
    found, requirements = context.fact("crds"), context.requirements
    live, wanted = found["version"], requirements.bundle_version
    if not live:
        remedy = "write gateway.crds of kind bundle, or install the release's standard-install.yaml"
        return Measurement("none", requirements.brings_crds, "installed, as gateway.crds says", remedy)
    measured = f"{live}, {found['channel'] or 'no'} channel"
    if not re.fullmatch(r"\d+\.\d+\.\d+\S*", live):
        raise MissingFactError(f"the CRDs have no bundle version ({live})")
    if requirements.brings_crds:
        newer = wanted is not None and parse(live) > parse(wanted)
        return Measurement(measured, not newer, f"no newer than {wanted}", f"take the bundle of {live} or newer")
    if wanted is not None and parse(live) != parse(wanted):
        return Measurement(measured, good=False, limit=wanted, remedy=f"write gateway.bundleVersion: {live}")
    return Measurement(measured)


@check(
    "label exclude-from-external-load-balancers",
    limit="not on every node, where MetalLB respects it",
    source="MetalLB's speakers leave out nodes with it; kubeadm gives it to control planes",
    remedy="remove the label from a node",
)
def cluster_labels(context: Context) -> Measurement:
    live, user = context.fact("nodes")["nodes"], context.requirements.excluded
    ours = context.own_nodes
    excluded = [name for name in ours if live[name]["excluded"]]
    measured = f"on {', '.join(excluded)}" if excluded else "on no node"
    if not user or len(excluded) < len(ours):
        return Measurement(measured)
    remedy = "kubectl label node NAME node.kubernetes.io/exclude-from-external-load-balancers- for one node or more"
    return Measurement(measured, good=False, limit=f"not on every node, for {user}", remedy=remedy)


@check(
    "CoreDNS",
    limit="all pods ready",
    source="every name that a pod looks up goes there",
    remedy="kubectl -n kube-system describe deployment coredns",
    required=False,
)
def cluster_dns(context: Context) -> Measurement:
    found = context.fact("dns")["deployments"]
    if not found:
        return Measurement("no deployment with k8s-app=kube-dns", good=False, limit="2 ready")
    rows = ", ".join(f"{name} {row['ready']} of {row['wanted']} ready" for name, row in sorted(found.items()))
    return Measurement(rows, all(row["ready"] >= max(row["wanted"], 1) for row in found.values()), "all ready")


CHECKS = tuple(found for found in list(vars().values()) if isinstance(found, Check))
"""In the order of the report."""


def cluster_findings(cluster: ClusterFacts | None, requirements: ClusterRequirements) -> list[CheckResult]:
    """Every check of a cluster; nothing if it was not asked. One that did not answer has one row."""
    if cluster is None:
        return []
    context = Context(cluster, requirements)
    return [judged("", one, context) for one in CHECKS if one.id == "cluster" or not cluster.failure]
