"""What `vds reach` computes from the running cluster is what packets do: two tenants' pods try every pair and port."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from components.agency.reading import read_contract
from components.agency.render import app_manifests
from components.core import labels
from components.reach.evaluate import Reach
from components.reach.model import Answer, Port
from components.reach.questions import Answers
from components.reach.read import read
from lab.asking import ask, from_pod, pods
from lab.processes import wait_until
from lab.tenants.settings import NAMESPACE, NAMESPACES, NEIGHBOUR, wanted
from lab.verify import load_spec, wait_for_workloads
from tests.lab.conftest import Lab
from vds.reach.inputs import of_cluster

pytestmark = pytest.mark.lab

PORTS = (8080, 5432, 9999)
"""What the apps listen at, and what nothing listens at: that port refuses a connection that is let through."""


def policy(namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def opened() -> Iterator[dict[str, Any]]:
    """The frontend may call the neighbour's api, by both their own policies. What denies has precedence."""
    for namespace, app, way, field, other in (
        (NAMESPACE, "frontend", "Egress", "to", NEIGHBOUR),
        (NEIGHBOUR, "api", "Ingress", "from", NAMESPACE),
    ):
        peer = {"namespaceSelector": {"matchLabels": {labels.NAMESPACE_NAME: other}}}
        rule = {field: [peer], "ports": [{"protocol": "TCP", "port": 8080, "endPort": 9999}]}
        spec = {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": app}},
            "policyTypes": [way],
            way.lower(): [rule],
        }
        yield policy(namespace, "test-reach", spec)


@pytest.fixture
def neighbour(lab: Lab) -> Iterator[None]:
    """The other tenant has the same apps."""
    path = f"/apis/vds-platform.no/v1/namespaces/{NEIGHBOUR}/contracts/contract"
    contract = read_contract(lab.cluster.request("GET", path)["spec"])
    apps = [app.model_copy(update={"namespace": NEIGHBOUR}) for app in wanted(lab.layout).apps.values()]
    made = [*opened(), *(item for app in apps for item in app_manifests(app, contract))]
    try:
        for manifest in made:
            lab.cluster.apply(manifest)
        wait_for_workloads(lab.cluster, load_spec(lab.layout))
        yield
    finally:
        for manifest in made:
            lab.cluster.delete(manifest)
        pods_of = f"/api/v1/namespaces/{NEIGHBOUR}/pods"
        wait_until(
            lambda: not lab.cluster.request("GET", pods_of)["items"], 120, lambda: "the neighbour still has pods"
        )


def test_the_wire_agrees_with_the_prover_on_every_pair_and_port(lab: Lab, neighbour: None) -> None:
    given = of_cluster(lab.layout.kubeconfig)
    state = read(given.manifests, cni=given.cni)  # type: ignore[arg-type]
    answers = Answers(Reach(state))
    there = [pod for pod in pods(lab.layout, lab.cluster) if pod["namespace"] in NAMESPACES]
    assert len(there) >= 8
    name = {pod["name"]: f"{pod['namespace']}/{pod['name'].rsplit('-', 2)[0]}" for pod in there}
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
    of_two = {key for key in computed if name[key[0]].partition("/")[0] != name[key[1]].partition("/")[0]}
    assert {computed[key] for key in of_two} == {Answer.NO}, "whatever their own policies allow"
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
