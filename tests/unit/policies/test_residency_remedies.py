"""The remedy of a message, written into the record as it is: the record takes it, and the message is gone."""

import re
from typing import Any

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import PLACE, deployment, kube
from tests.support.policy import Resource, violations


def judged(resource: Resource, places: list[Any]) -> list[str]:
    found = violations(ENGINE_POLICIES, [resource], {"residency-destinations": {"places": places}})
    return [violation.message for violation in found if violation.policy == "residency-destinations"]


def resolver(address: str) -> Resource:
    return kube("v1", "Pod", "p", "kube-system", spec={"containers": [], "dnsConfig": {"nameservers": [address]}})


def block(cidr: str) -> Resource:
    spec = {"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": cidr}}]}]}
    return kube("networking.k8s.io/v1", "NetworkPolicy", "p", "a", spec=spec)


def names(**peer: str) -> Resource:
    return kube("cilium.io/v2", "CiliumNetworkPolicy", "p", "a", spec={"egress": [{"toFQDNs": [peer]}]})


@pytest.mark.parametrize(
    ("resource", "entry"),
    [
        (resolver("8.8.8.8"), "networks: [8.8.8.8/32]"),
        (resolver("2001:4860:4860::8888"), "networks: [2001:4860:4860::8888/128]"),
        (deployment("203.0.113.9:5000/a"), "networks: [203.0.113.9/32]"),
        (block("203.0.113.9/24"), "networks: [203.0.113.0/24]"),
        (block("0.0.0.0/0"), "networks: [0.0.0.0/0]"),
        (names(matchName="løgg.example.com"), "hosts: [xn--lgg-0na.example.com]"),
        (names(matchPattern="*.løgg.example.com"), "hosts: [*.xn--lgg-0na.example.com]"),
        (names(matchPattern="s3.*.example.com"), "hosts: [*.example.com]"),
        (names(matchPattern="*.*"), "networks: [0.0.0.0/0]"),
        (names(matchPattern="*.com"), "hosts: [*.com]"),
    ],
)
def test_a_remedy_that_is_written_as_it_is_is_taken(resource: Resource, entry: str) -> None:
    [message] = judged(resource, [])
    said = re.search(r"\{name, ((hosts|networks): \[(.*?)\]).*?purposes: \[(.*?)\]\}", message)
    assert said
    assert said[1] == entry
    place = {key: value for key, value in PLACE.items() if key != "hosts"}
    assert judged(resource, [{**place, said[2]: [said[3]], "purposes": [said[4]]}]) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"country": "no"}, "places[registry].country: 'no' "),
        ({"hosts": ["https://quay.io"]}, "places[registry].hosts[1]: 'https://quay.io' is not a host as places have "),
        (
            {"networks": ["8.8.8.8"]},
            "places[registry].networks[1]: '8.8.8.8' is not a network without host bits: write ",
        ),
        (
            {"purposes": ["registry"]},
            "places[registry].purposes[1]: 'registry' is not one of the choices: did you mean ",
        ),
        ({"entitycountry": "NO"}, "places[registry].entitycountry: is not a setting here: did you mean entityCountry?"),
    ],
)
def test_a_mistake_in_the_configuration_is_named_with_its_field_and_remedy(change: Any, message: str) -> None:
    [found] = judged(deployment("registry.example.no/a"), [{**PLACE, **change}])
    assert found.startswith("configuration of residency-destinations: ")
    assert message in found
