"""Random clusters with policies of Cilium's and of Calico's beside Kubernetes', and a plain reading of both projects'
documentation: one connection at a time, from the manifests alone. Nothing here is shared with components/reach."""

from collections.abc import Callable
from typing import Any

from tests.support.reach_by_the_book import Manifest, Pod, is_peer, is_port, names_of, selects
from tests.support.reach_intents import PORTS, Maker

SIDES = {"ingress": "from", "egress": "to"}


def _spaces(manifests: list[Manifest]) -> dict[str, dict[str, str]]:
    return {one["metadata"]["name"]: one["metadata"]["labels"] for one in manifests if one["kind"] == "Namespace"}


def both_ways(allowed: Callable[..., bool], manifests: list[Manifest], source: Pod, target: Pod, *port: Any) -> bool:
    return allowed(manifests, source, target, "egress", target, *port) and allowed(
        manifests, target, source, "ingress", target, *port
    )


# --- Cilium ------------------------------------------------------------------------------------------------


class CiliumMaker(Maker):
    """With CiliumNetworkPolicies and CiliumClusterwideNetworkPolicies."""

    def _policy(self, namespace: str, index: int) -> Manifest:
        made = self._random
        if made.random() < 0.3:
            return super()._policy(namespace, index)
        spec: dict[str, Any] = {"endpointSelector": self._endpoints(own=False)}
        for side in ("ingress", "egress"):
            for kind in ("", "Deny"):
                if made.random() < 0.45:
                    spec[side + kind] = [self._cilium_rule(SIDES[side]) for _ in range(made.randint(0, 2))]
        if made.random() < 0.3:
            spec["enableDefaultDeny"] = {side: made.random() < 0.5 for side in ("ingress", "egress")}
        wide = made.random() < 0.4
        meta = {"name": f"p{index}"} | ({} if wide else {"namespace": namespace})
        kind = "CiliumClusterwideNetworkPolicy" if wide else "CiliumNetworkPolicy"
        return {"apiVersion": "cilium.io/v2", "kind": kind, "metadata": meta, "spec": spec}

    def _endpoints(self, *, own: bool = True) -> dict[str, Any]:
        found = self._selector()
        made = self._random
        prefix = made.choice(["", "k8s:", "any:"])
        wanted = {prefix + key: value for key, value in found.get("matchLabels", {}).items()}
        if own and made.random() < 0.25:
            wanted[f"{prefix}io.kubernetes.pod.namespace"] = made.choice(["ns0", "ns1"])
        if own and made.random() < 0.2:
            wanted[f"{prefix}io.cilium.k8s.namespace.labels.{made.choice(['app', 'tier'])}"] = made.choice("xyz")
        asked = [{**one, "key": prefix + one["key"]} for one in found.get("matchExpressions", [])]
        return ({"matchLabels": wanted} if wanted else {}) | ({"matchExpressions": asked} if asked else {})

    def _cilium_rule(self, side: str) -> dict[str, Any]:
        made, rule = self._random, dict[str, Any]()
        kind = made.random()
        if kind < 0.6:
            rule[f"{side}Endpoints"] = [self._endpoints() for _ in range(made.randint(0, 2))]
        elif kind < 0.75:
            rule[f"{side}Entities"] = made.sample(["all", "cluster", "world", "health", "none"], made.randint(1, 2))
        elif kind < 0.85:
            rule[f"{side}CIDR"] = ["0.0.0.0/0"]
        if made.random() < 0.4:
            rule["toPorts"] = [{"ports": [self._cilium_port() for _ in range(made.randint(1, 2))]}]
        return rule

    def _cilium_port(self) -> dict[str, Any]:
        made = self._random
        number, protocol = made.choice(PORTS)
        kind = made.random()
        port: dict[str, Any] = {"port": str(number)} | ({"protocol": protocol} if made.random() < 0.7 else {})
        if kind < 0.2:
            port |= {"port": "80", "endPort": made.choice([80, 81, 443])}
        elif kind < 0.35:
            port |= {"port": made.choice(["web", "dns"]), "protocol": protocol}
        elif kind < 0.45:
            port["port"] = "0"
        return port


def cilium_allowed(
    manifests: list[Manifest], own: Pod, other: Pod, way: str, target: Pod, port: int, protocol: str
) -> bool:
    """One direction: what a deny rule matches is dropped, what an allow rule matches passes, and the rest is dropped if
    a policy that selects the pod asks for it."""
    spaces, side = _spaces(manifests), SIDES[way]
    denied = allowed = isolated = False
    for policy in manifests:
        spec, home = policy.get("spec", {}), policy["metadata"].get("namespace")
        if policy["kind"] == "NetworkPolicy":
            labels = own["metadata"].get("labels", {})
            if home != own["metadata"]["namespace"] or not selects(spec["podSelector"], labels):
                continue
            if way.title() in spec["policyTypes"]:
                isolated = True
                for rule in spec.get(way, []):
                    peers = [one for one in rule.get(side, []) if "ipBlock" not in one] if side in rule else [None]
                    meets = any(is_peer(one, (spaces, own, other)) for one in peers)
                    allowed |= meets and any(
                        is_port(one, target, port, protocol) for one in rule.get("ports") or [None]
                    )
        elif policy["kind"].startswith("Cilium"):
            if not _is_endpoint(spec["endpointSelector"], home, own, spaces):
                continue
            rules, denying = spec.get(way, []), spec.get(f"{way}Deny", [])
            isolated |= spec.get("enableDefaultDeny", {}).get(way, bool(rules or denying))
            denied |= any(_cilium_meets(one, side, home, other, spaces, target, port, protocol) for one in denying)
            allowed |= any(_cilium_meets(one, side, home, other, spaces, target, port, protocol) for one in rules)
    return not denied and (allowed or not isolated)


def _cilium_meets(
    rule: Any, side: str, home: str | None, other: Pod, spaces: Any, target: Pod, port: int, protocol: str
) -> bool:
    peers = {key: value for key, value in rule.items() if key.startswith(side) and key != "toPorts"}
    if any(value == [] for value in peers.values()) or (not peers and "toPorts" not in rule):
        return False
    if peers:
        named = any(_is_endpoint(one, home, other, spaces) for one in rule.get(f"{side}Endpoints", []))
        if not (named or {"all", "cluster"} & set(rule.get(f"{side}Entities", []))):
            return False
    if "toPorts" not in rule:
        return True
    for group in rule["toPorts"]:
        for one in group["ports"]:
            if one.get("protocol", protocol) != protocol:
                continue
            if not one["port"].isdigit():
                if (one["port"], port, protocol) in names_of(target):
                    return True
            elif one["port"] == "0" or int(one["port"]) <= port <= one.get("endPort", int(one["port"])):
                return True
    return False


def _is_endpoint(selector: Any, home: str | None, pod: Pod, spaces: Any) -> bool:
    name = pod["metadata"]["namespace"]
    labels = dict(pod["metadata"]["labels"])
    labels["io.kubernetes.pod.namespace"] = name
    labels |= {f"io.cilium.k8s.namespace.labels.{key}": value for key, value in spaces[name].items()}

    def bare(key: str) -> str:
        return key.removeprefix("k8s:").removeprefix("any:")

    asked = [bare(key) for key in selector.get("matchLabels", {})]
    asked += [bare(one["key"]) for one in selector.get("matchExpressions", [])]
    if home and not any(key.startswith("io.") for key in asked) and name != home:
        return False
    plain = {
        "matchLabels": {bare(key): value for key, value in selector.get("matchLabels", {}).items()},
        "matchExpressions": [{**one, "key": bare(one["key"])} for one in selector.get("matchExpressions", [])],
    }
    return selects(plain, labels)


# --- Calico ------------------------------------------------------------------------------------------------

Meaning = Callable[[dict[str, str]], bool]


class CalicoMaker(Maker):
    """With tiers, NetworkPolicies and GlobalNetworkPolicies of Calico's. Keeps what each expression means."""

    meanings: dict[str, Meaning]

    def cluster(self) -> list[Manifest]:
        self.meanings = {}
        tiers = [
            {
                "apiVersion": "projectcalico.org/v3",
                "kind": "Tier",
                "metadata": {"name": name},
                "spec": {"order": order, "defaultAction": self._random.choice(["Deny", "Pass"])},
            }
            for name, order in (("early", 100), ("late", 2_000_000))
        ]
        return [*tiers, *super().cluster()]

    def _policy(self, namespace: str, index: int) -> Manifest:
        made = self._random
        if made.random() < 0.3:
            return super()._policy(namespace, index)
        wide = made.random() < 0.4
        types = made.choice([["Ingress"], ["Egress"], ["Ingress", "Egress"]])
        spec: dict[str, Any] = {
            "selector": self._expression(),
            "types": types,
            "tier": made.choice(["default", "default", "early", "late"]),
        }
        if made.random() < 0.8:
            spec["order"] = made.choice([1, 5, 999, 1001, 2000]) + index / 100
        if wide and made.random() < 0.5:
            spec["namespaceSelector"] = self._expression()
        for way in types:
            spec[way.lower()] = [self._calico_rule() for _ in range(made.randint(0, 3))]
        meta = {"name": f"c{index}"} | ({} if wide else {"namespace": namespace})
        kind = "GlobalNetworkPolicy" if wide else "NetworkPolicy"
        return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": meta, "spec": spec}

    def _calico_rule(self) -> dict[str, Any]:
        made = self._random
        rule: dict[str, Any] = {"action": made.choice(["Allow", "Allow", "Deny", "Pass", "Log"])}
        number, protocol = made.choice(PORTS)
        for side in ("source", "destination"):
            if made.random() < 0.5:
                rule[side] = self._entity()
        kind = made.random()
        if kind < 0.4:
            rule["protocol"] = protocol
            if kind < 0.3:
                ports = made.choice([[number], ["80:443"], [made.choice(["web", "dns"])]])
                rule.setdefault("destination", {})[made.choice(["ports", "ports", "notPorts"])] = ports
        elif kind < 0.5:
            rule["notProtocol"] = protocol
        return rule

    def _entity(self) -> dict[str, Any]:
        made, entity = self._random, dict[str, Any]()
        if made.random() < 0.6:
            entity["selector"] = self._expression()
        if made.random() < 0.4:
            entity["namespaceSelector"] = self._expression()
        if made.random() < 0.2:
            entity["nets"] = [made.choice(["10.0.0.0/24", "10.0.0.0/16"])]
        if made.random() < 0.15:
            entity["notNets"] = ["10.0.1.0/24"]
        if ("selector" in entity or "namespaceSelector" in entity) and made.random() < 0.2:
            entity["notSelector"] = self._expression()
        return entity

    def _expression(self, depth: int = 2) -> str:
        text, meaning = self._made(depth)
        self.meanings[text] = meaning
        return text

    def _made(self, depth: int) -> tuple[str, Meaning]:
        made = self._random
        key, value, other = made.choice(["app", "tier"]), made.choice("xyz"), made.choice("xyz")
        kind = made.randint(0, 10 if depth else 6)
        if kind > 6:
            (left, one), (right, two) = self._made(depth - 1), self._made(depth - 1)
            if kind == 7:
                return f"!({left})", lambda labels: not one(labels)
            if kind == 8:
                return f"({left}) || ({right})", lambda labels: one(labels) or two(labels)
            return f"({left}) && ({right})", lambda labels: one(labels) and two(labels)
        simple: list[tuple[str, Meaning]] = [
            ("all()", lambda _: True),
            (f"{key} == '{value}'", lambda labels: labels.get(key) == value),
            (f'{key} != "{value}"', lambda labels: labels.get(key) != value),
            (f"has({key})", lambda labels: key in labels),
            (f"!has({key})", lambda labels: key not in labels),
            (f"{key} in {{'{value}', '{other}'}}", lambda labels: labels.get(key) in (value, other)),
            (f"{key} not in {{'{value}', '{other}'}}", lambda labels: labels.get(key) not in (value, other)),
        ]
        return simple[kind]


def calico_allowed(
    meanings: dict[str, Meaning],
    manifests: list[Manifest],
    own: Pod,
    other: Pod,
    way: str,
    target: Pod,
    port: int,
    protocol: str,
) -> bool:
    """One direction: tier by tier, policy by policy, rule by rule."""
    spaces, home = _spaces(manifests), own["metadata"]["namespace"]
    tiers = {one["metadata"]["name"]: one["spec"] for one in manifests if one["kind"] == "Tier"}
    tiers["default"] = {"order": 1_000_000, "defaultAction": "Deny"}
    for name in sorted(tiers, key=lambda one: float(tiers[one]["order"])):
        listed = []
        for policy in manifests:
            spec, scope = policy.get("spec", {}), policy["metadata"].get("namespace")
            if not policy["kind"].endswith("NetworkPolicy") or (scope and scope != home):
                continue
            if policy["apiVersion"].startswith("networking"):
                chosen = selects(spec["podSelector"], own["metadata"]["labels"])
                if name == "default" and chosen and way.title() in spec["policyTypes"]:
                    listed.append((1000.0, f"knp.default.{policy['metadata']['name']}", policy))
            elif spec["tier"] == name and way.title() in spec["types"]:
                chosen = meanings[spec["selector"]](own["metadata"]["labels"])
                if "namespaceSelector" in spec:
                    chosen = chosen and meanings[spec["namespaceSelector"]](spaces[home])
                if chosen:
                    listed.append((float(spec.get("order", "inf")), policy["metadata"]["name"], policy))
        said = "nothing applies" if not listed else ""
        for _, _, policy in sorted(listed, key=lambda one: one[:2]):
            said = said or _said(meanings, policy, spaces, own, other, way, target, port, protocol)
        said = said or tiers[name]["defaultAction"]
        if said in ("Allow", "Deny"):
            return said == "Allow"
    return True


def _said(
    meanings: dict[str, Meaning],
    policy: Manifest,
    spaces: Any,
    own: Pod,
    other: Pod,
    way: str,
    target: Pod,
    port: int,
    protocol: str,
) -> str:
    for rule in policy["spec"].get(way, []):
        if policy["apiVersion"].startswith("networking"):
            peers = rule.get(SIDES[way]) or [None]
            meets = any(is_peer(one, (spaces, own, other)) for one in peers)
            if meets and any(is_port(one, target, port, protocol) for one in rule.get("ports") or [None]):
                return "Allow"
            continue
        source, destination = (other, own) if way == "ingress" else (own, other)
        scope = policy["metadata"].get("namespace")
        sides = ((rule.get("source", {}), source), (rule.get("destination", {}), destination))
        if rule["action"] == "Log" or not all(_is_entity(meanings, one, pod, scope, spaces) for one, pod in sides):
            continue
        if rule.get("protocol", protocol) != protocol or rule.get("notProtocol") == protocol:
            continue
        ports = rule.get("destination", {})
        at = [_is_calico_port(one, target, port, protocol) for one in ports.get("ports", ports.get("notPorts", []))]
        if ("ports" in ports and not any(at)) or ("notPorts" in ports and any(at)):
            continue
        return str(rule["action"])
    return ""


def _is_entity(meanings: dict[str, Meaning], entity: Any, pod: Pod, scope: str | None, spaces: Any) -> bool:
    from ipaddress import ip_address, ip_network

    name, labels = pod["metadata"]["namespace"], pod["metadata"]["labels"]
    if "namespaceSelector" in entity:
        if not meanings[entity["namespaceSelector"]](spaces[name]):
            return False
    elif "selector" in entity and scope and name != scope:
        return False
    if "selector" in entity and not meanings[entity["selector"]](labels):
        return False
    if "notSelector" in entity and meanings[entity["notSelector"]](labels):
        return False
    address = ip_address(pod["status"]["podIP"])
    inside = {key: any(address in ip_network(one) for one in entity.get(key, [])) for key in ("nets", "notNets")}
    return not ("nets" in entity and not inside["nets"]) and not inside["notNets"]


def _is_calico_port(one: Any, target: Pod, port: int, protocol: str) -> bool:
    if isinstance(one, int):
        return one == port
    first, colon, last = one.partition(":")
    return int(first) <= port <= int(last) if colon else (one, port, protocol) in names_of(target)
