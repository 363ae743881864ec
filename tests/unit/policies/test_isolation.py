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


LEVEL = "pod-security.kubernetes.io/enforce"
ANYWHERE: dict[str, Any] = {"namespaceSelector": {}}


def labelled(**labels: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": labels}}


def named(namespace: str) -> dict[str, Any]:
    return labelled(**{NAME: namespace})


def to_blocks(*cidrs: str) -> dict[str, Any]:
    return {"to": blocks(*cidrs)[0]["from"]}


def admin(kind: str = "AdminNetworkPolicy", **spec: Any) -> Resource:
    """A policy of network-policy-api, about every namespace unless it says otherwise."""
    version = "v1alpha2" if kind == "ClusterNetworkPolicy" else "v1alpha1"
    body = {"priority": 10, "subject": {"namespaces": {}}, **spec}
    return kube(f"policy.networking.k8s.io/{version}", kind, "p", spec=body)


def calico_global(api: str = CALICO, **spec: Any) -> Resource:
    return kube(api, "GlobalNetworkPolicy", "p", spec={"order": 1, **spec})


def redirect(**frontend: Any) -> Resource:
    return kube("cilium.io/v2", "CiliumLocalRedirectPolicy", "p", "agency", spec={"redirectFrontend": frontend})


def calico_source(expression: str, **more: Any) -> Resource:
    return calico(ingress=[{"action": "Allow", "source": {"namespaceSelector": expression, **more}}])


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
    ("networks that hold the pods", network_policy(ingress=blocks("10.0.0.0/8")), "ipBlock 10.0.0.0/8, which may hold"),
    ("the pods' network", network_policy(ingress=blocks("10.244.0.0/16")), "ipBlock 10.244.0.0/16, which may hold"),
    (
        "the pods' network in halves",
        network_policy(ingress=blocks("10.244.0.0/17") + blocks("10.244.128.0/17")),
        "ipBlock 10.244.0.0/17 and 10.244.128.0/17, which may hold",
    ),
    ("lower half", network_policy(ingress=blocks("0.0.0.0/1")), "ipBlock 0.0.0.0/1, which may hold the pods"),
    ("upper half", network_policy(ingress=blocks("128.0.0.0/1")), "ipBlock 128.0.0.0/1, which may hold the pods"),
    (
        "addresses of providers",
        network_policy(ingress=blocks("100.64.0.0/10")),
        "100.64.0.0/10, which may hold the pods",
    ),
    ("private IPv6", network_policy(ingress=blocks("fd00::/48")), "ipBlock fd00::/48, which may hold the pods"),
    ("half of IPv6", network_policy(ingress=blocks("8000::/1")), "ipBlock 8000::/1, which may hold the pods"),
    ("networks out", network_policy(egress=[to_blocks("10.0.0.0/8")]), "its egress has ipBlock 10.0.0.0/8"),
    (
        "everywhere out",
        network_policy(egress=[to_blocks("0.0.0.0/0")]),
        "its egress has ipBlock 0.0.0.0/0: every address",
    ),
    (
        "a label that no namespace has",
        network_policy(ingress=[{"from": [{"namespaceSelector": exists("restricted-zone", "DoesNotExist")}]}]),
        "its ingress names every namespace without the label restricted-zone",
    ),
    (
        "a label that no namespace has with such a value",
        network_policy(ingress=[{"from": [{"namespaceSelector": exists("zone", "NotIn", values=["x"])}]}]),
        "every namespace but those after NotIn",
    ),
    (
        "Pod Security label",
        network_policy(ingress=[{"from": [labelled(**{LEVEL: "restricted"})]}]),
        "every namespace there",
    ),
    (
        "Pod Security in a list",
        network_policy(
            ingress=[{"from": [{"namespaceSelector": exists(LEVEL, "In", values=["restricted", "baseline"])}]}]
        ),
        "every namespace there is",
    ),
    (
        "label of the bundle",
        network_policy(ingress=[{"from": [labelled(**{"app.kubernetes.io/managed-by": "vds-platform"})]}]),
        "its ingress names every namespace there is",
    ),
    (
        "another tenant by name",
        network_policy(ingress=[{"from": [named("butikk")]}]),
        "the namespace butikk of another",
    ),
    (
        "another tenant by label",
        network_policy(ingress=[{"from": [labelled(**{"vds-platform.no/tenant": "butikk"})]}]),
        "the namespace butikk of another tenant",
    ),
    (
        "another tenant in a list",
        network_policy(
            ingress=[{"from": [{"namespaceSelector": exists(NAME, "In", values=["kube-system", "butikk"])}]}]
        ),
        "the namespace butikk of another tenant",
    ),
    (
        "Cilium's other tenant",
        cilium(ingress=[{"fromEndpoints": [{"matchLabels": {POD_NAMESPACE: "butikk", "app": "web"}}]}]),
        "the namespace butikk of another tenant",
    ),
    (
        "Cilium's label that no namespace has",
        cilium(ingress=[{"fromEndpoints": [exists("k8s:io.cilium.k8s.namespace.labels.zone", "DoesNotExist")]}]),
        "every namespace without the label zone",
    ),
    (
        "a Service of another tenant",
        cilium(egress=[{"toServices": [{"k8sService": {"serviceName": "store", "namespace": "butikk"}}]}]),
        "its egress has toServices of the namespace butikk of another tenant",
    ),
    (
        "Services of another tenant by labels",
        cilium(
            egress=[{"toServices": [{"k8sServiceSelector": {"selector": {}, "namespace": "butikk"}}], "toPorts": PORTS}]
        ),
        "its egress has toServices of the namespace butikk of another tenant",
    ),
    (
        "all ports as a range",
        network_policy(egress=[{"to": [ANYWHERE], "ports": [{"protocol": "TCP", "port": 1, "endPort": 65535}]}]),
        "its egress names every namespace there is",
    ),
    (
        "all ports as two ranges",
        network_policy(
            egress=[{"to": [ANYWHERE], "ports": [{"port": 1, "endPort": 30000}, {"port": 30001, "endPort": 65535}]}]
        ),
        "its egress names every namespace there is",
    ),
    (
        "all ports of Cilium's as a range",
        cilium(egress=[{"toEntities": ["cluster"], "toPorts": [{"ports": [{"port": "1", "endPort": 65535}]}]}]),
        "its egress has toEntities: cluster",
    ),
    (
        "port 0 of Cilium's",
        cilium(egress=[{"toEntities": ["cluster"], "toPorts": [{"ports": [{"port": "0"}]}]}]),
        "its egress has toEntities: cluster",
    ),
    (
        "all ports of Calico's as a range",
        calico(egress=[{"action": "Allow", "destination": {"namespaceSelector": "all()", "ports": ["1:65535"]}}]),
        "its egress names every namespace there is",
    ),
    (
        "old API",
        kube("extensions/v1beta1", "NetworkPolicy", "p", "agency", spec={"podSelector": {}, "ingress": [{}]}),
        "its ingress has a rule without `from`",
    ),
    (
        "a patch that opens",
        kube(
            "networking.k8s.io/v1", "NetworkPolicy", "deny", "agency", spec={"egress": [to_blocks("10.0.0.0/8")]}
        )._replace(type="kubernetes:networking.k8s.io/v1:NetworkPolicyPatch"),
        "its egress has ipBlock 10.0.0.0/8",
    ),
    (
        "AdminNetworkPolicy",
        admin(ingress=[{"name": "all", "action": "Allow", "from": [{"namespaces": {}}]}]),
        "AdminNetworkPolicy p: its ingress names every namespace there is",
    ),
    (
        "AdminNetworkPolicy of pods",
        admin(
            subject={"pods": {"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {}}},
            ingress=[{"action": "Allow", "from": [{"pods": {"namespaceSelector": {}, "podSelector": {}}}]}],
        ),
        "its ingress names every namespace there is",
    ),
    (
        "AdminNetworkPolicy out to every port",
        admin(
            egress=[
                {"action": "Allow", "to": [{"namespaces": {}}], "ports": [{"portRange": {"start": 1, "end": 65535}}]}
            ]
        ),
        "its egress names every namespace there is",
    ),
    (
        "AdminNetworkPolicy out to networks",
        admin(egress=[{"action": "Allow", "to": [{"networks": ["10.0.0.0/8"]}]}]),
        "its egress has ipBlock 10.0.0.0/8",
    ),
    (
        "ClusterNetworkPolicy",
        admin("ClusterNetworkPolicy", tier="Admin", ingress=[{"action": "Accept", "from": [{"namespaces": {}}]}]),
        "ClusterNetworkPolicy p: its ingress names every namespace there is",
    ),
    (
        "Calico, cluster-wide",
        calico_global(selector="all()", types=["Ingress"], ingress=[{"action": "Allow"}]),
        "GlobalNetworkPolicy p: its ingress has a rule without `source`",
    ),
    (
        "Calico, cluster-wide, as a CRD",
        calico_global("crd.projectcalico.org/v1", ingress=[{"action": "Allow", "source": {"selector": "all()"}}]),
        "its ingress names every namespace there is",
    ),
    (
        "Calico, cluster-wide, out to networks",
        calico_global(egress=[{"action": "Allow", "destination": {"nets": ["10.0.0.0/8"]}}]),
        "its egress has ipBlock 10.0.0.0/8",
    ),
    ("calico's other tenant", calico_source("projectcalico.org/name == 'butikk'"), "the namespace butikk of another"),
    (
        "calico's other tenant with a pod",
        calico_source("kubernetes.io/metadata.name in {'kube-system','butikk'}", selector="app == 'web'"),
        "the namespace butikk of another tenant",
    ),
    ("calico's missing label", calico_source("!has(zone)"), "every namespace without the label zone"),
    ("calico's other value", calico_source('zone != "x"'), "every namespace but those after NotIn"),
    ("calico's other values", calico_source("zone not in {'x', 'y'}"), "every namespace but those after NotIn"),
    ("calico's either", calico_source("zone == 'x' || has(projectcalico.org/name)"), "every namespace there is"),
    ("calico's neither", calico_source("!(zone == 'x' || has(a))"), "every namespace"),
    (
        "a redirect",
        redirect(addressMatcher={"ip": "169.254.169.254"}),
        "takes the traffic of its nodes' pods for 169.254",
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
    assert "name who may call and who is called" in found or "write serviceMatcher" in found


KEPT: list[tuple[str, Resource]] = [
    ("a named caller on ports", cilium(ingress=[{"toPorts": PORTS, "fromEndpoints": [{"matchLabels": {"a": "b"}}]}])),
    ("the gateway", cilium(ingress=[{"fromEntities": ["ingress"], "toPorts": PORTS}])),
    ("Cilium's own namespace", cilium(ingress=[{"fromEndpoints": [{}]}], egress=[{"toEndpoints": [{}]}])),
    ("a labelled namespace", cilium(ingress=[{"fromEndpoints": [exists("k8s:io.cilium.k8s.namespace.labels.ops")]}])),
    ("a host", cilium(ingress=[{"fromEndpoints": [exists("reserved:host")]}])),
    ("no rule", cilium(ingress=[{}], egress=[{}])),
    (
        "a namespace of the platform in a list",
        network_policy(ingress=[{"from": [{"namespaceSelector": exists(NAME, "In", values=["kube-system"])}]}]),
    ),
    ("its own namespace by name", network_policy(ingress=[{"from": [named("agency")]}])),
    ("another tenant on a named port", network_policy(egress=[{"to": [named("butikk")], "ports": DNS_PORT}])),
    ("an office", network_policy(ingress=blocks("10.20.30.0/24", "203.0.113.0/24", "2001:db8:1::/48"))),
    ("a network out on named ports", network_policy(egress=[{**to_blocks("10.0.0.0/8"), "ports": DNS_PORT}])),
    ("a small range of ports", network_policy(egress=[{"to": [ANYWHERE], "ports": [{"port": 9000, "endPort": 9100}]}])),
    ("another level of Pod Security", network_policy(ingress=[{"from": [labelled(**{LEVEL: "privileged"})]}])),
    (
        "a Service of its own",
        cilium(egress=[{"toServices": [{"k8sService": {"serviceName": "a", "namespace": "agency"}}]}]),
    ),
    ("a Service of its own by labels", cilium(egress=[{"toServices": [{"k8sServiceSelector": {"selector": {}}}]}])),
    (
        "Cilium's namespace of its own",
        cilium(ingress=[{"fromEndpoints": [{"matchLabels": {POD_NAMESPACE: "agency"}}]}]),
    ),
    ("a redirect of its own Service", redirect(serviceMatcher={"serviceName": "dns", "namespace": "agency"})),
    ("a refusal of everybody", admin(ingress=[{"action": "Deny", "from": [{"namespaces": {}}]}])),
    (
        "what a baseline allows",
        admin("BaselineAdminNetworkPolicy", ingress=[{"action": "Allow", "from": [{"namespaces": {}}]}]),
    ),
    (
        "names for everybody",
        admin(egress=[{"action": "Allow", "to": [{"namespaces": {}}], "ports": [{"portNumber": {"port": 53}}]}]),
    ),
    (
        "the platform's monitoring",
        admin(ingress=[{"action": "Allow", "from": [{"namespaces": {"matchLabels": {NAME: "kube-system"}}}]}]),
    ),
    (
        "a policy about the platform's own",
        admin(
            subject={"namespaces": {"matchLabels": {NAME: "kube-system"}}},
            ingress=[{"action": "Allow", "from": [{"namespaces": {}}]}],
        ),
    ),
    ("a global policy that refuses", calico_global(ingress=[{"action": "Deny"}], egress=[{"action": "Deny"}])),
    (
        "a global policy about the platform's own",
        calico_global(namespaceSelector="projectcalico.org/name == 'kube-system'", ingress=[{"action": "Allow"}]),
    ),
    (
        "a global policy about two of the platform's own",
        calico_global(
            selector="projectcalico.org/namespace in {'kube-system', 'cert-manager'}", ingress=[{"action": "Allow"}]
        ),
    ),
    (
        "a global policy that lets hosts in",
        calico_global(ingress=[{"action": "Allow", "source": {"namespaceSelector": "global()"}}]),
    ),
    (
        "a label beside the name",
        network_policy(ingress=[{"from": [{"namespaceSelector": {**exists(NAME), "matchLabels": {"ops": "yes"}}}]}]),
    ),
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


def test_the_pods_networks_may_be_said() -> None:
    office, pods = network_policy(ingress=blocks("10.20.0.0/16")), {"podNetworks": ["10.244.0.0/16"]}
    assert len(said(office)) == 1
    assert said(office, **pods) == []
    for held in (
        blocks("10.0.0.0/8"),
        blocks("10.244.7.0/24"),
        blocks("10.0.0.0/8", excepted=["10.20.0.0/16"]),
        blocks("0.0.0.0/0", excepted=["10.244.0.0/17"]),
    ):
        [message] = said(network_policy(ingress=held), **pods)
        assert "where the pods of every tenant are (leave them out by `except`)" in message
    assert said(network_policy(ingress=blocks("0.0.0.0/0", excepted=["10.244.0.0/16"])), **pods) == []


def test_what_is_no_selector_of_calico_s_is_named_with_its_field() -> None:
    for expression in ("name ==", "(has(a)", "a b", "in {'a'}", "zone == 'x' &&", "#"):
        [message] = said(calico_source(expression))
        assert "ingress.0.source.namespaceSelector is no selector of Calico's: correct the field" in message
