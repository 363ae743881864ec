"""What an auditor asks of every policy: how grave, on what ground, why, and what to do. The pages are made of it."""

from typing import NamedTuple

from pulumi_policy import Severity

SCHREMS = "Schrems II (CJEU C-311/18)"
GDPR = "GDPR (EU) 2016/679"
CIS = "CIS Kubernetes Benchmark"
NSA = "NSA/CISA Kubernetes Hardening Guide"
PLATFORM = "vds-platform"


class About(NamedTuple):
    """Of one policy."""

    severity: Severity
    framework: str
    reference: str
    """The article or section of it."""
    why: str
    remedy: str
    mandatory: bool = True
    """Unless the pack's configuration says otherwise."""


ABOUT: dict[str, About] = {
    "residency": About(
        Severity.CRITICAL,
        SCHREMS,
        "GDPR art. 44 and 46",
        "A machine in the country is not enough: whoever owns its provider can be ordered to hand data over. Where a "
        "machine stands and whose law its provider is under are judged apart.",
        "Rent the server in an allowed country from a company of an allowed country.",
    ),
    "stack-judged": About(
        Severity.LOW,
        PLATFORM,
        "what a policy can see",
        "In a preview of a cluster that is still to be made nothing has properties yet. Objects are then judged by "
        "what was asked for. One of which not even that was shown is named here: silence is no pass.",
        "Preview again when the cluster is there; the update itself judges everything.",
        mandatory=False,
    ),
    "residency-place": About(
        Severity.CRITICAL,
        GDPR,
        "art. 30(1)(e) and 44",
        "A machine that nobody placed cannot be in a record of processing.",
        "Put the machine into a component with `country` among its inputs and outputs, or name its network in the "
        "policy's `places`.",
    ),
    "residency-closure": About(
        Severity.CRITICAL,
        SCHREMS,
        "GDPR art. 30(1)(d)-(e), 44 and 46",
        "Data leaves by whatever a program names: an image that is pulled tells its registry what runs where, a log "
        "sink gets what is logged, a host that a tenant may call gets what it is sent. Every such place is found in "
        "pod templates, chart values, custom resources and network policies, and must be declared with the entity "
        "that controls it. The country of that entity is judged apart from the place's: the Oslo region of a "
        "company under foreign law is not a place under Norwegian law.",
        "Declare the place in residency.places, or use one that is declared. Where a place abroad is needed for a "
        "while, write an exception with a date and a reason.",
    ),
    "residency-state": About(
        Severity.CRITICAL,
        SCHREMS,
        "GDPR art. 32 and 44",
        "The state holds every input of every resource, secrets among them, and whoever holds the key reads them.",
        "Keep the state at a declared place (PULUMI_BACKEND_URL), and its key with a passphrase or a declared "
        "provider.",
    ),
    "residency-exceptions": About(
        Severity.HIGH,
        GDPR,
        "art. 5(2) and 24",
        "An exception without an end is a rule that nobody decided on.",
        "Leave the place, or have a new date approved and write it.",
    ),
    "residency-record": About(
        Severity.MEDIUM,
        GDPR,
        "art. 30",
        "Resolvers and time servers are asked by every node and stand in no resource: only a record names them.",
        "Declare a place for each purpose that the message names.",
    ),
    "cni-mtu": About(
        Severity.HIGH,
        PLATFORM,
        "the MTU solver, components/network/mtu.py",
        "A pod MTU above what the path carries loses large packets in silence, one below it wastes every packet.",
        "Write the number that the message proves, or leave it out to have it detected.",
    ),
    "metallb-pool-addresses": About(
        Severity.CRITICAL,
        PLATFORM,
        "metallb/metallb#1397",
        "MetalLB answers for every address of a pool. A node's own address in it cuts SSH to that node.",
        "Shrink the pool until nobody's address, no network address and no broadcast address is in it, and no other "
        "pool shares one.",
    ),
    "metallb-advertisement-selects": About(
        Severity.MEDIUM,
        PLATFORM,
        "MetalLB's API reference, L2Advertisement",
        "An advertisement without selectors announces every pool, those of tomorrow too.",
        "Write spec.ipAddressPools.",
    ),
    "gateway-weights": About(
        Severity.HIGH,
        PLATFORM,
        "Gateway API, HTTPBackendRef.weight",
        "The CRD accepts weights that are all zero, and then answers every request with 500.",
        "Give the stable backend a weight.",
    ),
    "gateway-no-node-port": About(
        Severity.HIGH,
        NSA,
        "Network separation and hardening",
        "A node port is open on every public address of every node, past the gateway, its TLS and its policies.",
        "Write type: ClusterIP and a route through the gateway.",
    ),
    "gateway-hostname-owner": About(
        Severity.HIGH,
        GDPR,
        "art. 32",
        "Who can answer for another's host name reads its users' requests.",
        "Give each host name, and each name that a wildcard covers, to one namespace.",
    ),
    "tenancy-label": About(
        Severity.HIGH,
        PLATFORM,
        "docs/architecture.md",
        "Routes attach and rules select by this label: a namespace without it, or with another's, is in nobody's "
        "fence or in the wrong one.",
        "Label the namespace with its own name.",
    ),
    "tenancy-pod-security": About(
        Severity.HIGH,
        CIS,
        "5.2",
        "A pod that may ask for the node's files, network or root is every tenant's pod.",
        "Label the namespace pod-security.kubernetes.io/enforce: restricted, or write a dated exception.",
    ),
    "tenancy-rights": About(
        Severity.HIGH,
        CIS,
        "5.1",
        "A Role with wildcards, or one that can be widened by its holder, is no limit.",
        "Name resources and verbs one by one.",
    ),
    "tenancy-default-deny": About(
        Severity.HIGH,
        CIS,
        "5.3.2",
        "Without a policy every pod of every tenant reaches every other.",
        "Add a NetworkPolicy with podSelector: {} and policyTypes: [Ingress, Egress] and no rules.",
    ),
    "tenancy-isolation": About(
        Severity.HIGH,
        CIS,
        "5.3.2",
        "Network policies add up: one that opens everything voids the one that denies everything, and every pod of "
        "every other tenant reaches what it selects.",
        "Name who may call and who is called: from and to with a podSelector, or a namespaceSelector with labels. From "
        "the gateway: its namespace, or fromEntities: [ingress] with Cilium's. For DNS: namespaceSelector "
        "kubernetes.io/metadata.name: kube-system, podSelector k8s-app: kube-dns, port 53, UDP and TCP.",
    ),
    "cni-consistent": About(
        Severity.HIGH,
        PLATFORM,
        "components/network/cilium/constraints.py, measured by rendering the charts",
        "Helm renders combinations that every agent refuses at start, and keys that nothing reads: DSR over "
        "VXLAN is one. The cluster has no network from then on.",
        "Write what the message proposes; `vds cilium-values` explains every key.",
    ),
    "cni-no-flannel": About(
        Severity.HIGH,
        CIS,
        "5.3.1",
        "A CNI that enforces no NetworkPolicy makes every fence between tenants a comment.",
        "Use Cilium or Calico.",
    ),
    "cni-l2-not-local": About(
        Severity.HIGH,
        PLATFORM,
        "Cilium's documentation of L2 announcements, limitations",
        "The node that answers ARP for an address is chosen without regard to where the pods are: with Local "
        "it drops what it gets.",
        "Write externalTrafficPolicy: Cluster, or announce the address by MetalLB or BGP.",
    ),
    "metallb-client-address": About(
        Severity.LOW,
        PLATFORM,
        "Kubernetes, Service.spec.externalTrafficPolicy",
        "Where a Service is reached by way of another node, pods see that node for the client: logs, limits "
        "and allow-lists judge the wrong address.",
        "Write externalTrafficPolicy: Local where client addresses matter.",
        mandatory=False,
    ),
    "metallb-bgp-peer": About(
        Severity.MEDIUM,
        PLATFORM,
        "RFC 2385, RFC 5082, RFC 5880",
        "Whoever can open a session announces addresses to the router; without BFD traffic goes to a dead "
        "router until the hold time is over.",
        "Give the peer a passwordSecret and a bfdProfile, or agree on GTSM with the router's owner.",
        mandatory=False,
    ),
    "network-no-host": About(
        Severity.HIGH,
        CIS,
        "5.2.5 and 5.2.13",
        "A pod on the node's network is seen by no network policy, and a port of the node is open to the internet.",
        "Leave hostNetwork and hostPort out; write a Service and a route.",
    ),
    "gateway-tls": About(
        Severity.HIGH,
        GDPR,
        "art. 32(1)(a)",
        "What is sent in plain text is read by every network between.",
        "Write protocol: HTTPS with a certificate. Where that cannot be yet, write plainText with until and "
        "reason at the listener: the exception stands on the Gateway for everybody to read, and ends.",
    ),
    "gateway-canary": About(
        Severity.MEDIUM,
        PLATFORM,
        "gateway.canaryCeilingPercent of the stack file",
        "A canary is a trial on some users; one with most of the traffic is a release without one.",
        "Lower the canary's weight, or make it the stable backend.",
    ),
    "gateway-reference-grant": About(
        Severity.HIGH,
        PLATFORM,
        "Gateway API, ReferenceGrant",
        "A grant is the only fence against routes and certificates of other namespaces; a wide one is none.",
        "Write one grant for each namespace and kind, and name the Secret.",
    ),
    "gateway-no-ingress-nginx": About(
        Severity.MEDIUM,
        PLATFORM,
        "Kubernetes project, retirement of ingress-nginx, March 2026",
        "The controller gets no security fixes any more, and it stands where the internet comes in.",
        "Write HTTPRoutes; ingress2gateway translates most annotations.",
        mandatory=False,
    ),
    "tenancy-allow-dns": About(
        Severity.MEDIUM,
        PLATFORM,
        "docs/architecture.md",
        "A namespace that denies everything and names nothing ends with somebody opening all of egress.",
        "Add a NetworkPolicy with egress to kube-dns on port 53.",
    ),
    "tenancy-quota": About(
        Severity.MEDIUM,
        NSA,
        "Kubernetes Pod security, resource policies",
        "One tenant without a bound takes the nodes of all.",
        "Add a ResourceQuota.",
    ),
    "tenancy-limits": About(
        Severity.MEDIUM,
        NSA,
        "Kubernetes Pod security, resource policies",
        "A container that asks for nothing gets everything, or nothing where there is a quota.",
        "Add a LimitRange with defaults.",
    ),
    "tenancy-cluster-binding": About(
        Severity.CRITICAL,
        CIS,
        "5.1.1",
        "A ClusterRoleBinding reaches every namespace, every other tenant's among them.",
        "Write a RoleBinding in the tenant's own namespace.",
    ),
    "tenancy-forged-label": About(
        Severity.HIGH,
        PLATFORM,
        "Kubernetes, kubernetes.io/metadata.name",
        "Policies let namespaces in by label: whoever can write another's name there is let in for it.",
        "Leave kubernetes.io/metadata.name to the API server and the tenant's label to tenants.",
    ),
    "tenancy-images": About(
        Severity.HIGH,
        CIS,
        "5.5.1",
        "A tag is whatever its owner says today; what was reviewed is not what runs.",
        "Write images by digest, or take them from a declared registry.",
    ),
    "tenancy-one-bundle": About(
        Severity.HIGH,
        PLATFORM,
        "docs/architecture.md",
        "Two owners of a namespace undo each other, and destroying one deletes what the other made in it.",
        "Leave the namespace to one component.",
    ),
    "stack-protected": About(
        Severity.HIGH,
        GDPR,
        "art. 32(1)(b)",
        "A renamed resource is a deleted one, and a deleted volume is lost data.",
        "Set protect in the resource's options.",
    ),
}
"""By name of policy."""
