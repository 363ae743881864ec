"""Where network policies let bytes go, in the grammars of Kubernetes, Cilium and Calico."""

from typing import Any

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import PLACE, kube
from tests.support.policy import UNKNOWN, Resource, violations

CALICO = "projectcalico.org/v3"


def said(resource: Resource) -> list[str]:
    found = violations(ENGINE_POLICIES, [resource], {"residency-destinations": {"places": [PLACE]}})
    return [violation.message for violation in found if violation.policy == "residency-destinations"]


def kubernetes(**spec: Any) -> Resource:
    return kube("networking.k8s.io/v1", "NetworkPolicy", "out", "a", spec=spec)


def cilium(kind: str = "CiliumNetworkPolicy", **spec: Any) -> Resource:
    return kube("cilium.io/v2", kind, "out", "a", spec=spec)


def calico(*rules: Any, kind: str = "NetworkPolicy", **spec: Any) -> Resource:
    return kube(CALICO, kind, "out", "a", spec={"selector": "all()", "egress": list(rules), **spec})


def allow(**destination: Any) -> dict[str, Any]:
    return {"action": "Allow", "destination": destination}


def admin(*rules: Any, kind: str = "AdminNetworkPolicy") -> Resource:
    spec = {"priority": 1, "subject": {"namespaces": {}}, "egress": list(rules)}
    return kube("policy.networking.k8s.io/v1alpha1", kind, "out", spec=spec)


def named(pattern: str) -> Resource:
    return cilium(egress=[{"toFQDNs": [{"matchPattern": pattern}]}])


def listed(kind: str, *items: Any) -> Resource:
    return Resource(f"kubernetes:networking.k8s.io/v1:{kind}List", {"items": list(items)}, "all")


OPEN = [{"to": [{"ipBlock": {"cidr": "8.8.8.8/32"}}]}]

INWARD: list[tuple[str, Resource]] = [
    ("deny everything", calico({"action": "Deny"})),
    ("deny of everybody", calico({"action": "Deny"}, kind="GlobalNetworkPolicy")),
    ("deny one network", calico({"action": "Deny", "destination": {"nets": ["8.8.8.0/24"]}})),
    ("deny an unknown one", calico({"action": "Deny", "destination": {"nets": UNKNOWN}})),
    ("pass on", calico({"action": "Pass"}, {"action": "Log"})),
    ("pods by a selector", calico(allow(selector="app == 'db'", ports=[5432]))),
    ("a namespace", calico(allow(namespaceSelector="has(a)"))),
    ("private networks", calico(allow(nets=["10.0.0.0/8", "192.168.1.0/24"]))),
    ("calico's types", calico({"action": "Allow"}, types=["Ingress"])),
    ("not enforced", calico({"action": "Allow"}, kind="StagedNetworkPolicy")),
    ("Cilium's host policy", cilium("CiliumClusterwideNetworkPolicy", nodeSelector={}, egress=[{}])),
    ("Cilium's empty rule", cilium(endpointSelector={}, egress=[{}])),
    ("Cilium's refusal", cilium(endpointSelector={}, egressDeny=[{"toCIDR": ["8.8.8.0/24"]}])),
    ("a side that is left out", kubernetes(policyTypes=["Ingress"], egress=[{}])),
    ("a network of a side that is left out", kubernetes(policyTypes=["Ingress"], egress=OPEN)),
    ("ingress alone", kubernetes(ingress=[{"from": [{"ipBlock": {"cidr": "8.8.8.0/24"}}]}])),
    ("admin's refusal", admin({"action": "Deny", "to": [{"networks": ["8.8.8.0/24"]}]}, {"action": "Pass"})),
    ("admin's namespaces", admin({"action": "Allow", "to": [{"namespaces": {}}, {"pods": {}}, {"nodes": {}}]})),
    ("private networks of admin's", admin({"action": "Allow", "to": [{"networks": ["10.0.0.0/8"]}]})),
    ("Cilium's Services", cilium(egress=[{"toServices": [{"k8sService": {"serviceName": "db"}}]}])),
    ("names of the cluster", cilium(egress=[{"toFQDNs": [{"matchPattern": "*.svc.cluster.local"}]}])),
    ("a private group", kube("cilium.io/v2", "CiliumCIDRGroup", "g", spec={"externalCIDRs": ["10.0.0.0/8"]})),
    ("Multus", kube("k8s.cni.cncf.io/v1beta1", "MultiNetworkPolicy", "out", "a", spec={"egress": []})),
]


@pytest.mark.parametrize("resource", [one[1] for one in INWARD], ids=[one[0] for one in INWARD])
def test_a_policy_that_lets_nobody_out_needs_no_place(resource: Resource) -> None:
    assert said(resource) == []


OUTWARD: list[tuple[str, Resource, str]] = [
    ("calico", calico({"action": "Allow"}), "spec.egress.0: bytes go to 0.0.0.0/0 (egress)"),
    ("calico's global", calico({"action": "Allow"}, kind="GlobalNetworkPolicy"), "bytes go to 0.0.0.0/0"),
    ("calico on a port", calico({"action": "Deny"}, allow(ports=[443])), "spec.egress.1: bytes go to 0.0.0.0/0"),
    ("calico but one", calico(allow(notNets=["10.0.0.0/8"])), "spec.egress.0: bytes go to 0.0.0.0/0"),
    ("nets", calico(allow(nets=["8.8.8.0/24"])), "spec.egress.0.destination.nets: bytes go to 8.8.8.0/24"),
    ("all nets", calico(allow(nets=["0.0.0.0/0"])), "destination.nets: bytes go to 0.0.0.0/0"),
    ("domains", calico(allow(domains=["api.example.com"])), "destination.domains: bytes go to api.example.com"),
    ("unknown nets", calico(allow(nets=UNKNOWN)), "spec.egress.0.destination.nets: cannot be decided"),
    ("unknown peer", calico({"action": "Allow", "destination": UNKNOWN}), "egress.0.destination: cannot be decided"),
    ("unknown action", calico({"action": UNKNOWN}), "spec.egress.0: cannot be decided"),
    ("Cilium's ports", cilium(nodeSelector={}, egress=[{"toPorts": [{}]}]), "spec.egress.0: bytes go to 0.0.0.0/0"),
    (
        "the world of IPv6",
        cilium(egress=[{"toEntities": ["world-ipv6"]}]),
        "egress.0.toEntities: bytes go to 0.0.0.0/0",
    ),
    ("half of everywhere", kubernetes(egress=[{"to": [{"ipBlock": {"cidr": "0.0.0.0/1"}}]}]), "go to 0.0.0.0/1"),
    ("more than private", kubernetes(egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/7"}}]}]), "go to 10.0.0.0/7"),
    ("calico's refusal in Kubernetes' words", kubernetes(egress=[{"action": "Deny"}]), "bytes go to 0.0.0.0/0"),
    ("calico's types in Kubernetes' words", kubernetes(types=["Ingress"], egress=[{}]), "bytes go to 0.0.0.0/0"),
    ("a pattern in a name", named("s3.*.amazonaws.com"), "bytes go to s3.*.amazonaws.com (egress)"),
    ("a pattern before a name", named("api-*.openai.com"), "bytes go to api-*.openai.com (egress)"),
    ("a pattern of many labels", named("**.openai.com"), "bytes go to **.openai.com (egress)"),
    ("a pattern that holds many domains", named("*amazonaws.com"), "no place can hold it: write names"),
    ("a pattern of a whole country", named("*com"), "no place can hold it: write names"),
    ("every name", named("**"), "bytes go to 0.0.0.0/0 (egress)"),
    ("every name with a dot", named("*.*"), "bytes go to 0.0.0.0/0 (egress)"),
    ("a cloud's groups", cilium(egress=[{"toGroups": [{"aws": {"region": "us-east-1"}}]}]), "bytes go to aws (egress)"),
    ("a group of elsewhere", cilium(egress=[{"toCIDRSet": [{"cidrGroupRef": "x"}]}]), "CIDRGroup 'x' is not in this"),
    ("no such field", cilium(egress=[{"toPlanets": ["mars"]}]), "toPlanets: cannot be decided at preview: what this"),
    ("an unknown group", cilium(egress=[{"toGroups": UNKNOWN}]), "toGroups: cannot be decided at preview"),
    ("a group", kube("cilium.io/v2", "CiliumCIDRGroup", "g", spec={"externalCIDRs": ["8.8.8.0/24"]}), "to 8.8.8.0/24"),
    (
        "an unknown CIDR",
        kube("cilium.io/v2", "CiliumCIDRGroup", "g", spec={"externalCIDRs": UNKNOWN}),
        "externalCIDRs: c",
    ),
    ("a set", kube(CALICO, "NetworkSet", "s", "a", spec={"nets": ["8.8.8.0/24"]}), "spec.nets: bytes go to 8.8.8.0/24"),
    ("names of a set", kube(CALICO, "GlobalNetworkSet", "s", spec={"allowedEgressDomains": ["a.com"]}), "to a.com"),
    ("sets of elsewhere", calico(allow(selector="x", namespaceSelector="global()")), "every GlobalNetworkSet that is"),
    ("admin's networks", admin({"action": "Allow", "to": [{"networks": ["::/0"]}]}), "networks: bytes go to ::/0"),
    ("admin's names", admin({"action": "Allow", "to": [{"domainNames": ["*.openai.com"]}]}), "to *.openai.com"),
    (
        "ClusterNetworkPolicy",
        admin({"action": "Accept", "to": [{"networks": ["8.8.8.0/24"]}]}, kind="ClusterNetworkPolicy"),
        "ClusterNetworkPolicy out: spec.egress.0.to.0.networks: bytes go to 8.8.8.0/24",
    ),
    ("an unknown action of admin's", admin({"action": UNKNOWN}), "spec.egress.0: cannot be decided"),
    ("unknown networks", admin({"action": "Allow", "to": [{"networks": UNKNOWN}]}), "networks: cannot be decided"),
    (
        "another project's policy",
        kube("crd.antrea.io/v1beta1", "NetworkPolicy", "out", "a", spec={"ingress": []}),
        "NetworkPolicy a/out: spec: cannot be decided at preview: what a NetworkPolicy of crd.antrea.io/v1beta1",
    ),
    (
        "a firewall",
        kube("k8s.ovn.org/v1", "EgressFirewall", "out", "a", spec={}),
        "what a EgressFirewall of k8s.ovn.org",
    ),
    (
        "Multus",
        kube("k8s.cni.cncf.io/v1beta1", "MultiNetworkPolicy", "out", "a", spec={"egress": [{}]}),
        "MultiNetworkPolicy a/out: spec.egress.0: bytes go to 0.0.0.0/0",
    ),
    ("a list", listed("NetworkPolicy", {"spec": {"egress": [{}]}}), "items.0.spec.egress.0: bytes go to 0.0.0.0/0"),
    ("an unknown type", kubernetes(policyTypes=[UNKNOWN], egress=[{}]), "bytes go to 0.0.0.0/0"),
]


@pytest.mark.parametrize(("resource", "message"), [one[1:] for one in OUTWARD], ids=[one[0] for one in OUTWARD])
def test_a_policy_that_lets_somebody_out_says_whom(resource: Resource, message: str) -> None:
    [found] = said(resource)
    assert message in found


def test_whoever_opens_all_of_egress_is_told_what_is_enough_for_names() -> None:
    [message] = said(kubernetes(egress=[{"ports": [{"port": 53, "protocol": "UDP"}]}]))
    assert (
        "for DNS: namespaceSelector kubernetes.io/metadata.name: kube-system, podSelector k8s-app: kube-dns" in message
    )


@pytest.mark.parametrize(
    ("pattern", "held"),
    [
        ("*.openai.com", True),
        ("**.openai.com", True),
        ("api-*.openai.com", True),
        ("a.*.openai.com", True),
        ("openai.com", False),
        ("*openai.com", False),
        ("*.com", False),
        ("*.openai.*", False),
    ],
)
def test_a_pattern_is_held_by_a_wildcard_that_holds_each_of_its_names(pattern: str, held: bool) -> None:
    place = {**PLACE, "hosts": ["*.openai.com"], "purposes": ["egress"]}
    found = violations(ENGINE_POLICIES, [named(pattern)], {"residency-destinations": {"places": [place]}})
    assert [one for one in found if one.policy == "residency-destinations"] == [] or not held
    assert held or len(found) == 1


def test_a_group_of_the_program_is_judged_itself_and_not_where_a_policy_refers_to_it() -> None:
    group = kube("cilium.io/v2", "CiliumCIDRGroup", "partners", metadata={"labels": {"class": "abroad", "a": "b"}})
    group = group._replace(props={**group.props, "spec": {"externalCIDRs": ["8.8.8.0/24"]}})
    selector = {"cidrGroupSelector": {"matchLabels": {"class": "abroad"}}}
    policy = cilium(egress=[{"toCIDRSet": [{"cidrGroupRef": "partners"}, selector]}])
    config = {"residency-destinations": {"places": [PLACE]}}
    found = violations(ENGINE_POLICIES, [group, policy], config)
    assert [one.urn for one in found if one.policy == "residency-destinations"] == [group.urn]
    selector["cidrGroupSelector"]["matchLabels"]["class"] = "at home"
    [_, undecided] = [one.message for one in violations(ENGINE_POLICIES, [group, policy], config)]
    assert "every CiliumCIDRGroup that is selected is not in this program" in undecided
