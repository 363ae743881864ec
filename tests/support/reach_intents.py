"""Random clusters: namespaces, pods and policies, small enough that their selectors often meet."""

import random
from typing import Any

Manifest = dict[str, Any]

PORTS = [(80, "TCP"), (81, "TCP"), (5353, "UDP"), (80, "UDP"), (443, "TCP"), (90, "SCTP")]
ALIKE = [(80, "TCP"), (5353, "UDP"), (81, "TCP"), (443, "TCP"), (90, "SCTP")]
_NAMES = ("web", "dns")


class Maker:
    """Makes one cluster after another. The same seed makes the same ones."""

    def __init__(self, seed: int, *, admin: bool = True, alike: bool = False, pods: int = 6, policies: int = 4) -> None:
        self._random = random.Random(seed)  # noqa: S311 (no secret)
        self._admin = admin
        self._alike = alike
        """Every pod and namespace has both labels, and every pod the same ports."""
        self._pods, self._policies = pods, policies

    def cluster(self) -> list[Manifest]:
        """Its manifests."""
        made = self._random
        spaces = [f"ns{number}" for number in range(made.randint(1, 3))]
        found = [self._namespace(name) for name in spaces]
        for index in range(made.randint(2, self._pods)):
            found.append(self._pod(made.choice(spaces), index))
        found += [self._policy(made.choice(spaces), index) for index in range(made.randint(0, self._policies))]
        if self._admin:
            found += [self._cluster_policy(index) for index in range(made.randint(0, 3))]
        return found

    def services(self, number: int) -> list[Manifest]:
        """Services for the pods of the same namespaces, with numbered and named target ports."""
        return [self._service(f"ns{self._random.randint(0, 2)}", index) for index in range(number)]

    def _service(self, namespace: str, index: int) -> Manifest:
        made = self._random
        ports: list[dict[str, Any]] = []
        for number, protocol in made.sample(PORTS, 2):
            port: dict[str, Any] = {"name": f"p{len(ports)}", "port": number + 1000, "protocol": protocol}
            if made.random() < 0.8:
                port["targetPort"] = made.choice([number, *_NAMES])
            ports.append(port)
        selector = {made.choice(["app", "tier"]): made.choice("xyz")}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"service{index}", "namespace": namespace},
            "spec": {"selector": selector, "ports": ports, "clusterIP": f"10.0.1.{200 + index}"},
        }

    def _labels(self) -> dict[str, str]:
        labels = {key: self._random.choice("xyz") for key in ("app", "tier")}
        if not self._alike and self._random.random() < 0.3:
            del labels[self._random.choice(list(labels))]
        return labels

    def _namespace(self, name: str) -> Manifest:
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": self._labels()}}

    def _pod(self, namespace: str, index: int) -> Manifest:
        listed = self._random.sample(PORTS, self._random.randint(0, 3))
        if self._alike:
            listed = ALIKE
        ports: list[dict[str, Any]] = [{"containerPort": port, "protocol": protocol} for port, protocol in listed]
        for name, port in zip(_NAMES, ports, strict=False):
            if self._alike or self._random.random() < 0.7:
                port["name"] = name
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"pod{index}", "namespace": namespace, "labels": self._labels()},
            "spec": {"containers": [{"name": "c", "image": "i", "ports": ports}]},
            "status": {"podIP": f"10.0.{self._random.randint(0, 1)}.{index + 1}"},
        }

    def _selector(self) -> dict[str, Any]:
        made, selector = self._random, dict[str, Any]()
        if made.random() < 0.5:
            selector["matchLabels"] = {made.choice(["app", "tier"]): made.choice("xyz")}
        if made.random() < 0.35:
            operator = made.choice(["In", "Exists", "NotIn", "DoesNotExist"])
            one: dict[str, Any] = {"key": made.choice(["app", "tier"]), "operator": operator}
            if one["operator"] in ("In", "NotIn"):
                one["values"] = made.sample("xyz", made.randint(1, 2))
            selector["matchExpressions"] = [one]
        return selector

    def _policy(self, namespace: str, index: int) -> Manifest:
        types = self._random.choice([["Ingress"], ["Egress"], ["Ingress", "Egress"]])
        spec: dict[str, Any] = {"podSelector": self._selector(), "policyTypes": types}
        for way, field in (("Ingress", "from"), ("Egress", "to")):
            if way in types:
                spec[way.lower()] = [self._rule(field) for _ in range(self._random.randint(0, 2))]
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"np{index}", "namespace": namespace},
            "spec": spec,
        }

    def _rule(self, field: str) -> dict[str, Any]:
        rule: dict[str, Any] = {}
        if self._random.random() < 0.8:
            rule[field] = [self._peer() for _ in range(self._random.randint(1, 2))]
        if self._random.random() < 0.5:
            rule["ports"] = [self._port() for _ in range(self._random.randint(1, 2))]
        return rule

    def _peer(self) -> dict[str, Any]:
        made = self._random
        if made.random() < 0.25:
            block: dict[str, Any] = {"cidr": made.choice(["10.0.0.0/24", "10.0.0.0/16", "0.0.0.0/0", "10.0.1.0/29"])}
            if block["cidr"] == "10.0.0.0/16" and made.random() < 0.5:
                block["except"] = [made.choice(["10.0.1.0/24", "10.0.0.0/30"])]
            return {"ipBlock": block}
        kinds = made.choice([["podSelector"], ["namespaceSelector"], ["podSelector", "namespaceSelector"]])
        return {kind: self._selector() for kind in kinds}

    def _port(self) -> dict[str, Any]:
        made = self._random
        number, protocol = made.choice(PORTS)
        port: dict[str, Any] = {"protocol": protocol}
        kind = made.random()
        if kind < 0.5:
            port["port"] = number
        elif kind < 0.7:
            port |= {"port": 80, "endPort": made.choice([80, 81, 443])}
        elif kind < 0.85:
            port["port"] = made.choice(_NAMES)
        return port

    def _namespaced(self) -> dict[str, Any]:
        if self._random.random() < 0.5:
            return {"namespaces": self._selector()}
        return {"pods": {"namespaceSelector": self._selector(), "podSelector": self._selector()}}

    def _cluster_policy(self, index: int) -> Manifest:
        made = self._random
        spec: dict[str, Any] = {
            "tier": made.choice(["Admin", "Baseline"]),
            "priority": made.randint(0, 3),
            "subject": self._namespaced(),
        }
        for way, field in (("ingress", "from"), ("egress", "to")):
            spec[way] = [self._cluster_rule(field) for _ in range(made.randint(0, 2))]
        return {
            "apiVersion": "policy.networking.k8s.io/v1alpha2",
            "kind": "ClusterNetworkPolicy",
            "metadata": {"name": f"cnp{index}"},
            "spec": spec,
        }

    def _cluster_rule(self, field: str) -> dict[str, Any]:
        made = self._random
        peers = [self._namespaced() for _ in range(made.randint(1, 2))]
        if field == "to" and made.random() < 0.3:
            peers.append({"networks": ["10.0.0.0/24"]})
        rule: dict[str, Any] = {"action": made.choice(["Accept", "Deny", "Pass"]), field: peers}
        if made.random() < 0.4:
            rule["protocols"] = [self._protocol() for _ in range(made.randint(1, 2))]
        return rule

    def _protocol(self) -> dict[str, Any]:
        made = self._random
        number, protocol = made.choice(PORTS)
        kind = made.random()
        if kind < 0.2:
            return {"destinationNamedPort": made.choice(_NAMES)}
        if kind < 0.4:
            return {protocol.lower(): {}}
        if kind < 0.6:
            return {protocol.lower(): {"destinationPort": {"range": {"start": 80, "end": made.choice([81, 443])}}}}
        return {protocol.lower(): {"destinationPort": {"number": number}}}
