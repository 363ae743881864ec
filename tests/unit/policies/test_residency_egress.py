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
    ("somebody else's grammar", kube("crd.antrea.io/v1beta1", "NetworkPolicy", "out", "a", spec={"egress": [{}]})),
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
    ("Cilium's ports", cilium(nodeSelector={}, egress=[{"toPorts": [{}]}]), "spec.egress: bytes go to 0.0.0.0/0"),
    ("the world of IPv6", cilium(egress=[{"toEntities": ["world-ipv6"]}]), "spec.egress: bytes go to 0.0.0.0/0"),
    ("half of everywhere", kubernetes(egress=[{"to": [{"ipBlock": {"cidr": "0.0.0.0/1"}}]}]), "go to 0.0.0.0/1"),
    ("more than private", kubernetes(egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/7"}}]}]), "go to 10.0.0.0/7"),
    ("calico's refusal in Kubernetes' words", kubernetes(egress=[{"action": "Deny"}]), "bytes go to 0.0.0.0/0"),
    ("calico's types in Kubernetes' words", kubernetes(types=["Ingress"], egress=[{}]), "bytes go to 0.0.0.0/0"),
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
