"""Who reaches the pods of a registered namespace: the same for every CNI, whatever a tenant allows by policies of its
own."""

from typing import Any

import pytest

from components.reach.evaluate import Reach
from components.reach.model import Answer, Port
from components.reach.questions import Answers, crossings, tenant_of
from components.reach.read import read
from components.tenancy.bundle import cluster_manifests, namespace_manifests, registered_namespace
from tests.support.reach_clusters import namespace, pod
from tests.support.registrations import BUTIKK, environment, registration

CNIS = ("cilium", "calico", "flannel")
OUTSIDE = {"partner": "198.51.100.7", "metadata": "169.254.169.254", "anywhere": "203.0.113.9", "api": "192.0.2.10"}
PARTNER = {**BUTIKK["egress"][0], "name": "partner", "hosts": [], "networks": ["198.51.100.0/24"]}
NAMESPACES = {"butikk": ("butikk-prod", "butikk-staging"), "bank": ("bank-prod",)}
WIDE_OPEN = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}
API_SERVER = {
    "kind": "EndpointSlice",
    "metadata": {"name": "k", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}},
    "endpoints": [{"addresses": ["192.0.2.10"]}],
}


def cluster(cni: str, *, opened: bool = False) -> list[dict[str, Any]]:
    """Two tenants with a pod that may call the partner and one that may not, DNS, the gateway and another namespace."""
    gateway = environment(cni=cni).gateway.data_plane_namespace or "gateway"
    found = [
        *(namespace(name) for name in ("kube-system", gateway, "stranger")),
        pod("kube-system/dns", address="10.1.0.1", **{"k8s-app": "kube-dns"}),
        pod(f"{gateway}/proxy", address="10.1.0.2"),
        pod("stranger/pod", address="10.1.0.3"),
        API_SERVER,
        *cluster_manifests(environment(cni=cni, adminTier=cni == "flannel")),
    ]
    for tenant, names in NAMESPACES.items():
        spaces = {name.partition("-")[2]: {"size": "small"} for name in names}
        one = registration(tenant=tenant, namespaces=spaces, egress=[PARTNER])
        for number, name in enumerate(names):
            found += [registered_namespace(one, name), *namespace_manifests(one, name, environment(cni=cni))]
            address = f"10.2.{len(tenant)}{number}"
            found += [
                pod(f"{name}/app", address=f"{address}.1"),
                pod(f"{name}/caller", address=f"{address}.2", **{"egress.vds-platform.no/partner": "true"}),
            ]
            if opened:
                kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
                found.append({**kind, "metadata": {"name": "open", "namespace": name}, "spec": WIDE_OPEN})
    return found


def answers(cni: str, **options: bool) -> Answers:
    kind: Any = cni if cni in ("cilium", "calico") else "other"
    return Answers(Reach(read(cluster(cni, **options), cni=kind, addresses=list(OUTSIDE.values()))))


def crossing(found: Answers) -> list[tuple[str, str]]:
    state = found.reach.state
    tenants = {name for names in NAMESPACES.values() for name in names}
    pairs = crossings(found.reach, tenant_of(state), lambda one: one.namespace in tenants)
    return sorted({(one.source, one.target) for one in pairs})


def matrix(found: Answers, cni: str) -> dict[tuple[str, str, str], str]:
    gateway = environment(cni=cni).gateway.data_plane_namespace or "gateway"
    names = sorted(found.reach.state.workloads)
    return {
        (source.replace(gateway, "GATEWAY"), target.replace(gateway, "GATEWAY"), port): found.verdict(
            source, target, Port(int(port.partition("/")[0]), port.partition("/")[2])
        ).answer.value
        for source in names
        for target in names
        for port in ("53/UDP", "443/TCP", "8080/TCP")
    }


@pytest.mark.parametrize("cni", CNIS)
def test_no_tenant_reaches_another(cni: str) -> None:
    assert crossing(answers(cni)) == []


@pytest.mark.parametrize("cni", ["cilium", "calico"])
def test_no_tenant_reaches_another_even_if_both_allow_everything(cni: str) -> None:
    assert crossing(answers(cni, opened=True)) == []


def test_without_a_tier_that_denies_the_api_server_must_refuse_such_policies() -> None:
    assert ("bank-prod/app", "butikk-prod/app") in crossing(answers("flannel", opened=True))


@pytest.mark.parametrize("cni", ["calico", "flannel"])
def test_one_intent_has_the_same_matrix_in_every_form(cni: str) -> None:
    assert matrix(answers(cni), cni) == matrix(answers("cilium"), "cilium")


@pytest.mark.parametrize("cni", CNIS)
def test_only_pods_with_the_label_call_out(cni: str) -> None:
    found = answers(cni)
    called = {
        (source, name): found.verdict(f"butikk-prod/{source}", address, Port(443)).answer
        for source in ("app", "caller")
        for name, address in OUTSIDE.items()
    }
    assert called == {key: Answer.YES if key == ("caller", "partner") else Answer.NO for key in called}


@pytest.mark.parametrize("cni", CNIS)
def test_the_metadata_service_and_the_api_server_are_denied_even_if_a_tenant_allows_everything(cni: str) -> None:
    found = answers(cni, opened=True)
    assert found.verdict("butikk-prod/app", OUTSIDE["metadata"], Port(80)).answer is Answer.NO
    assert found.verdict("butikk-prod/app", OUTSIDE["api"], Port(6443)).answer is Answer.NO
    assert found.verdict("butikk-prod/app", OUTSIDE["anywhere"], Port(80)).answer is Answer.YES
