"""Whom an application sees asking: the client with `externalTrafficPolicy: Local`, also a node with `Cluster`."""

from collections.abc import Iterator
from typing import Any

import pytest

from lab.asking import ask, from_host
from lab.layout import CLIENT
from lab.proof.gateway import gateway_address, question
from lab.verify import images, load_spec
from lab.workloads import PORT, routed
from tests.lab.conftest import Lab

pytestmark = pytest.mark.lab

ADDRESSES = {"Local": "192.0.2.218", "Cluster": "192.0.2.219"}
_ASKED = 40
"""With `Cluster`, a node chooses one of two pods for each connection: its own forty times once in 2^40 tries."""


@pytest.fixture
def applications(lab: Lab) -> Iterator[None]:
    """A pod on each edge node that says who asks, behind a Service of its own for each policy."""
    found = images(lab.layout)
    objects = [item for policy, at in ADDRESSES.items() for item in routed(f"by-{policy.lower()}", at, policy, found)]
    try:
        for item in objects:
            lab.cluster.apply(item)
        yield
    finally:
        for item in objects:
            lab.cluster.delete(item)


def seen_by_application(address: str) -> set[str]:
    answers = ask(from_host(CLIENT), [{"ask": "call", "host": address, "port": PORT, "within_seconds": 60}] * _ASKED)
    assert all(answer["answered"] for answer in answers), answers
    return {str(answer["client"]) for answer in answers}


def seen_behind_gateway(lab: Lab) -> set[str]:
    """What the header X-Forwarded-For has, of a request on a connection of its own each time."""
    spec = load_spec(lab.layout)
    asked: dict[str, Any] = question(lab.layout, spec, gateway_address(lab.cluster, spec)) | {"requests": 1}
    answers = ask(from_host(CLIENT), [asked] * _ASKED)
    assert not any(answer["failures"] for answer in answers), answers
    seen = [{name.lower(): value for name, value in answer["backend_headers"].items()} for answer in answers]
    return {headers["x-forwarded-for"] for headers in seen}


def set_policy(lab: Lab, policy: str) -> None:
    """Of the gateway's Service, which the platform makes with `Local`."""
    path = f"/api/v1/namespaces/{load_spec(lab.layout).gateway.namespace}/services/traefik"
    change = {"spec": {"externalTrafficPolicy": policy}}
    lab.cluster.request("PATCH", path, change, content_type="application/merge-patch+json")


@pytest.mark.usefixtures("applications")
def test_an_application_sees_the_client_with_local_and_not_always_with_cluster(lab: Lab) -> None:
    seen = {policy: seen_by_application(address) for policy, address in ADDRESSES.items()}
    seen["gateway, Local"] = seen_behind_gateway(lab)
    set_policy(lab, "Cluster")
    try:
        for _ in range(10):  # until each node has the new policy
            if (others := seen_behind_gateway(lab)) != {CLIENT.address}:
                break
        seen["gateway, Cluster"] = others
    finally:
        set_policy(lab, "Local")
    for what, clients in seen.items():
        print(f"\n{what}: {', '.join(sorted(clients))}", end="")
    assert seen["Local"] == seen["gateway, Local"] == {CLIENT.address}
    assert seen["Cluster"] - {CLIENT.address}
    assert seen["gateway, Cluster"] - {CLIENT.address}
