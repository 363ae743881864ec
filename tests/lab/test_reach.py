"""What `vds reach` computes from the running cluster is what packets do: two tenants' pods try every pair and port."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from components.core import labels
from components.reach.evaluate import Reach
from components.reach.model import Answer, Port
from components.reach.questions import Answers
from components.reach.read import read
from components.tenancy.render import tenant_manifests
from lab import workloads
from lab.asking import ask, from_pod, pods
from lab.cluster import rolled_out
from lab.processes import wait_until
from lab.verify import images, load_spec
from tests.lab.conftest import Lab
from vds.reach.inputs import of_cluster

pytestmark = pytest.mark.lab

NEIGHBOUR = "nabo"
PORTS = (8080, 5432, 9999)
"""What the tiers listen at, and what nothing listens at: that port refuses a connection that is let through."""


def policy(namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def opened(tenant: str) -> Iterator[dict[str, Any]]:
    """The tenant's frontend may call the neighbour's api, so that some pairs of two tenants connect."""
    other = {"namespaceSelector": {"matchLabels": {labels.NAMESPACE_NAME: NEIGHBOUR}}}
    own = {"namespaceSelector": {"matchLabels": {labels.NAMESPACE_NAME: tenant}}}
    for namespace, tier, way, field, peer in (
        (tenant, "frontend", "Egress", "to", other),
        (NEIGHBOUR, "api", "Ingress", "from", own),
    ):
        rule = {field: [peer], "ports": [{"protocol": "TCP", "port": 8080, "endPort": 9999}]}
        spec = {
            "podSelector": {"matchLabels": {labels.TIER: tier}},
            "policyTypes": [way],
            way.lower(): [rule],
        }
        yield policy(namespace, "test-reach", spec)


@pytest.fixture
def neighbour(lab: Lab) -> Iterator[str]:
    """A second tenant with the same application; the first one's name."""
    tenant = load_spec(lab.layout).tenants[0]
    bundle = tenant_manifests(tenant.model_copy(update={"name": NEIGHBOUR}), gateway_namespace="gateway-system")
    opening = list(opened(tenant.name))
    try:
        for manifest in (*bundle, *opening, *workloads.shop(NEIGHBOUR, labels.TIER, images(lab.layout))):
            lab.cluster.apply(manifest)
        deployments = f"/apis/apps/v1/namespaces/{NEIGHBOUR}/deployments"

        def ready() -> bool:
            found = lab.cluster.request("GET", deployments)["items"]
            return all(rolled_out(one) for one in found)

        wait_until(ready, 300, lambda: "the neighbour's pods are not ready")
        yield tenant.name
    finally:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NEIGHBOUR}}
        for manifest in (*opening, space):
            lab.cluster.delete(manifest)
        wait_until(lambda: lab.cluster.get(space) is None, 120, lambda: "the neighbour's namespace is still there")


def test_the_wire_agrees_with_the_prover_on_every_pair_and_port(lab: Lab, neighbour: str) -> None:
    given = of_cluster(lab.layout.kubeconfig)
    state = read(given.manifests, cni=given.cni)  # type: ignore[arg-type]
    answers = Answers(Reach(state))
    there = [pod for pod in pods(lab.layout, lab.cluster) if pod["namespace"] in (neighbour, NEIGHBOUR)]
    assert len(there) >= 8
    name = {pod["name"]: f"{pod['namespace']}/{pod['app']}" for pod in there}
    computed = {
        (source["name"], target["name"], port): answers.verdict(
            name[source["name"]], name[target["name"]], Port(port)
        ).answer
        for source in there
        for target in there
        if source is not target
        for port in PORTS
    }
    assert set(computed.values()) == {Answer.YES, Answer.NO}  # both, and nothing is undecided
    crossing = {
        key for key, answer in computed.items() if answer is Answer.YES and name[key[0]][:4] != name[key[1]][:4]
    }
    assert crossing  # the rules of this test
    measured: dict[tuple[str, str, int], Answer] = {}

    def probe(source: dict[str, Any]) -> None:
        asked = [key for key in computed if key[0] == source["name"]]
        address = {pod["name"]: pod["address"] for pod in there}
        questions = [
            {
                "ask": "call",
                "host": address[target],
                "port": port,
                # On a busy machine an allowed connection may need a second try. A forbidden one must never work.
                "within_seconds": 10 if computed[_, target, port] is Answer.YES else 0,
            }
            for _, target, port in asked
        ]
        for key, answer in zip(asked, ask(from_pod(source, lab.layout), questions), strict=True):
            through = answer["answered"] or "ConnectionRefused" in answer["error"]
            measured[key] = Answer.YES if through else Answer.NO

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(probe, there))
    wrong = {key: (computed[key], measured[key]) for key in computed if computed[key] is not measured[key]}
    assert wrong == {}
