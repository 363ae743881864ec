"""For every policy of the pack: what it lets pass, what it refuses, and what it can't judge yet."""

from typing import Any, NamedTuple

from components.tenancy.registration.contract import contract
from tests.support.foreign import (
    PLACE,
    advertisement,
    binding,
    cilium_config,
    cluster,
    cluster_role,
    deployment,
    fence,
    gateway,
    grant,
    kube,
    machine,
    named_route,
    namespace,
    network_policy,
    over_ssh,
    peer,
    pool,
    record,
    release,
    role,
    route,
    service,
)
from tests.support.kubeconfigs import kubeconfig
from tests.support.policy import UNKNOWN, Resource
from tests.support.registrations import environment, registration


class Case(NamedTuple):
    """What a policy says of four stacks."""

    passes: list[Resource]
    """Keeps the policy and the whole pack."""
    fails: list[Resource]
    """Breaks the policy in one place."""
    message: str
    """A part of what is said of that."""
    unknown: list[Resource]
    """Nobody can judge it yet. Empty where no value that the policy reads can be unknown: `harmless` says why."""
    harmless: str = ""
    config: dict[str, dict[str, Any]] | None = None
    """The pack's, for all of them."""


def only(policy: str, **settings: Any) -> dict[str, dict[str, Any]]:
    """The pack's configuration without the harness's open record."""
    return {policy: {"places": [], **settings}}


_RESOLVER = {**PLACE, "name": "resolver", "hosts": ["dns.example.no"], "purposes": ["dns", "time"]}
_EXCEPTION = {"name": "hub", "place": "registry", "until": "2026-11-21", "reason": "until the mirror is there"}

_DIGEST = f"quay.io/agency/web@sha256:{'0' * 64}"
_CONTRACT = contract(registration(registries=["quay.io/agency/"]), "butikk-prod", environment())["spec"]
_L2_POLICY = kube("cilium.io/v2alpha1", "CiliumL2AnnouncementPolicy", "l2", spec={"externalIPs": True})

_OLD_POOLS = "address-pools:\n- name: default\n  protocol: layer2\n  addresses:\n  - 198.51.100.10-198.51.100.20\n"
"""As MetalLB took it until 0.12 (article 004)."""


def _metallb(text: Any, owner: str = "metallb-system") -> Resource:
    return kube("v1", "ConfigMap", "config", owner, data={"config": text})


CASES: dict[str, Case] = {
    "residency-destinations": Case(
        [record(PLACE, _RESOLVER), deployment("registry.example.no/web:1")],
        [record(PLACE, _RESOLVER), deployment("quay.io/agency/web:1")],
        "Deployment kube-system/web: spec.template.spec.containers.0.image: bytes go to quay.io (image-registry), "
        "which no declared place holds: write one in residency.places, {name, hosts: [quay.io], entity, ",
        [record(PLACE, _RESOLVER), deployment(UNKNOWN)],
        config=only("residency-destinations"),
    ),
    "residency-state": Case(
        [record({**PLACE, "purposes": ["state", "secrets"]}, _RESOLVER, stateBackend="https://registry.example.no")],
        [record({**PLACE, "purposes": ["state"]}, _RESOLVER, stateBackend="s3://state?region=eu-north-1")],
        "Pulumi's state backend: bytes go to s3.eu-north-1.amazonaws.com (state), which no declared place holds",
        [record(PLACE, _RESOLVER, stateBackend=UNKNOWN)],
        config=only("residency-state", stateBackend=""),
    ),
    "residency-exceptions": Case(
        [record(PLACE, _RESOLVER, exceptions=[_EXCEPTION])],
        [record(PLACE, _RESOLVER, exceptions=[{**_EXCEPTION, "until": "2026-11-20"}])],
        "exception 'hub': ended on 2026-11-20: remove it, and leave place 'registry'",
        [record(PLACE, _RESOLVER, exceptions=[{**_EXCEPTION, "until": UNKNOWN}])],
    ),
    "residency-record": Case(
        [record(_RESOLVER)],
        [record({**_RESOLVER, "purposes": ["dns"]})],
        "residency.places: no place is declared for time",
        [record({**_RESOLVER, "purposes": UNKNOWN})],
        config=only("residency-record"),
    ),
    "residency": Case(
        machine("osl-2"), machine("sto-1", "SE"), "node sto-1: the machine is in SE", machine("x", UNKNOWN)
    ),
    "residency-place": Case(
        machine("osl-2"),
        machine("osl-2", None),
        "node osl-2: nothing says in which country 203.0.113.12 is: put it into a component",
        machine("osl-2", None, UNKNOWN),
    ),
    "cni-mtu": Case(
        [cilium_config(mtu="1500")],
        [cilium_config(mtu="1450")],
        "data.mtu 1450 on links of 1500: to Cilium it is the link's MTU, from which it subtracts, so pods would get "
        "1450 − 50 (VXLAN) = 1400 where 1500 − 50 (VXLAN) = 1450 fits: write 1500, or 0 to have it detected",
        [cilium_config(mtu=UNKNOWN)],
    ),
    "metallb-pool-addresses": Case(
        [*machine("osl-2"), pool("203.0.113.200-203.0.113.220")],
        [*machine("osl-2"), pool("203.0.113.10-203.0.113.20")],
        "pool 'public': 203.0.113.10-203.0.113.20 contains node osl-2 (203.0.113.12): MetalLB would cut off SSH to it: "
        "shrink the pool",
        [*machine("osl-2"), pool(UNKNOWN)],
    ),
    "metallb-advertisement-selects": Case(
        [advertisement(ipAddressPools=["public"])],
        [advertisement()],
        "L2Advertisement 'l2': selects no pool, so it announces all of them: write spec.ipAddressPools",
        [advertisement(ipAddressPools=UNKNOWN)],
    ),
    "metallb-old-configuration": Case(
        [_metallb("peers: []"), _metallb(_OLD_POOLS, "agency")],
        [_metallb(_OLD_POOLS)],
        "ConfigMap metallb-system/config: data.config has address-pools of MetalLB 0.12, which later releases ignore: "
        "write an IPAddressPool and an L2Advertisement or BGPAdvertisement",
        [_metallb(UNKNOWN)],
    ),
    "gateway-weights": Case(
        [route(90, 10), route(1, 0, name="s")],
        [route(0, 0)],
        "HTTPRoute agency/r: all weights are zero (0, 0), so every request fails",
        [route(0, UNKNOWN)],
    ),
    "gateway-no-node-port": Case(
        [
            service(type="ClusterIP"),
            service(type="LoadBalancer", allocateLoadBalancerNodePorts=False, externalTrafficPolicy="Local"),
        ],
        [service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}])],
        "Service agency/web: type NodePort opens 30080 on every node to the internet",
        [service(type=UNKNOWN)],
    ),
    "gateway-hostname-owner": Case(
        [route(1), route(1, name="s", host="b.example.no", owner="butikk")],
        [route(1), route(1, name="s", host="*.example.no", owner="butikk")],
        "route 's' of butikk: *.example.no belongs to agency too (as a.example.no)",
        [route(1), route(1, name="s", host=UNKNOWN, owner="butikk")],
    ),
    "tenancy-label": Case(
        [namespace(), namespace("kube-system", **{"vds-platform.no/tenant": ""}), network_policy(), *fence()],
        [namespace(**{"vds-platform.no/tenant": ""}), network_policy(), *fence()],
        "namespace 'agency': has no label vds-platform.no/tenant: write vds-platform.no/tenant: agency",
        [namespace(**{"vds-platform.no/tenant": UNKNOWN}), network_policy(), *fence()],
    ),
    "tenancy-pod-security": Case(
        [namespace(), network_policy(), *fence()],
        [namespace(**{"pod-security.kubernetes.io/enforce": "baseline"}), network_policy(), *fence()],
        "namespace 'agency': has pod-security.kubernetes.io/enforce: baseline",
        [namespace(**{"pod-security.kubernetes.io/enforce": UNKNOWN}), network_policy(), *fence()],
    ),
    "tenancy-rights": Case(
        [role("get")],
        [role("escalate")],
        "Role agency/dev: 'escalate' lets its holder reach beyond what is listed",
        [role(UNKNOWN)],
    ),
    "tenancy-default-deny": Case(
        [namespace(), network_policy(), *fence()],
        [namespace(), network_policy(egress=[{}])],
        "namespace 'agency': no network policy denies the egress of all its pods",
        [namespace(), network_policy(policyTypes=UNKNOWN)],
    ),
    "tenancy-isolation": Case(
        [namespace(), network_policy(), *fence()],
        [network_policy(ingress=[{"from": [{"namespaceSelector": {}}]}])],
        "NetworkPolicy agency/deny: its ingress names every namespace there is",
        [network_policy(ingress=UNKNOWN)],
    ),
    "cni-consistent": Case(
        [release("cilium", {"routingMode": "native", "ipv4NativeRoutingCIDR": "10.244.0.0/16"})],
        [cilium_config(**{"bpf-lb-mode": "dsr", "kube-proxy-replacement": "true"})],
        "ConfigMap cilium-config: bpf-lb-mode dsr: every agent exits: dsr over a VXLAN tunnel",
        [cilium_config(**{"bpf-lb-mode": UNKNOWN})],
    ),
    "cni-values-read": Case(
        [release("cilium", {"routingMode": "native", "ipv4NativeRoutingCIDR": "10.244.0.0/16", "global": {"a": 1}})],
        [release("cilium", {"bpf": {"maskerade": True}})],
        "Release of chart cilium: values.bpf.maskerade is no key of the chart of Cilium 1.18.2, which ignores it",
        [release("cilium", UNKNOWN)],
    ),
    "cni-no-flannel": Case(
        [release("cilium", {})],
        [release("oci://charts.example.no/flannel", {"image": {"registry": "quay.io"}})],
        "Release of chart flannel: is Flannel, which enforces no NetworkPolicy",
        [Resource("kubernetes:helm.sh/v3:Release", {"chart": UNKNOWN, "values": {}}, "cni")],
    ),
    "charts-rendered": Case(
        [release("app", {"replicaCount": 2})],
        [release("cilium", {"debug": {"enabled": "yes"}})],
        "Release cni of chart cilium: the chart cilium 1.18.2 refuses its values: values don't meet the specifications",
        [release("app", {"service": UNKNOWN})],
    ),
    "charts-shown": Case(
        [
            Resource("kubernetes:helm.sh/v4:Chart", {"chart": "app"}, "shop"),
            Resource("kubernetes:core/v1:ConfigMap", {"metadata": {"name": "a", "namespace": "agency"}}, "a", "shop"),
        ],
        [Resource("kubernetes:helm.sh/v4:Chart", {"chart": "app"}, "shop")],
        "Chart shop: none of its objects is shown, so nothing that it makes was judged",
        [],
        "whether a Chart has children is never unknown",
    ),
    "cni-l2-not-local": Case(
        [
            _L2_POLICY,
            service(type="LoadBalancer", allocateLoadBalancerNodePorts=False, externalTrafficPolicy="Cluster"),
        ],
        [_L2_POLICY, service(type="LoadBalancer", allocateLoadBalancerNodePorts=False, externalTrafficPolicy="Local")],
        "Service agency/web: has externalTrafficPolicy: Local, and Cilium's L2 announcements answer from nodes",
        [_L2_POLICY, service(type="LoadBalancer", allocateLoadBalancerNodePorts=False, externalTrafficPolicy=UNKNOWN)],
    ),
    "metallb-client-address": Case(
        [service(type="LoadBalancer", allocateLoadBalancerNodePorts=False, externalTrafficPolicy="Local")],
        [service(type="LoadBalancer", allocateLoadBalancerNodePorts=False)],
        "Service agency/web: has externalTrafficPolicy: Cluster (the default), so pods see a node's address",
        [service(type="LoadBalancer", allocateLoadBalancerNodePorts=False, externalTrafficPolicy=UNKNOWN)],
    ),
    "metallb-bgp-peer": Case(
        [peer(passwordSecret={"name": "bgp"}, bfdProfile="fast")],
        [peer(passwordSecret={"name": "bgp"})],
        "BGPPeer 'router': has no BFD, so a dead router is noticed after 90s",
        [peer(passwordSecret=UNKNOWN)],
    ),
    "network-no-host": Case(
        [deployment(_DIGEST, "agency"), deployment(_DIGEST, hostNetwork=True)],
        [deployment(_DIGEST, "agency", hostNetwork=True)],
        "Deployment agency/web: has hostNetwork, so no network policy sees its traffic",
        [deployment(_DIGEST, "agency", hostNetwork=UNKNOWN)],
    ),
    "stack-judged": Case(
        [service(type="ClusterIP")._replace(configured=False)],
        [service(type="ClusterIP")._replace(configured=False, asked=False)],
        "kubernetes:core/v1:Service Service-web: is not judged yet",
        [],
        harmless="it reads no value",
    ),
    "gateway-tls": Case(
        [gateway("HTTPS"), gateway("HTTP", http={"until": "2026-11-21", "reason": "until the certificate is there"})],
        [gateway("HTTP", http={"until": "2026-11-20", "reason": "until the certificate is there"})],
        "Gateway gateway-system/public, http: takes plain text from outside: its exception ended on 2026-11-20: write",
        [gateway(UNKNOWN)],
    ),
    "gateway-canary": Case(
        [route(90, 10)],
        [named_route(["stable", 40], ["api-canary", 60])],
        "HTTPRoute agency/r: its canary gets 60 of 100, 60 %, and the ceiling is 50 %",
        [named_route(["stable", 40], ["api-canary", UNKNOWN])],
    ),
    "gateway-reference-grant": Case(
        [grant({"kind": "Service", "name": "web"})],
        [grant({"kind": "Secret"})],
        "ReferenceGrant agency/g: lets another namespace use every Secret of this one",
        [grant({"kind": UNKNOWN})],
    ),
    "gateway-attachment": Case(
        [gateway("HTTPS")],
        [gateway("HTTPS", allowed={"from": "All"})],
        "Gateway gateway-system/public, http: takes routes from every namespace: write from: Same, or from: Selector",
        [gateway("HTTPS", allowed={"from": UNKNOWN})],
    ),
    "gateway-no-ingress-nginx": Case(
        [kube("networking.k8s.io/v1", "Ingress", "web", "agency", spec={"ingressClassName": "traefik"})],
        [kube("networking.k8s.io/v1", "Ingress", "web", "agency", spec={"ingressClassName": "nginx"})],
        "Ingress agency/web: needs ingress-nginx, which was retired in March 2026",
        [kube("networking.k8s.io/v1", "Ingress", "web", "agency", spec={"ingressClassName": UNKNOWN})],
    ),
    "tenancy-allow-dns": Case(
        [namespace(), network_policy(), *fence()],
        [namespace(), network_policy(), *fence()[1:]],
        "namespace 'agency': no NetworkPolicy lets its pods ask for names",
        [namespace(), fence()[0]._replace(props={**fence()[0].props, "spec": UNKNOWN})],
    ),
    "tenancy-quota": Case(
        [namespace(), network_policy(), *fence()],
        [namespace(), network_policy(), fence()[0], fence()[2]],
        "namespace 'agency': has no ResourceQuota of its pods, so one tenant can take every node",
        [namespace(UNKNOWN)],
    ),
    "tenancy-limits": Case(
        [namespace(), network_policy(), *fence()],
        [namespace(), network_policy(), *fence()[:2]],
        "namespace 'agency': has no LimitRange",
        [namespace(UNKNOWN)],
    ),
    "tenancy-cluster-binding": Case(
        [binding(kind="ServiceAccount", name="operator", namespace="kube-system"), binding(kind="User", name="ops")],
        [binding(kind="ServiceAccount", name="ci", namespace="agency")],
        "ClusterRoleBinding 'b': gives service account agency/ci rights in every namespace",
        [binding(kind="ServiceAccount", name="ci", namespace=UNKNOWN)],
    ),
    "tenancy-cluster-role": Case(
        [cluster_role("get"), cluster_role("create")],
        [cluster_role("*")],
        "ClusterRole 'dev': '*' is added to the ClusterRole edit, which tenants have: name resources and verbs",
        [cluster_role(UNKNOWN)],
    ),
    "tenancy-control-plane": Case(
        [deployment(_DIGEST, tolerations=[{"operator": "Exists"}]), deployment(_DIGEST, "agency")],
        [deployment(_DIGEST, "agency", tolerations=[{"operator": "Exists"}])],
        "Deployment agency/web: tolerates every taint, so its pods may run on control planes: name the taints",
        [deployment(_DIGEST, "agency", nodeName=UNKNOWN)],
    ),
    "tenancy-node-access": Case(
        [deployment(_DIGEST, hostPID=True), deployment(_DIGEST, "default")],
        [deployment(_DIGEST, "default", hostPID=True)],
        "Deployment default/web: has hostPID, and no level of Pod Security forbids it in default",
        [deployment(_DIGEST, "default", hostPID=UNKNOWN)],
    ),
    "tenancy-external-name": Case(
        [service(type="ExternalName", externalName="store.example.no")],
        [service(type="ExternalName", externalName="store.skjema.svc.cluster.local")],
        "Service agency/web: has externalName store.skjema.svc.cluster.local, a Service of the namespace skjema",
        [service(type="ExternalName", externalName=UNKNOWN)],
    ),
    "tenancy-token": Case(
        [kube("v1", "Secret", "s", "agency", type="Opaque")],
        [kube("v1", "Secret", "s", "agency", type="kubernetes.io/service-account-token")],
        "Secret agency/s: has type kubernetes.io/service-account-token, a token that never ends",
        [kube("v1", "Secret", "s", "agency", type=UNKNOWN)],
    ),
    "tenancy-disruption": Case(
        [kube("policy/v1", "PodDisruptionBudget", "b", "agency", spec={"maxUnavailable": 1})],
        [kube("policy/v1", "PodDisruptionBudget", "b", "agency", spec={"minAvailable": "100%"})],
        "PodDisruptionBudget agency/b: has minAvailable 100%, so no drain of a node ends: write maxUnavailable: 1",
        [kube("policy/v1", "PodDisruptionBudget", "b", "agency", spec={"minAvailable": UNKNOWN})],
    ),
    "tenancy-contract": Case(
        [service(type="ClusterIP"), deployment(_DIGEST, "agency")],
        [service(type="LoadBalancer")],
        "Service agency/web: spec.type opens a port on every node, or takes an address of a load balancer "
        "(tenancy-service-type): write type: ClusterIP, and a route through the gateway",
        [service(type=UNKNOWN)],
        config={"tenancy-contract": {"contracts": {"agency": _CONTRACT}}},
    ),
    "tenancy-forged-label": Case(
        [namespace("kube-system", **{"vds-platform.no/tenant": ""})],
        [namespace("gateway-system", **{"vds-platform.no/tenant": "agency"})],
        "namespace 'gateway-system': is the platform's own and has vds-platform.no/tenant: agency",
        [namespace(**{"kubernetes.io/metadata.name": UNKNOWN})],
    ),
    "tenancy-images": Case(
        [deployment(_DIGEST, "agency"), deployment("quay.io/web:1")],
        [deployment("quay.io/web:1", "agency")],
        "Deployment agency/web: runs an image of quay.io by tag, which its owner can move to another image",
        [deployment(UNKNOWN, "agency")],
    ),
    "tenancy-one-bundle": Case(
        [namespace("kube-system", **{"vds-platform.no/tenant": ""})],
        [namespace(), namespace()._replace(name="again")],
        "namespace 'agency': is declared twice: leave it to one component",
        [namespace(UNKNOWN)],
    ),
    "tenancy-external-ips": Case(
        [service(type="ClusterIP")],
        [kube("v1", "Service", "web", "kube-system", spec={"externalIPs": ["198.51.100.10"]})],
        "Service kube-system/web: has externalIPs 198.51.100.10, so every node sends it traffic",
        [service(type="ClusterIP", externalIPs=UNKNOWN)],
    ),
    "tenancy-load-balancer-address": Case(
        [kube("v1", "Service", "web", "gateway-system", spec={"type": "ClusterIP", "loadBalancerIP": "198.51.100.10"})],
        [service(type="ClusterIP", loadBalancerIP="198.51.100.10")],
        "Service agency/web: chooses or shares an address by spec.loadBalancerIP: remove it",
        [service(type="ClusterIP", loadBalancerIP=UNKNOWN)],
    ),
    "tenancy-priority": Case(
        [deployment(_DIGEST, priorityClassName="system-node-critical"), deployment(_DIGEST, "agency")],
        [deployment(_DIGEST, "agency", priorityClassName="system-node-critical")],
        "Deployment agency/web: has priorityClassName system-node-critical, so its pods evict the cluster's own",
        [deployment(_DIGEST, "agency", priorityClassName=UNKNOWN)],
    ),
    "ssh-host-key": Case(
        machine("osl-2"),
        [machine("osl-2")[0], over_ssh("osl-2", {"host": "203.0.113.12", "password": "hunter2"})],
        "Command osl-2-setup: connection.hostKey is missing, so the server is not verified: write the server's host",
        [machine("osl-2")[0], over_ssh("osl-2", {"host": "203.0.113.12", "hostKey": UNKNOWN})],
    ),
    "cluster-tls": Case(
        [cluster(kubeconfig())],
        [cluster(kubeconfig({"server": "http://192.0.2.10:6443"}))],
        "kubernetes c: its kubeconfig: clusters.0.cluster.server is not an https address: write https://HOST:PORT",
        [],
        harmless="the kubeconfig of a cluster that the update makes is judged in the update; cluster-shown says so",
    ),
    "cluster-shown": Case(
        [cluster(kubeconfig())],
        [cluster()],
        "kubernetes c: has no kubeconfig, so that of the machine is used, and is not judged",
        [cluster(UNKNOWN)],
    ),
    "stack-protected": Case(
        [kube("v1", "PersistentVolumeClaim", "data", "agency")._replace(protect=True)],
        [kube("v1", "PersistentVolumeClaim", "data", "agency")],
        "kubernetes:core/v1:PersistentVolumeClaim PersistentVolumeClaim-data: is not protected",
        [],
        harmless="protect is an option of the program's own, which the engine always knows",
    ),
}
"""By policy: every one has all of it, and a test compares the names with the pack."""
