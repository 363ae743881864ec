"""Where bytes go, and what nobody can decide."""

import dataclasses
import json
import math
from typing import Any

import pytest

from policies.engine import POLICIES
from tests.support.evidence import add, entry, evidence, export
from tests.support.foreign import PLACE
from tests.support.stacks import existing_data, host_key, stack_data
from vds.evidence.model import Evidence, Place
from vds.shared.errors import OperationError


def place(found: Evidence, kind: str, host: str) -> Place:
    [one] = [p for p in found.places if p.kind == kind and host in (p.name, p.location)]
    return one


def test_every_node_has_place_provider_and_the_provider_s_country() -> None:
    nodes = [p for p in evidence().places if p.kind == "node"]
    assert [(p.name, p.country, p.entity, p.entity_country, p.status) for p in nodes] == [
        (name, "NO", "Lab", "NO", "allowed") for name in ("osl-cp-1", "osl-w-1", "osl-w-2")
    ]


def test_what_ssh_goes_through_is_a_place_too() -> None:
    data = stack_data("lab")
    data["nodes"][1]["sshAddress"] = "198.51.100.21"
    data["ssh"]["bastion"] = {"host": "jump.example.com", "hostKey": host_key("jump")}
    found = evidence(data=data)
    address = place(found, "SSH access", "198.51.100.21")
    assert (address.name, address.country, address.status) == ("osl-w-1", "NO", "allowed")
    assert place(found, "SSH access", "jump.example.com").status == "undeclared"
    assert found.verdict != "holds"
    jump = {**PLACE, "name": "jump", "hosts": ["jump.example.com"], "purposes": ["egress"]}
    data["residency"]["places"].append({**jump, "country": "NO", "entityCountry": "NO"})
    assert place(evidence(data=data), "SSH access", "jump.example.com").status == "allowed"


def test_the_program_s_own_evidence_has_no_violation() -> None:
    found = evidence()
    assert found.violations == []
    assert found.open_points == ()
    assert {policy.outcome for policy in found.policies} == {"passed"}


def test_a_node_abroad_in_the_state_is_a_violation_whatever_the_stack_file_says() -> None:
    made = export()
    for side in ("inputs", "outputs"):
        entry(made, "osl-w-2")[side]["country"] = "SE"
    found = evidence(made)
    assert found.verdict == "violated"
    assert "node osl-w-2: country is NO in the stack file, SE in the state: run pulumi up" in str(found.open_points)
    assert [p.country for p in found.places if p.name == "osl-w-2" and p.status == "refused"] == ["SE"]
    assert {policy.name for policy in found.policies if policy.outcome == "violated"} >= {"residency"}


def test_an_owner_abroad_counts_as_much_as_a_machine_abroad() -> None:
    made = export()
    for side in ("inputs", "outputs"):
        entry(made, "osl-w-2")[side]["providerCountry"] = "US"
    found = evidence(made)
    assert found.verdict == "violated"
    [abroad] = [p for p in found.places if p.status == "refused"]
    assert abroad.third_country


def pod(image: str) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "web", "image": image}]}}
    return {"metadata": {"name": "web", "namespace": "butikk"}, "spec": {"template": template}}


@pytest.mark.parametrize(
    ("image", "registry"),
    [("nginx", "docker.io"), ("quay.io/cilium/cilium:v1", "quay.io"), ("library/redis:7", "docker.io")],
)
def test_the_registry_of_a_pod_s_image_is_a_place(image: str, registry: str) -> None:
    made = export()
    add(made, "kubernetes:apps/v1:Deployment", "web", **pod(image))
    found = evidence(made)
    assert place(found, "image-registry", registry).status == "undeclared"
    assert "residency-destinations" in {policy.name for policy in found.policies if policy.outcome == "violated"}
    assert found.verdict == "violated"


def test_a_chart_s_repository_and_the_images_in_its_values_are_places() -> None:
    made = export()
    add(
        made,
        "kubernetes:helm.sh/v3:Release",
        "extra",
        chart="extra",
        version="1.2.3",
        repositoryOpts={"repo": "https://ada:TOKEN@charts.example.com/x"},
        values={"server": {"image": {"repository": "ghcr.io/example/extra", "tag": "1"}}},
    )
    found = evidence(made)
    assert place(found, "chart-repository", "charts.example.com").status == "undeclared"
    assert place(found, "image-registry", "ghcr.io").status == "undeclared"
    assert "TOKEN" not in repr(found)


def test_the_images_of_a_chart_are_in_the_evidence() -> None:
    made, data = export(), stack_data("lab")
    data["residency"]["places"].append(PLACE)
    for side in ("inputs", "outputs"):
        entry(made, "residency")[side]["places"].append(PLACE)
    chart = "oci://registry.example.no/charts/app"
    add(made, "kubernetes:helm.sh/v3:Release", "app", chart=chart, version="1.0.0", values={"replicas": 2})
    found = evidence(made, data=data)
    assert place(found, "image-registry", "registry.example.no").status == "allowed"
    assert found.verdict == "holds"


def test_a_chart_that_cannot_be_had_leaves_the_evidence_undecided() -> None:
    made, data = export(), stack_data("lab")
    data["residency"]["places"].append(PLACE)
    for side in ("inputs", "outputs"):
        entry(made, "residency")[side]["places"].append(PLACE)
    chart = "oci://registry.example.no/charts/nowhere"
    add(made, "kubernetes:helm.sh/v3:Release", "app", chart=chart, version="1.0.0", values={"replicas": 2})
    found = evidence(made, data=data)
    assert found.verdict == "undecided"
    assert "the chart nowhere 1.0.0 is not available here" in str(found)


def test_a_chart_that_the_program_takes_apart_is_fetched_and_its_objects_speak_for_themselves() -> None:
    made = export()
    add(made, "kubernetes:helm.sh/v4:Chart", "x", chart="x", repositoryOpts={"repo": "https://charts.example.com"})
    found = evidence(made)
    assert place(found, "chart-repository", "charts.example.com").status == "undeclared"
    assert not [p for p in found.places if p.kind == "image-registry" and p.status == "undeclared"]


@pytest.mark.parametrize(
    ("type_", "inputs", "kind", "host"),
    [
        (
            "kubernetes:cilium.io/v2:CiliumNetworkPolicy",
            {
                "metadata": {"namespace": "butikk"},
                "spec": {"egress": [{"toFQDNs": [{"matchName": "a.example.com"}]}]},
            },
            "egress",
            "a.example.com",
        ),
        (
            "kubernetes:core/v1:Service",
            {"metadata": {"namespace": "butikk"}, "spec": {"externalName": "db.example.com"}},
            "egress",
            "db.example.com",
        ),
        (
            "kubernetes:cert-manager.io/v1:ClusterIssuer",
            {"spec": {"acme": {"server": "https://acme.example.com/directory"}}},
            "acme",
            "acme.example.com",
        ),
        (
            "kubernetes:example.no/v1:Sink",
            {"spec": {"telemetry": {"url": "https://metrics.example.com/TOKEN"}}},
            "telemetry",
            "metrics.example.com",
        ),
    ],
)
def test_what_resources_reach_is_a_place(type_: str, inputs: dict[str, Any], kind: str, host: str) -> None:
    made = export()
    add(made, type_, "extra", **inputs)
    found = evidence(made)
    assert place(found, kind, host).status == "undeclared"
    assert "TOKEN" not in repr(found)


def test_a_secret_object_is_not_looked_into() -> None:
    made = export()
    add(made, "kubernetes:core/v1:Secret", "it", stringData={"url": "https://TOKEN.example.com"})
    assert "TOKEN" not in repr(evidence(made).places)


def test_a_state_behind_the_stack_file_is_named_as_such() -> None:
    made = export()
    made["deployment"]["resources"] = [
        item for item in made["deployment"]["resources"] if not item["urn"].rpartition("::")[2].startswith("osl-w-2")
    ]
    found = evidence(made)
    assert found.open_points == (
        "node osl-w-2: in the stack file, not in the state: run pulumi up, then make the evidence again",
    )
    assert found.verdict == "undecided"


def test_what_is_still_to_be_deleted_is_still_a_place() -> None:
    made = export()
    old = json.loads(json.dumps(entry(made, "osl-w-2")))
    old["delete"] = True
    old["inputs"]["address"] = old["outputs"]["address"] = "203.0.113.77"
    made["deployment"]["resources"].append(old)
    assert "203.0.113.77" in {p.location for p in evidence(made).places}


def test_an_interrupted_update_is_no_evidence() -> None:
    made = export()
    made["deployment"]["pending_operations"] = [{"type": "creating", "resource": {"urn": "urn:pulumi:lab::p::t::web"}}]
    assert evidence(made).open_points == (
        "creating web: the engine was interrupted there: run vds recover, then make the evidence again",
    )


def test_a_state_without_resources_proves_nothing() -> None:
    found = evidence({"version": 3, "deployment": {}})
    assert found.verdict != "holds"
    assert "has no resources" in found.open_points[0]


def states(found: Evidence) -> list[tuple[str, str]]:
    return [(p.location, p.status) for p in found.places if p.kind == "state"]


def test_a_backend_that_the_record_does_not_hold_is_undeclared() -> None:
    assert states(evidence(backend="https://api.pulumi.com", tenants=[])) == [("api.pulumi.com", "undeclared")]


def test_of_an_export_in_a_file_the_backend_is_the_one_that_the_program_saw() -> None:
    made = export()
    for side in ("inputs", "outputs"):
        entry(made, "residency")[side]["stateBackend"] = "s3://bucket?endpoint=state.example.com"
    assert states(evidence(made, backend="", tenants=[])) == [("state.example.com", "undeclared")]


def test_a_backend_that_nobody_names_is_the_one_in_the_record_or_undeclared() -> None:
    made = export()
    for side in ("inputs", "outputs"):
        entry(made, "residency")[side].pop("stateBackend", None)
    assert states(evidence(made, backend="", tenants=[])) == [
        ("localhost, registry.lab.example.no, packages.lab.example.no, 192.0.2.0/24", "allowed")
    ]
    data = stack_data("lab")
    data["residency"]["places"][0]["purposes"].remove("state")
    assert states(evidence(made, backend="", data=data, tenants=[])) == [("", "undeclared")]


def test_a_place_abroad_is_excepted_only_where_the_stack_file_says_so() -> None:
    excepted = {p.name for p in evidence(name="oslo", data=existing_data()).places if p.status == "excepted"}
    assert excepted == {"docker.io", "quay.io", "helm.cilium.io", "metallb.github.io"}
    made = export("oslo")
    add(made, "kubernetes:core/v1:Pod", "web", **pod("ghcr.io/example/web:1")["spec"]["template"])
    found = evidence(made, name="oslo", data=existing_data())
    assert place(found, "image-registry", "ghcr.io").status == "undeclared"


def test_every_exception_is_named_with_its_last_day_and_reason() -> None:
    assert [one.item for one in evidence(name="oslo").exempt] == [
        "residency of place docker-hub",
        "residency of place github-pages",
        "residency of place quay",
    ]
    assert evidence().exempt == ()
    made = export()
    annotations = entry(made, "gateway-gateway")["inputs"]["metadata"]["annotations"]
    annotations["vds-platform.no/plain-text"] = '{"http": {"until": "2036-12-31", "reason": "a test"}}'
    [plain] = evidence(made).exempt
    assert (plain.item, plain.until) == ("TLS of listener http of gateway-gateway", "2036-12-31")
    annotations["vds-platform.no/plain-text"] = "no JSON"
    assert evidence(made).exempt == ()


def test_an_exception_whose_day_has_passed_is_a_violation() -> None:
    data = stack_data("oslo")
    made = export("oslo")
    for side in ("inputs", "outputs"):
        for item in entry(made, "residency")[side]["exceptions"]:
            item["until"] = "2026-11-20"
    found = evidence(made, name="oslo", data=data)
    assert "residency-exceptions" in {policy.name for policy in found.policies if policy.outcome == "violated"}


def test_a_fault_of_the_pack_is_an_error_with_the_policy_s_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(*_: Any) -> list[Any]:
        raise LookupError

    monkeypatch.setitem(POLICIES, "residency", dataclasses.replace(POLICIES["residency"], check=check))
    with pytest.raises(OperationError, match=r"policy residency failed on .*LookupError at test_collect.py"):
        evidence()


def test_a_pool_is_named_with_its_range() -> None:
    [pool] = [p for p in evidence().places if p.kind == "addresses"]
    assert pool.location == "192.0.2.200-192.0.2.220"
    assert pool.seen_in == ("metallb.pools.public", "state: metallb-pool-public: spec.addresses.0")


def test_a_connection_to_no_declared_node_cannot_be_decided() -> None:
    made = export()
    entry(made, "osl-w-2-setup")["parent"] = "urn:pulumi:lab::vds-platform::pulumi:pulumi:Stack::vds-platform-lab"
    found = evidence(made)
    doubts = {policy.name for policy in found.policies if policy.outcome == "undecided"}
    assert "residency-place" in doubts
    assert found.verdict == "undecided"


def test_who_answers_for_the_data_is_as_the_stack_file_has_it() -> None:
    data = stack_data("lab")
    data["processing"] = {
        "role": "processor",
        "operator": {"name": "Plattform AS", "contact": "post@example.no", "country": "NO"},
        "controllers": [{"tenant": "butikk", "controller": {"name": "Etat", "contact": "post@etat.example.no"}}],
    }
    processing = evidence(data=data).processing
    assert processing.operator is not None
    assert (processing.role, processing.operator.name) == ("processor", "Plattform AS")


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        ("gateway.networking.k8s.io/v1:HTTPRoute", {"spec": {"rules": [{"backendRefs": [{"weight": math.inf}]}]}}),
        ("core/v1:Service", {"spec": {"type": "NodePort", "ports": [{"nodePort": math.inf}]}}),
        ("helm.sh/v3:Release", {"chart": "cilium", "values": {"MTU": math.inf}}),
        ("helm.sh/v3:Release", {"chart": ["cilium"], "values": [math.nan], "repositoryOpts": "x"}),
        ("metallb.io/v1beta1:IPAddressPool", {"spec": {"addresses": "203.0.113.0/24"}}),
        ("metallb.io/v1beta1:IPAddressPool", {"spec": {"addresses": [math.inf, None, 7]}}),
        ("cilium.io/v2:CiliumLoadBalancerIPPool", {"spec": {"blocks": 7}}),
        ("networking.k8s.io/v1:NetworkPolicy", {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": ["x"]}}]}]}}),
        ("rbac.authorization.k8s.io/v1:RoleBinding", {"subjects": [7, None]}),
        ("core/v1:Namespace", {"metadata": {"name": 7, "labels": ["vds-platform.no/tenant"]}}),
        ("core/v1:ConfigMap", {"data": {"Corefile": "forward . https://["}}),
        ("core/v1:Pod", {"spec": 7, "metadata": "x"}),
        (
            "gateway.networking.k8s.io/v1:Gateway",
            {"metadata": {"annotations": {"vds-platform.no/plain-text": "[" * 100_000}}, "spec": {"listeners": [{}]}},
        ),
    ],
)
def test_a_state_with_odd_values_is_judged_and_is_no_crash(type_: str, inputs: dict[str, Any]) -> None:
    made = export()
    add(made, f"kubernetes:{type_}", "odd", **{"metadata": {"name": "odd", "namespace": "butikk"}, **inputs})
    assert evidence(made).verdict in ("holds", "violated", "undecided")
