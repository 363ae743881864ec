"""Doors that a network policy opens to every other tenant, in the grammars of Kubernetes, Cilium and Calico."""

from typing import Any

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import kube, network_policy
from tests.support.policy import UNKNOWN, Resource, violations

CALICO = "projectcalico.org/v3"
POD_NAMESPACE = "k8s:io.kubernetes.pod.namespace"
NAME = "kubernetes.io/metadata.name"
PORTS = [{"ports": [{"port": "5432", "protocol": "TCP"}]}]
DNS_PORT = [{"port": 53, "protocol": "UDP"}]


def said(resource: Resource, **config: Any) -> list[str]:
    found = violations(ENGINE_POLICIES, [resource], {"tenancy-isolation": config} if config else None)
    return [violation.message for violation in found if violation.policy == "tenancy-isolation"]


def cilium(**spec: Any) -> Resource:
    return kube("cilium.io/v2", "CiliumNetworkPolicy", "p", "agency", spec={"endpointSelector": {}, **spec})


def clusterwide(**spec: Any) -> Resource:
    return kube("cilium.io/v2", "CiliumClusterwideNetworkPolicy", "p", spec=spec)


def calico(namespace: str = "agency", **spec: Any) -> Resource:
    return kube(CALICO, "NetworkPolicy", "p", namespace, spec={"selector": "all()", **spec})


def exists(key: str, operator: str = "Exists", **more: Any) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, **more}]}


def blocks(*cidrs: str, excepted: Any = ()) -> list[dict[str, Any]]:
    return [{"from": [{"ipBlock": {"cidr": cidr, **({"except": excepted} if excepted else {})}} for cidr in cidrs]}]


TWO = {"specs": [{"endpointSelector": {}, "ingress": [{"fromEntities": ["all"]}]}]}

DOORS: list[tuple[str, Resource, str]] = [
    ("ports of Cilium's", cilium(ingress=[{"toPorts": PORTS}]), "its ingress has a rule on ports without `from…`"),
    (
        "ports beside no peer",
        cilium(ingress=[{"toPorts": PORTS, "fromEndpoints": []}]),
        "its ingress has a rule on ports without `from…`",
    ),
    ("specs", kube("cilium.io/v2", "CiliumNetworkPolicy", "p", "agency", **TWO), "its ingress has fromEntities: all"),
    ("every endpoint", cilium(ingress=[{"fromEndpoints": [exists(POD_NAMESPACE)]}]), "names every namespace there is"),
    (
        "every endpoint of some label",
        cilium(ingress=[{"fromEndpoints": [{**exists(POD_NAMESPACE), "matchLabels": {"app": "web"}}]}]),
        "names every namespace there is",
    ),
    (
        "every named namespace of Cilium's",
        cilium(ingress=[{"fromEndpoints": [exists(f"k8s:io.cilium.k8s.namespace.labels.{NAME}")]}]),
        "names every namespace there is",
    ),
    ("every endpoint out", cilium(egress=[{"toEndpoints": [exists(POD_NAMESPACE)]}]), "its egress names every"),
    (
        "every named namespace",
        network_policy(ingress=[{"from": [{"namespaceSelector": exists(NAME)}]}]),
        "its ingress names every namespace there is",
    ),
    (
        "every tenant",
        network_policy(ingress=[{"from": [{"namespaceSelector": exists("vds-platform.no/tenant")}]}]),
        "its ingress names every namespace there is",
    ),
    (
        "every namespace but one",
        network_policy(ingress=[{"from": [{"namespaceSelector": exists(NAME, "NotIn", values=["butikk"])}]}]),
        "its ingress names every namespace but those after NotIn",
    ),
    ("everywhere", network_policy(ingress=blocks("0.0.0.0/0")), "its ingress has ipBlock 0.0.0.0/0: every address"),
    ("everywhere of IPv6", network_policy(ingress=blocks("::/0")), "its ingress has ipBlock ::/0: every address"),
    (
        "everywhere in two parts",
        network_policy(ingress=blocks("0.0.0.0/1", "128.0.0.0/1")),
        "its ingress has ipBlock 0.0.0.0/1 and 128.0.0.0/1: every address",
    ),
    (
        "everywhere in two rules",
        network_policy(ingress=blocks("0.0.0.0/1") + blocks("128.0.0.0/1")),
        "its ingress has ipBlock 0.0.0.0/1 and 128.0.0.0/1: every address",
    ),
    ("but for nobody", network_policy(ingress=blocks("0.0.0.0/0", excepted=["192.0.2.1/32"])), "every address"),
    ("but for one of us", network_policy(ingress=blocks("0.0.0.0/0", excepted=["10.0.0.1/32"])), "every address"),
    ("clusterwide", clusterwide(endpointSelector={}, ingress=[{"fromEntities": ["all"]}]), "fromEntities: all"),
    (
        "clusterwide of a tenant's",
        clusterwide(endpointSelector={"matchLabels": {POD_NAMESPACE: "agency"}}, ingress=[{"toPorts": PORTS}]),
        "CiliumClusterwideNetworkPolicy p: its ingress has a rule on ports",
    ),
    (
        "clusterwide from every pod",
        clusterwide(endpointSelector={}, ingress=[{"fromEndpoints": [{}]}]),
        "its ingress names every namespace there is",
    ),
    ("calico", calico(ingress=[{"action": "Allow"}]), "its ingress has a rule without `source`, so it lets everybody"),
    (
        "calico on a port",
        calico(ingress=[{"action": "Allow", "protocol": "TCP", "destination": {"ports": [5432]}}]),
        "its ingress has a rule without `source`",
    ),
    ("calico out", calico(egress=[{"action": "Allow"}]), "its egress has a rule without `destination`"),
    ("calico's selector", calico(ingress=[{"action": "Allow", "source": {"namespaceSelector": "all()"}}]), "names ev"),
    ("calico's nets", calico(ingress=[{"action": "Allow", "source": {"nets": ["0.0.0.0/0"]}}]), "every address"),
    (
        "Kubernetes' ports without a number",
        network_policy(egress=[{"to": [{"namespaceSelector": {}}], "ports": [{"protocol": "TCP"}]}]),
        "its egress names every namespace",
    ),
]


BORROWED: list[tuple[str, Resource]] = [
    ("calico's types", network_policy(types=["Egress"], ingress=[{}])),
    ("no list of types", network_policy(policyTypes="Egress", ingress=[{}])),
    ("Kubernetes' types", cilium(policyTypes=["Egress"], ingress=[{"toPorts": PORTS}])),
    ("calico's action", network_policy(ingress=[{"action": "Deny", **blocks("0.0.0.0/0")[0]}])),
    ("calico's ports", network_policy(egress=[{"destination": {"ports": [53]}}])),
    ("Cilium's ports", network_policy(egress=[{"toPorts": PORTS}])),
    ("Kubernetes' ports", cilium(egress=[{"toEntities": ["all"], "ports": DNS_PORT}])),
]


@pytest.mark.parametrize("resource", [one[1] for one in BORROWED], ids=[one[0] for one in BORROWED])
def test_a_word_of_another_grammar_closes_no_door(resource: Resource) -> None:
    assert len(said(resource)) == 1


@pytest.mark.parametrize(("resource", "message"), [door[1:] for door in DOORS], ids=[door[0] for door in DOORS])
def test_a_door_for_everybody_is_found_in_every_grammar(resource: Resource, message: str) -> None:
    [found] = said(resource)
    assert message in found
    assert "name who may call and who is called" in found


KEPT: list[tuple[str, Resource]] = [
    ("a named caller on ports", cilium(ingress=[{"toPorts": PORTS, "fromEndpoints": [{"matchLabels": {"a": "b"}}]}])),
    ("the gateway", cilium(ingress=[{"fromEntities": ["ingress"], "toPorts": PORTS}])),
    ("Cilium's own namespace", cilium(ingress=[{"fromEndpoints": [{}]}], egress=[{"toEndpoints": [{}]}])),
    ("a labelled namespace", cilium(ingress=[{"fromEndpoints": [exists("k8s:io.cilium.k8s.namespace.labels.ops")]}])),
    ("a host", cilium(ingress=[{"fromEndpoints": [exists("reserved:host")]}])),
    ("no rule", cilium(ingress=[{}], egress=[{}])),
    (
        "a namespace in a list",
        network_policy(ingress=[{"from": [{"namespaceSelector": exists(NAME, "In", values=["a"])}]}]),
    ),
    (
        "a label beside the name",
        network_policy(ingress=[{"from": [{"namespaceSelector": {**exists(NAME), "matchLabels": {"ops": "yes"}}}]}]),
    ),
    ("half of everywhere", network_policy(ingress=blocks("128.0.0.0/1"))),
    ("but for private networks", network_policy(ingress=blocks("0.0.0.0/0", excepted=["10.0.0.0/8"]))),
    ("but for the pods' network", network_policy(ingress=blocks("0.0.0.0/0", excepted=["10.244.0.0/16"]))),
    ("but for the pods' network of IPv6", network_policy(ingress=blocks("::/0", excepted=["2001:db8:42::/56"]))),
    ("a side that is left out", network_policy(policyTypes=["Egress"], ingress=[{}])),
    ("the other side that is left out", network_policy(policyTypes=["Ingress"], egress=[{}])),
    ("a host policy", clusterwide(nodeSelector={}, ingress=[{"toPorts": PORTS}])),
    (
        "the platform's own pods",
        clusterwide(
            endpointSelector={"matchLabels": {POD_NAMESPACE: "kube-system"}}, ingress=[{"fromEntities": ["all"]}]
        ),
    ),
    (
        "Cilium's gateway itself",
        clusterwide(endpointSelector=exists("reserved:ingress"), egress=[{"toEntities": ["cluster"]}]),
    ),
    ("calico's refusal", calico(ingress=[{"action": "Deny"}], egress=[{"action": "Deny"}])),
    ("calico's named caller", calico(ingress=[{"action": "Allow", "source": {"selector": "app == 'web'"}}])),
    ("calico's own namespace", calico(ingress=[{"action": "Allow", "source": {"selector": "all()"}}])),
    ("calico's types", calico(types=["Egress"], ingress=[{"action": "Allow"}])),
    (
        "calico's nets but ours",
        calico(ingress=[{"action": "Allow", "source": {"nets": ["0.0.0.0/0"], "notNets": ["10.0.0.0/8"]}}]),
    ),
    ("calico of the platform's own", calico("kube-system", ingress=[{"action": "Allow"}])),
    ("unknown ports of a named peer", network_policy(egress=[{"to": [{"podSelector": {}}], "ports": UNKNOWN}])),
]


@pytest.mark.parametrize("resource", [kept[1] for kept in KEPT], ids=[kept[0] for kept in KEPT])
def test_a_policy_that_names_its_peers_keeps_the_rule(resource: Resource) -> None:
    assert said(resource) == []


def test_a_rule_for_names_is_judged_no_harder_for_being_narrower() -> None:
    for rule in (
        {"ports": DNS_PORT},
        {"ports": DNS_PORT, "to": [{"namespaceSelector": {}}]},
        {"ports": DNS_PORT, "to": [{"namespaceSelector": exists(NAME)}]},
    ):
        assert said(network_policy(egress=[rule])) == []
    for narrower in ({"toPorts": PORTS}, {"toPorts": PORTS, "toEntities": ["cluster"]}):
        assert said(cilium(egress=[narrower])) == []
    [message] = said(network_policy(egress=[{}]))
    assert f"for DNS: namespaceSelector {NAME}: kube-system, podSelector k8s-app: kube-dns, port 53" in message
    [message] = said(network_policy(ingress=[{}]))
    assert "from the gateway: its namespace, or fromEntities: [ingress] with Cilium's" in message


def test_a_clusterwide_policy_of_a_namespace_that_is_declared_the_platform_s_opens_nobody_s() -> None:
    monitoring = clusterwide(
        endpointSelector={"matchLabels": {POD_NAMESPACE: "monitoring"}}, ingress=[{"fromEntities": ["cluster"]}]
    )
    assert len(said(monitoring)) == 1
    assert said(monitoring, platformNamespaces=["monitoring"]) == []


def test_what_a_door_hangs_on_and_nobody_knows_is_undecided() -> None:
    for resource in (
        cilium(ingress=[{"fromEndpoints": UNKNOWN}]),
        kube("cilium.io/v2", "CiliumNetworkPolicy", "p", "agency", specs=UNKNOWN),
        network_policy(ingress=[{}], policyTypes=UNKNOWN),
        calico(ingress=[{"action": UNKNOWN}]),
    ):
        [message] = said(resource)
        assert "cannot be decided at preview" in message
