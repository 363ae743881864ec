"""Resources of programs that are not ours, as a pack is shown them."""

import json
from typing import Any

from tests.support.policy import Resource

Props = dict[str, Any]


def kube(api: str, kind: str, name: str, namespace: str | None = None, **body: Any) -> Resource:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **body.pop("metadata", {})}
    props = {"apiVersion": api, "kind": kind, "metadata": metadata, **body}
    return Resource(f"kubernetes:{api if '/' in api else f'core/{api}'}:{kind}", props, name=f"{kind}-{name}")


def machine(name: str, country: str | None = "NO", host: str = "203.0.113.12") -> list[Resource]:
    """A server of somebody else's component, and the command that reaches it."""
    declared = {"country": country} if country else {}
    return [
        Resource("agency:index:Server", declared, name=name, component=True),
        over_ssh(name, {"host": host, "hostKey": "ssh-ed25519 AAAA"}),
    ]


def over_ssh(name: str, connection: Props) -> Resource:
    return Resource("command:remote:Command", {"connection": connection, "create": "true"}, f"{name}-setup", name)


def cluster(kubeconfig: str = "") -> Resource:
    """A program's own provider of a cluster."""
    props = {"kubeconfig": kubeconfig} if kubeconfig else {}
    return Resource("pulumi:providers:kubernetes", props, "c", component=True)


def namespace(name: str = "agency", **labels: str) -> Resource:
    found = {"vds-platform.no/tenant": name, "pod-security.kubernetes.io/enforce": "restricted", **labels}
    return kube("v1", "Namespace", name, metadata={"labels": {key: value for key, value in found.items() if value}})


def network_policy(**change: Any) -> Resource:
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], **change}
    return kube("networking.k8s.io/v1", "NetworkPolicy", "deny", "agency", spec=spec)


def pool(*addresses: str, name: str = "public") -> Resource:
    return kube("metallb.io/v1beta1", "IPAddressPool", name, "metallb-system", spec={"addresses": list(addresses)})


def advertisement(**spec: Any) -> Resource:
    return kube("metallb.io/v1beta1", "L2Advertisement", "l2", "metallb-system", spec=spec)


def route(*weights: object, name: str = "r", owner: str = "agency", host: str = "a.example.no") -> Resource:
    refs = [{"name": f"b{index}", "port": 80, "weight": weight} for index, weight in enumerate(weights)]
    spec = {"hostnames": [host], "rules": [{"backendRefs": refs}]}
    return kube("gateway.networking.k8s.io/v1", "HTTPRoute", name, owner, spec=spec)


def service(**spec: Any) -> Resource:
    """A Service of a tenant; a load balancer's opens no port on the nodes unless it says so."""
    if spec.get("type") == "LoadBalancer":
        spec = {"allocateLoadBalancerNodePorts": False, **spec}
    return kube("v1", "Service", "web", "agency", spec=spec)


def role(verb: object) -> Resource:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": [verb]}]
    return kube("rbac.authorization.k8s.io/v1", "Role", "dev", "agency", rules=rules)


def cluster_role(verb: object) -> Resource:
    """What Kubernetes adds to its own ClusterRole `edit`."""
    labels = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": [verb]}]
    return kube("rbac.authorization.k8s.io/v1", "ClusterRole", "dev", metadata={"labels": labels}, rules=rules)


def cilium_config(**data: str) -> Resource:
    return kube("v1", "ConfigMap", "cilium-config", "kube-system", data={"routing-mode": "tunnel", **data})


def release(chart: str, values: Props) -> Resource:
    there = {} if "/" in chart else {"repositoryOpts": {"repo": "https://charts.example.no"}}
    props = {"chart": chart, "version": "1.18.2", "values": values, "namespace": "kube-system", **there}
    return Resource("kubernetes:helm.sh/v3:Release", props, "cni")


def fence(name: str = "agency") -> list[Resource]:
    """What a tenant's namespace has beside the policy that denies everything."""
    dns = {"egress": [{"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}]}
    dns_policy = {"podSelector": {}, "policyTypes": ["Egress"], **dns}
    return [
        kube("networking.k8s.io/v1", "NetworkPolicy", "allow-dns", name, spec=dns_policy),
        kube("v1", "ResourceQuota", "quota", name, spec={"hard": {"pods": "20"}}),
        kube("v1", "LimitRange", "limits", name, spec={"limits": [{"type": "Container", "default": {"cpu": "1"}}]}),
    ]


PLACE: Props = {
    "name": "registry",
    "hosts": ["registry.example.no"],
    "country": "NO",
    "entity": "Agency of Norway",
    "entityCountry": "NO",
    "purposes": ["image-registry", "chart-repository"],
}


def record(*places: Props, **more: Any) -> Resource:
    """Somebody's component that declares places."""
    return Resource("agency:index:Record", {"places": list(places), **more}, "record", component=True)


def deployment(image: object, namespace: str = "kube-system", **pod: Any) -> Resource:
    template = {"spec": {"containers": [{"name": "web", "image": image}], **pod}}
    return kube("apps/v1", "Deployment", "web", namespace, spec={"template": template})


def peer(**spec: Any) -> Resource:
    return kube("metallb.io/v1beta2", "BGPPeer", "router", "metallb-system", spec={"holdTime": "90s", **spec})


def gateway(protocol: str, allowed: Props | None = None, **exceptions: Props) -> Resource:
    """A Gateway with one listener, `http`, the namespaces of its routes, and what its annotation excuses."""
    annotations = {"vds-platform.no/plain-text": json.dumps(exceptions)} if exceptions else {}
    routes = {"allowedRoutes": {"namespaces": allowed}} if allowed else {}
    spec = {"listeners": [{"name": "http", "port": 80, "protocol": protocol, **routes}]}
    metadata = {"annotations": annotations}
    return kube("gateway.networking.k8s.io/v1", "Gateway", "public", "gateway-system", metadata=metadata, spec=spec)


def named_route(*backends: list[Any]) -> Resource:
    refs = [{"name": name, "port": 80, "weight": weight} for name, weight in backends]
    spec = {"hostnames": ["a.example.no"], "rules": [{"backendRefs": refs}]}
    return kube("gateway.networking.k8s.io/v1", "HTTPRoute", "r", "agency", spec=spec)


def grant(*targets: Props) -> Resource:
    spec = {"from": [{"kind": "HTTPRoute", "namespace": "b"}], "to": list(targets)}
    return kube("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "g", "agency", spec=spec)


def binding(**subject: str) -> Resource:
    return kube("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "b", subjects=[subject])
