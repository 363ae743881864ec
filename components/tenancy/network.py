"""The network policies of a registered namespace: one intent, written for Kubernetes, Cilium or Calico. Pure.

All pods: nothing in or out, but for DNS and the gateway. Pods with the label of an egress may call it. A tenant adds
policies for its own pods. What stands here and denies has precedence over all of them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from components.core import labels
from components.core.finding import Finding
from components.core.manifests import Manifest, manifest
from components.core.names import KUBE_SYSTEM
from components.tenancy.registered import in_namespace
from components.tenancy.registration.contract import ContractEgress, ContractSpec
from components.tenancy.registration.environment import Environment
from components.tenancy.registration.model import Egress, Registration

METADATA = "169.254.0.0/16"
"""Link-local addresses (RFC 3927), the cloud's metadata service 169.254.169.254 among them."""
FLOOR = "vds-platform-registered"
"""Name of what denies in the whole cluster."""
_DEFAULT = "default-deny"
"""Name of the policy that denies all pods what no policy allows."""
_DNS_PODS = {"k8s-app": "kube-dns"}
_DNS_PORTS = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
_CILIUM_NAMESPACE = "io.cilium.k8s.namespace.labels."
_CILIUM_POD_NAMESPACE = "io.kubernetes.pod.namespace"
_SEARCHED = 5
"""Labels before `cluster.local` in the longest name that a pod's search list makes: a host of three labels, namespace,
`svc`."""
_FIRST = 0
"""Order of Calico's policies: before Kubernetes', which have 1000. No rule has the action Pass, which leaves the tier
and with it the default deny."""


class Traffic(NamedTuple):
    """The intent."""

    tenant: str
    namespace: str
    gateway_namespace: str | None
    """Of the gateway's pods; None if Cilium's Envoy sends the requests."""
    egress: tuple[Egress | ContractEgress, ...]
    dns_names: bool
    """Whether a policy of Cilium may name hosts."""


def egress_problems(registration: Registration, environment: Environment) -> Iterator[Finding]:
    """Destinations that the environment's CNI cannot hold: only Cilium with its L7 proxy knows host names."""
    if environment.cni == "cilium" and environment.dns_names:
        return
    known = environment.cni if environment.cni != "cilium" else "Cilium without its L7 proxy"
    for one in registration.egress:
        if one.hosts:
            yield Finding(
                "tenancy-egress",
                f"egress[{one.name}].hosts",
                f"{', '.join(one.hosts)} can't be allowed by name: {known} knows only addresses",
                "write networks, or choose an environment with Cilium and its L7 proxy",
                value=", ".join(one.hosts),
            )


def network_manifests(registration: Registration, namespace: str, environment: Environment) -> list[Manifest]:
    """The policies of one namespace, in the form that the environment's CNI enforces. Default deny comes first."""
    traffic = Traffic(
        registration.tenant,
        namespace,
        environment.gateway.data_plane_namespace,
        tuple(sorted(registration.egress, key=lambda one: one.name)),
        environment.dns_names,
    )
    return _rendered(traffic, environment.cni)


def contract_manifests(namespace: str, contract: ContractSpec) -> list[Manifest]:
    """The same policies, from what the contract says of them."""
    gateway = contract.gateway.data_plane_namespace or None
    traffic = Traffic(contract.tenant, namespace, gateway, contract.egress, contract.dns_names)
    return _rendered(traffic, contract.cni)


def _rendered(traffic: Traffic, cni: str) -> list[Manifest]:
    render = {"cilium": _cilium, "calico": _calico}.get(cni, _kubernetes)
    return list(render(traffic))


# --- Kubernetes ------------------------------------------------------------------------------------------


def _kubernetes(traffic: Traffic) -> Iterator[Manifest]:
    dns = {"namespaceSelector": _named(KUBE_SYSTEM), "podSelector": {"matchLabels": _DNS_PODS}}
    yield _all_pods(traffic, [{"to": [dns], "ports": _DNS_PORTS}])
    yield from _to_networks(traffic)


def _all_pods(traffic: Traffic, egress: list[dict[str, Any]]) -> Manifest:
    """The one policy of all pods: it denies what it does not name."""
    spec: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if traffic.gateway_namespace is not None:
        spec["ingress"] = [{"from": [{"namespaceSelector": _named(traffic.gateway_namespace)}]}]
    if egress:
        spec["egress"] = egress
    return _made(traffic, "networking.k8s.io/v1", "NetworkPolicy", _DEFAULT, spec=spec)


def _to_networks(traffic: Traffic) -> Iterator[Manifest]:
    for one in traffic.egress:
        if one.networks:
            to = [{"ipBlock": {"cidr": cidr}} for cidr in sorted(map(str, one.networks))]
            ports = [{"protocol": "TCP", "port": port} for port in sorted(one.ports)]
            yield _policy(traffic, f"egress-{one.name}", _callers(one), egress=[{"to": to, "ports": ports}])


def _policy(traffic: Traffic, name: str, pods: dict[str, Any], **rules: Any) -> Manifest:
    types = [side.capitalize() for side in ("ingress", "egress") if side in rules]
    spec = {"podSelector": pods, "policyTypes": types, **rules}
    return _made(traffic, "networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)


# --- Cilium ----------------------------------------------------------------------------------------------


def _cilium(traffic: Traffic) -> Iterator[Manifest]:
    yield _all_pods(traffic, [])
    if traffic.gateway_namespace is None:
        # Cilium's Envoy has the identity `ingress`, which no namespaceSelector matches.
        yield _cilium_policy(traffic, "allow-gateway", {}, ingress=[{"fromEntities": ["ingress"]}])
    yield _cilium_policy(traffic, "allow-dns", {}, egress=[_cilium_dns(traffic)])
    yield from _to_networks(traffic)
    for one in traffic.egress:
        if one.hosts:
            ports = [{"port": str(port), "protocol": "TCP"} for port in sorted(one.ports)]
            rule = {"toFQDNs": [_by_name(host) for host in sorted(one.hosts)], "toPorts": [{"ports": ports}]}
            yield _cilium_policy(traffic, f"egress-{one.name}-names", _callers(one), egress=[rule])
    yield _cilium_policy(
        traffic,
        "deny-other-tenants",
        {},
        ingressDeny=[{"fromEndpoints": [_other_tenants(traffic)]}],
        egressDeny=[{"toEndpoints": [_other_tenants(traffic)]}],
    )


def _other_tenants(traffic: Traffic) -> dict[str, Any]:
    key = f"{_CILIUM_NAMESPACE}{labels.TENANT}"
    own = {"key": key, "operator": "NotIn", "values": [traffic.tenant]}
    return {"matchExpressions": [{"key": key, "operator": "Exists"}, own]}


def _cilium_dns(traffic: Traffic) -> dict[str, Any]:
    """The proxy lets pods ask for names of the cluster and of what they may call: no other name carries data out.

    Without the proxy, pods may ask for every name.
    """
    servers = {"matchLabels": {_CILIUM_POD_NAMESPACE: KUBE_SYSTEM, **_DNS_PODS}}
    ports: dict[str, Any] = {"ports": [{"port": "53", "protocol": "ANY"}]}
    if not traffic.dns_names:
        return {"toEndpoints": [servers], "toPorts": [ports]}
    inside = [{"matchPattern": f"{'*.' * depth}cluster.local"} for depth in range(1, _SEARCHED + 2)]
    hosts = sorted({host for one in traffic.egress for host in one.hosts})
    names = [*inside, *map(_by_name, hosts)]
    return {"toEndpoints": [servers], "toPorts": [{**ports, "rules": {"dns": names}}]}


def _by_name(host: str) -> dict[str, str]:
    return {"matchPattern": host} if host.startswith("*.") else {"matchName": host}


def _cilium_policy(traffic: Traffic, name: str, pods: dict[str, Any], **rules: Any) -> Manifest:
    return _made(traffic, "cilium.io/v2", "CiliumNetworkPolicy", name, spec={"endpointSelector": pods, **rules})


# --- Calico ----------------------------------------------------------------------------------------------


def _calico(traffic: Traffic) -> Iterator[Manifest]:
    yield from _kubernetes(traffic)
    others = f"has({labels.TENANT}) && {labels.TENANT} != '{traffic.tenant}'"
    spec = {
        "order": _FIRST,
        "selector": "all()",
        "types": ["Ingress", "Egress"],
        "ingress": [{"action": "Deny", "source": {"namespaceSelector": others}}],
        "egress": [{"action": "Deny", "destination": {"namespaceSelector": others}}],
    }
    yield _made(traffic, "projectcalico.org/v3", "NetworkPolicy", "deny-other-tenants", spec=spec)


# --- the whole cluster -----------------------------------------------------------------------------------


def floor_manifests(environment: Environment) -> list[Manifest]:
    """What no pod of a registered namespace reaches, whatever its own policies allow: link-local addresses, nodes and
    the API server.

    Without Cilium, Calico or ClusterNetworkPolicy, the default deny of each namespace is what holds.
    """
    nodes = sorted({METADATA, *map(str, environment.node_networks)})
    if environment.cni == "cilium":
        spec: dict[str, Any] = {
            "endpointSelector": {"matchLabels": {f"{_CILIUM_NAMESPACE}{labels.REGISTERED}": "true"}},
            "egressDeny": [
                {"toEntities": ["host", "remote-node", "kube-apiserver"]},
                {"toCIDRSet": [{"cidr": METADATA}]},
            ],
        }
        return [manifest("cilium.io/v2", "CiliumClusterwideNetworkPolicy", FLOOR, spec=spec)]
    if environment.cni == "calico":
        spec = {
            "order": _FIRST,
            "namespaceSelector": f"{labels.REGISTERED} == 'true'",
            "types": ["Egress"],
            "egress": [{"action": "Deny", "destination": {"nets": nodes}}],
        }
        return [manifest("projectcalico.org/v3", "GlobalNetworkPolicy", FLOOR, spec=spec)]
    if not environment.admin_tier:
        return []
    spec = {
        "tier": "Admin",
        "priority": 0,
        "subject": {"namespaces": {"matchLabels": {labels.REGISTERED: "true"}}},
        "egress": [{"name": "nodes-and-metadata", "action": "Deny", "to": [{"networks": nodes}]}],
    }
    return [manifest("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", FLOOR, spec=spec)]


def _callers(one: Egress | ContractEgress) -> dict[str, Any]:
    return {"matchLabels": {f"{labels.EGRESS}{one.name}": "true"}}


def _named(namespace: str) -> dict[str, Any]:
    return {"matchLabels": {labels.NAMESPACE_NAME: namespace}}


def _made(traffic: Traffic, api: str, kind: str, name: str, **body: Any) -> Manifest:
    return in_namespace(traffic.tenant, traffic.namespace, api, kind, name, **body)
