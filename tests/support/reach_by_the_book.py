"""Kubernetes' and network-policy-api's specifications, read once more and as plainly as can be: one connection at a
time, from the manifests alone. Nothing here is shared with components/reach."""

from ipaddress import ip_address, ip_network
from typing import Any

Pod = dict[str, Any]
Manifest = dict[str, Any]


def reaches(manifests: list[Manifest], source: Pod, target: Pod, port: int, protocol: str) -> bool | None:
    """Whether a connection is allowed; None where two policies of the same priority contradict each other."""
    answers = [
        allowed(manifests, source, target, "egress", target, port, protocol),
        allowed(manifests, target, source, "ingress", target, port, protocol),
    ]
    if False in answers:
        return False
    return None if None in answers else True


def allowed(
    manifests: list[Manifest], own: Pod, other: Pod, way: str, target: Pod, port: int, protocol: str
) -> bool | None:
    """One direction."""
    spaces = {
        one["metadata"]["name"]: one["metadata"].get("labels", {}) for one in manifests if one["kind"] == "Namespace"
    }
    traffic = (spaces, own, other, way, target, port, protocol)
    found = by_priority(manifests, "Admin", traffic)
    if found in ("Accept", "Deny", "?"):
        return None if found == "?" else found == "Accept"
    rules: list[Any] = []
    isolated = False
    for policy in manifests:
        if policy["kind"] != "NetworkPolicy" or policy["metadata"]["namespace"] != own["metadata"]["namespace"]:
            continue
        spec = policy["spec"]
        if selects(spec["podSelector"], own["metadata"].get("labels", {})) and way.title() in spec["policyTypes"]:
            isolated = True
            rules += spec.get(way, [])
    if isolated:
        return any(
            any(is_peer(peer, traffic) for peer in rule.get("from", rule.get("to")) or [None])
            and any(is_port(one, target, port, protocol) for one in rule.get("ports") or [None])
            for rule in rules
        )
    found = by_priority(manifests, "Baseline", traffic)
    return None if found == "?" else found != "Deny"


def by_priority(manifests: list[Manifest], tier: str, traffic: Any) -> str:
    """What the first policies that have a matching rule say; `?` if they contradict each other."""
    spaces, own, other, way, target, port, protocol = traffic
    said: dict[int, set[str]] = {}
    for policy in manifests:
        if policy["kind"] != "ClusterNetworkPolicy" or policy["spec"]["tier"] != tier:
            continue
        if not in_namespaced(policy["spec"]["subject"], spaces, own):
            continue
        for rule in policy["spec"].get(way, []):
            peers = rule["from"] if way == "ingress" else rule["to"]
            at = [one for one in rule.get("protocols") or [None] if is_admin_port(one, target, port, protocol)]
            if at and any(is_admin_peer(peer, spaces, other) for peer in peers):
                said.setdefault(policy["spec"]["priority"], set()).add(rule["action"])
                break
    if not said:
        return "Pass"
    first = said[min(said)]
    return first.pop() if len(first) == 1 else "?"


def is_admin_peer(peer: Any, spaces: Any, pod: Pod) -> bool:
    if "networks" in peer:
        return any(ip_address(pod["status"]["podIP"]) in ip_network(one) for one in peer["networks"])
    return in_namespaced(peer, spaces, pod)


def in_namespaced(chosen: Any, spaces: Any, pod: Pod) -> bool:
    name = pod["metadata"]["namespace"]
    labels = {**spaces[name], "kubernetes.io/metadata.name": name}
    if "namespaces" in chosen:
        return selects(chosen["namespaces"], labels)
    pods = chosen["pods"]
    return selects(pods["namespaceSelector"], labels) and selects(
        pods["podSelector"], pod["metadata"].get("labels", {})
    )


def is_admin_port(one: Any, target: Pod, port: int, protocol: str) -> bool:
    if one is None:
        return True
    if "destinationNamedPort" in one:
        return (one["destinationNamedPort"], port, protocol) in names_of(target)
    ((name, inner),) = one.items()
    if name.upper() != protocol:
        return False
    wanted = (inner or {}).get("destinationPort")
    if not wanted:
        return True
    if "range" in wanted:
        return wanted["range"]["start"] <= port <= wanted["range"]["end"]
    return wanted["number"] == port


def is_peer(peer: Any, traffic: Any) -> bool:
    spaces, own, other, *_ = traffic
    if peer is None:
        return True
    if "ipBlock" in peer:
        address = ip_address(other["status"]["podIP"])
        block = peer["ipBlock"]
        inside = address in ip_network(block["cidr"])
        return inside and not any(address in ip_network(one) for one in block.get("except", []))
    name = other["metadata"]["namespace"]
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], {**spaces[name], "kubernetes.io/metadata.name": name}):
            return False
    elif name != own["metadata"]["namespace"]:
        return False
    return selects(peer.get("podSelector", {}), other["metadata"].get("labels", {}))


def is_port(one: Any, target: Pod, port: int, protocol: str) -> bool:
    if one is None:
        return True
    if one.get("protocol", "TCP") != protocol:
        return False
    wanted = one.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return (wanted, port, protocol) in names_of(target)
    return wanted <= port <= one.get("endPort", wanted)


def names_of(pod: Pod) -> set[tuple[str, int, str]]:
    return {
        (one["name"], one["containerPort"], one.get("protocol", "TCP"))
        for container in pod["spec"]["containers"]
        for one in container.get("ports", [])
        if "name" in one
    }


def selects(selector: Any, labels: dict[str, str]) -> bool:
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for one in selector.get("matchExpressions") or []:
        there, value = one["key"] in labels, labels.get(one["key"])
        holds = {
            "In": there and value in one.get("values", []),
            "NotIn": not there or value not in one.get("values", []),
            "Exists": there,
            "DoesNotExist": not there,
        }
        if not holds[one["operator"]]:
            return False
    return True


def ends(service: Manifest, pods: list[Pod], port: int, protocol: str) -> list[tuple[Pod, int]]:
    """Pods behind a Service, each with the number of its port: as Kubernetes' documentation of Services has it."""
    found = []
    for one in service["spec"]["ports"]:
        if (one["port"], one.get("protocol", "TCP")) != (port, protocol):
            continue
        for pod in pods:
            same_space = pod["metadata"]["namespace"] == service["metadata"]["namespace"]
            if not same_space or not selects({"matchLabels": service["spec"]["selector"]}, pod["metadata"]["labels"]):
                continue
            target = one.get("targetPort", port)
            if isinstance(target, int):
                found.append((pod, target))
            else:
                found += [(pod, number) for name, number, of in names_of(pod) if (name, of) == (target, protocol)]
    return found
