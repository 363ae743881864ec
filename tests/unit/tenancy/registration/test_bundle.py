"""What isolates a registered namespace, for each CNI."""

import pytest

from components.core import labels
from components.tenancy.bundle import cluster_manifests, namespace_manifests, registered_namespace
from components.tenancy.network import contract_manifests, egress_problems, floor_manifests, network_manifests
from components.tenancy.registration.contract import contract_spec
from components.tenancy.registration.rules import environment_problems, registration_problems
from components.tenancy.rights import roles_manifests
from policies.engine import ENGINE_POLICIES
from tests.support.foreign import kube
from tests.support.modules import CILIUM, pinned
from tests.support.policy import violations
from tests.support.registrations import BUTIKK, ENVIRONMENT, data, environment, registration
from tests.support.schemas import crd_errors

NAMESPACE = "butikk-prod"
CNIS = ("cilium", "calico", "flannel")
BANK = {**BUTIKK["egress"][0], "name": "bank", "hosts": [], "networks": ["198.51.100.0/24"]}


def bundle(cni, **changes):
    return namespace_manifests(registration(**changes), NAMESPACE, environment(cni=cni))


def named(items, name):
    return next(item for item in items if item["metadata"]["name"] == name)


@pytest.mark.parametrize("cni", CNIS)
def test_the_first_object_denies_all_traffic_and_every_object_has_the_label_that_protects_it(cni):
    first, *others = bundle(cni)
    spec = first["spec"]
    assert (spec["podSelector"], spec["policyTypes"]) == ({}, ["Ingress", "Egress"])
    peers = [peer for rule in spec["ingress"] for peer in rule["from"]]
    peers += [peer for rule in spec.get("egress", ()) for peer in rule["to"]]
    named = [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in peers]
    assert named == {"cilium": ["gateway-system"]}.get(cni, ["gateway-system", "kube-system"])
    assert {item["metadata"]["labels"][labels.REGISTERED] for item in (first, *others)} == {"true"}
    assert {item["metadata"]["namespace"] for item in (first, *others)} == {NAMESPACE}


@pytest.mark.parametrize("cni", CNIS)
def test_a_network_is_open_only_to_pods_with_the_label_of_its_egress(cni):
    policy = named(bundle(cni, egress=[BANK]), "egress-bank")
    assert policy["spec"]["podSelector"] == {"matchLabels": {"egress.vds-platform.no/bank": "true"}}
    [rule] = policy["spec"]["egress"]
    assert rule == {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}], "ports": [{"protocol": "TCP", "port": 443}]}


def test_with_cilium_a_host_is_open_by_name_and_the_proxy_answers_for_no_other_name_outside():
    items = bundle("cilium")
    [rule] = named(items, "egress-vipps-names")["spec"]["egress"]
    assert rule["toFQDNs"] == [{"matchName": "api.vipps.no"}]
    [dns] = named(items, "allow-dns")["spec"]["egress"]
    asked = [next(iter(one.values())) for one in dns["toPorts"][0]["rules"]["dns"]]
    assert [name for name in asked if not name.endswith(".cluster.local")] == ["api.vipps.no"]


def test_cilium_without_the_l7_proxy_gets_no_rule_that_it_refuses():
    """Its agents take no policy with names then, and pods without a policy for DNS could ask for none."""
    facts = environment(dnsNames=False)
    registered = registration(egress=[])
    [dns] = named(namespace_manifests(registered, NAMESPACE, facts), "allow-dns")["spec"]["egress"]
    assert dns["toPorts"] == [{"ports": [{"port": "53", "protocol": "ANY"}]}]
    saved = contract_spec(registered, NAMESPACE, facts)
    assert list(contract_manifests(NAMESPACE, saved)) == list(network_manifests(registered, NAMESPACE, facts))
    [refused] = egress_problems(registration(), facts)
    assert "can't be allowed by name: Cilium without its L7 proxy knows only addresses" in refused.message


@pytest.mark.parametrize(("cni", "count"), [("cilium", 0), ("calico", 1), ("flannel", 1)])
def test_a_cni_without_names_is_said_before_anything_is_made(cni, count):
    assert len(list(egress_problems(registration(), environment(cni=cni)))) == count


def test_calico_leaves_its_tier_by_no_rule_because_the_default_deny_is_in_it():
    items = [*bundle("calico"), *cluster_manifests(environment(cni="calico"))]
    rules = [
        rule
        for item in items
        if item["apiVersion"].startswith("projectcalico")
        for side in ("ingress", "egress")
        for rule in item["spec"].get(side, [])
    ]
    assert {rule["action"] for rule in rules} == {"Deny"}
    assert len(rules) == 3


@pytest.mark.parametrize("cni", CNIS)
def test_the_metadata_service_and_the_nodes_are_denied_where_the_cni_has_a_tier_for_it(cni):
    [floor] = floor_manifests(environment(cni=cni, adminTier=True))
    assert "169.254.0.0/16" in str(floor)
    assert ("192.0.2.0/24" in str(floor)) or ("remote-node" in str(floor))


def test_an_environment_without_such_a_tier_has_no_object_for_it():
    assert floor_manifests(environment(cni="flannel")) == []


def bindings(**changes):
    """Who has which ClusterRole."""
    found = [item for item in bundle("cilium", **changes) if item["kind"] == "RoleBinding"]
    return {one["roleRef"]["name"]: [who["name"] for who in one["subjects"]] for one in found}


def waived(rule: str) -> dict[str, object]:
    return {"exceptions": [{"name": "move", "rule": rule, "until": "2027-06-30", "reason": "the move of the database"}]}


def test_only_a_registered_exception_lets_people_run_commands_in_pods():
    roles = {one["metadata"]["name"]: one["rules"] for one in roles_manifests()}
    (commands,) = [name for name, rules in roles.items() if "pods/exec" in str(rules)]
    plain, excepted = bindings(), bindings(**waived("tenancy-exec"))
    assert set(plain) == set(roles) - {commands}
    assert excepted == {**plain, commands: ["butikk-developers"]}


def test_priorities_of_the_cluster_are_refused_by_a_quota_where_an_exception_waives_the_rule():
    def names(items):
        return [one["metadata"]["name"] for one in items if one["kind"] == "ResourceQuota"]

    assert names(bundle("cilium")) == ["tenant"]
    assert sorted(names(bundle("cilium", **waived("tenancy-priority")))) == ["system-priorities", "tenant"]


def test_quotas_count_every_kind_that_the_tenant_may_create():
    hard = named([item for item in bundle("cilium") if item["kind"] == "ResourceQuota"], "tenant")["spec"]["hard"]
    assert (
        hard["count/networkpolicies.networking.k8s.io"] == hard["count/httproutes.gateway.networking.k8s.io"] == "100"
    )
    assert not [name for name in hard if name.startswith("count/pods")]


@pytest.mark.parametrize("cni", CNIS)
def test_the_policy_pack_has_nothing_against_it(cni):
    tenant = registration(**data(egress=[BANK]))
    items = [
        registered_namespace(tenant, NAMESPACE),
        *namespace_manifests(tenant, NAMESPACE, environment(cni=cni)),
        *cluster_manifests(environment(cni=cni)),
    ]
    found = violations(ENGINE_POLICIES, [_resource(item) for item in items])
    assert [f"{one.policy}: {one.message}" for one in found if not one.policy.startswith("residency")] == []


@pytest.mark.parametrize("release", ["1.18.2", pinned("cilium")])
@pytest.mark.parametrize("gateway", ["gateway-system", None])
def test_ciliums_definitions_know_every_field(release, gateway):
    facts = {**ENVIRONMENT["gateway"], "dataPlaneNamespace": gateway}
    items = namespace_manifests(registration(), NAMESPACE, environment(gateway=facts))
    ours = [item for item in (*items, *floor_manifests(environment())) if item["apiVersion"] == "cilium.io/v2"]
    assert len(ours) == (4 if gateway else 5)
    assert [error for item in ours for error in crd_errors(item, CILIUM, release)] == []


def test_an_exception_names_a_rule_that_exists():
    waiver = {"name": "x", "until": "2027-06-30", "reason": "the move of the database"}
    for rule, count in (
        ("tenancy-exec", 0),
        ("tenancy-node-selector", 0),
        ("tenancy-protected", 1),
        ("tenancy-exex", 1),
    ):
        problems = registration_problems(registration(exceptions=[{**waiver, "rule": rule}]))
        assert len(list(problems)) == count, rule


def test_hosts_need_a_cni_that_knows_names():
    rules = [found.rule for found in environment_problems(registration(), environment(cni="calico"))]
    assert rules == ["tenancy-egress"]


def _resource(item):
    metadata, api, kind = item["metadata"], item["apiVersion"], item["kind"]
    body = {key: value for key, value in item.items() if key not in ("apiVersion", "kind", "metadata")}
    return kube(api, kind, metadata["name"], metadata.get("namespace"), metadata=metadata, **body)
