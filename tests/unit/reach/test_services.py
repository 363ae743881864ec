"""Calls to Services: which pods they go to, at which port, and what is not known of them."""

from typing import Any

import pytest

from components.reach import services
from components.reach.evaluate import Reach
from components.reach.model import Answer, Port, Verdict
from components.reach.questions import Answers
from components.reach.read import read
from tests.support.reach_clusters import namespace, pod, policies

YES, NO, UNDECIDED = Answer.YES, Answer.NO, Answer.UNDECIDED
NAMESPACES = [namespace("bank"), namespace("butikk")]
PODS = [
    pod("bank/old", address="10.0.0.1", ports={"sql": 5432}, db="yes"),
    pod("bank/new", address="10.0.0.2", ports={"sql": 15432}, db="yes"),
    pod("bank/plain", address="10.0.0.3", db="yes"),
    pod("butikk/web", address="10.0.1.1"),
]
ONLY_15432 = policies(
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: bank}\n"
    "spec: {podSelector: {}, ingress: [{ports: [{port: 15432}]}]}"
)
QUIET = policies(
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: quiet, namespace: butikk}\n"
    "spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.96.0.0/12}}]}]}"
)


def service(spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The Service bank/db."""
    meta = {"name": "db", "namespace": "bank"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec, **more}


def of_pods(**more: Any) -> dict[str, Any]:
    ports = [{"name": "sql", "port": 5432, "targetPort": "sql"}]
    return service({"selector": {"db": "yes"}, "clusterIP": "10.96.0.9", "ports": ports, **more})


def slices(*addresses: str, port: int = 5432, name: str = "sql") -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "db-1", "namespace": "bank", "labels": {"kubernetes.io/service-name": "db"}},
        "endpoints": [{"addresses": [one]} for one in addresses],
        "ports": [{"name": name, "port": port, "protocol": "TCP"}],
    }


def ask(
    *more: dict[str, Any], source: str = "butikk/web", port: int = 5432, cni: Any = "cilium", **how: Any
) -> Verdict:
    manifests = [*NAMESPACES, *PODS, *more]
    addresses = [source] if "/" not in source else []
    answers = Answers(Reach(read(manifests, cni=cni, addresses=addresses, **how)))
    return services.verdict(answers, source, "bank/db", Port(port))


def test_a_named_target_port_is_another_number_in_each_pod_and_a_pod_without_it_gets_no_calls() -> None:
    found = ask(of_pods(), *ONLY_15432)
    assert found.answer is YES
    assert found.reasons[0].text == (
        "Service bank/db sends it to pods of bank with app=new,db=yes at 15432/TCP; 1 of 2 ways to its endpoints are "
        "denied or undecided"
    )


@pytest.mark.parametrize(
    ("target", "answer"), [({"targetPort": 15432}, YES), ({"targetPort": 1}, NO), ({}, NO), ({"targetPort": "web"}, NO)]
)
def test_policies_are_asked_about_the_target_port_and_not_the_service_s(target: Any, answer: Answer) -> None:
    ports = [{"port": 5432, **target}]
    assert ask(of_pods(ports=ports), *ONLY_15432).answer is answer


@pytest.mark.parametrize(("policy", "answer"), [("Always", YES), (None, NO)])
def test_a_sidecar_has_ports_and_an_init_container_has_none(policy: Any, answer: Answer) -> None:
    first = {"name": "s", "image": "i", "restartPolicy": policy, "ports": [{"containerPort": 9, "name": "side"}]}
    more = pod("bank/more", spec={"initContainers": [first]}, db="yes")
    assert ask(of_pods(ports=[{"port": 5432, "targetPort": "side"}]), more).answer is answer


def test_a_port_that_the_service_does_not_have_is_not_reached() -> None:
    found = ask(of_pods(), port=15432)
    assert (found.answer, found.reasons[0].text) == (NO, "Service bank/db has no port 15432/TCP")


def test_at_a_headless_service_the_caller_chooses_the_pods_port() -> None:
    headless = of_pods(clusterIP="None")
    assert ask(headless, *ONLY_15432, port=15432).answer is YES
    assert ask(headless, *ONLY_15432, port=5432).answer is NO


def test_a_service_without_pods_is_not_reached_unless_pods_may_be_missing() -> None:
    nothing = of_pods(selector={"db": "no"})
    assert ask(nothing).answer is NO
    found = ask(nothing, gaps={"bank": "the chart of db can't be rendered"})
    assert (found.answer, found.reasons[0].text) == (UNDECIDED, "the chart of db can't be rendered")


def test_endpoints_that_somebody_else_writes_are_pods_by_their_address_or_hosts_outside() -> None:
    own = service({"clusterIP": "10.96.0.9", "ports": [{"name": "sql", "port": 80}]})
    closed = policies(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: bank}\n"
        "spec: {podSelector: {}, policyTypes: [Ingress]}"
    )
    assert ask(own, port=80).answer is UNDECIDED
    assert ask(own, slices("10.0.0.1"), port=80).answer is YES
    assert ask(own, slices("10.0.0.1"), *closed, port=80).answer is NO
    assert ask(own, slices("198.51.100.7"), *closed, port=80).answer is YES
    assert ask(own, slices("198.51.100.7", name="other"), port=80).answer is NO


def test_an_endpoint_with_the_address_of_a_node_is_no_pod_in_the_node_s_network() -> None:
    own = service({"clusterIP": "10.96.0.9", "ports": [{"name": "sql", "port": 443}]})
    agent = pod("bank/agent", address="192.0.2.11", spec={"hostNetwork": True})
    found = ask(own, agent, slices("192.0.2.11", port=6443), *QUIET, port=443)
    assert (found.answer, found.reasons[0].text) == (NO, "Service bank/db sends it to 192.0.2.11 at 6443/TCP")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"type": "ExternalName", "externalName": "db.example.no"}, "ExternalName"),
        ({"internalTrafficPolicy": "Local"}, "own node"),
        ({"ports": [{"port": {}}]}, "is not a whole number"),
    ],
)
def test_what_is_not_known_of_a_service_is_undecided(spec: Any, reason: str) -> None:
    found = ask(of_pods(**spec))
    assert found.answer is UNDECIDED
    assert reason in " ".join(one.text for one in found.reasons)


@pytest.mark.parametrize(("cni", "answer"), [("cilium", NO), ("calico", NO), ("other", UNDECIDED), ("", UNDECIDED)])
def test_a_network_with_the_service_s_own_address_counts_only_where_the_cni_may_look_at_it(
    cni: Any, answer: Answer
) -> None:
    assert ask(of_pods(), *QUIET, cni=cni).answer is answer
    elsewhere = of_pods(clusterIP="172.30.0.9")
    assert ask(elsewhere, *QUIET, cni="other").answer is NO


@pytest.mark.parametrize(
    ("spec", "closed", "answer"),
    [
        ({}, [], UNDECIDED),
        ({"loadBalancerIP": "192.0.2.9"}, [], YES),
        ({"loadBalancerIP": "192.0.2.9"}, ONLY_15432, UNDECIDED),
        ({"loadBalancerIP": "192.0.2.9", "externalTrafficPolicy": "Local"}, ONLY_15432, YES),
    ],
)
def test_a_caller_outside_needs_an_address_for_it_and_the_pods_may_see_a_node(
    spec: Any, closed: list[Any], answer: Answer
) -> None:
    assert ask(of_pods(**spec), *closed, source="198.51.100.7").answer is answer


def test_a_service_is_meant_by_its_name_or_by_one_of_its_addresses() -> None:
    item = of_pods()
    item["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}
    state = read([*NAMESPACES, *PODS, item])
    for text in ("service/bank/db", "10.96.0.9", "192.0.2.9"):
        assert services.named(state, text) == "bank/db"
    for text in ("bank/db", "service/bank/old", "192.0.2.10"):
        assert services.named(state, text) == ""
