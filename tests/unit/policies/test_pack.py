"""The pack on foreign programs, by its harness: every policy passes, fails, and meets a value nobody knows yet."""

import copy

import pytest

from policies.engine import ENGINE_POLICIES, POLICIES
from tests.support.foreign import (
    PLACE,
    Props,
    binding,
    cilium_config,
    deployment,
    kube,
    machine,
    namespace,
    peer,
    pool,
    record,
    release,
    service,
)
from tests.support.policy import UNKNOWN, Reported, Resource, violations
from tests.support.policy_cases import CASES

NATIVE = {"routing-mode": "native", "ipv4-native-routing-cidr": "10.244.0.0/16"}


def found(resources: list[Resource], config: Props | None = None) -> list[Reported]:
    return violations(ENGINE_POLICIES, resources, config)


OUTCOMES = ("passes", "fails", "unknown")


def test_every_policy_has_its_three_cases() -> None:
    missing = {(policy.name, outcome) for policy in ENGINE_POLICIES for outcome in OUTCOMES} - {
        (name, outcome)
        for name, case in CASES.items()
        for outcome in OUTCOMES
        if getattr(case, outcome) or (outcome == "unknown" and case.harmless)
    }
    assert not missing
    assert set(CASES) <= {policy.name for policy in ENGINE_POLICIES}
    assert not [name for name, case in CASES.items() if case.unknown and case.harmless]


@pytest.mark.parametrize("policy", CASES)
def test_what_keeps_a_policy_passes_the_whole_pack(policy: str) -> None:
    assert found(CASES[policy].passes, CASES[policy].config) == []


@pytest.mark.parametrize("policy", CASES)
def test_what_breaks_a_policy_is_refused_with_item_value_and_remedy(policy: str) -> None:
    case = CASES[policy]
    [violation] = [violation for violation in found(case.fails, case.config) if violation.policy == policy]
    assert case.message in violation.message
    assert violation.mandatory is POLICIES[policy].mandatory


@pytest.mark.parametrize("policy", [name for name, case in CASES.items() if case.unknown])
def test_what_nobody_knows_yet_is_a_violation_as_mandatory_as_any(policy: str) -> None:
    case = CASES[policy]
    [violation] = [violation for violation in found(case.unknown, case.config) if violation.policy == policy]
    assert "cannot be decided at preview" in violation.message
    assert violation.mandatory is POLICIES[policy].mandatory


@pytest.mark.parametrize("policy", CASES)
def test_a_resource_that_is_malformed_is_refused_and_not_a_crash(policy: str) -> None:
    def spoil(resource: Resource) -> Resource:
        props = copy.deepcopy(dict(resource.props))
        return resource._replace(
            props={key: 7 if isinstance(value, dict | list) else value for key, value in props.items()}
        )

    for violation in found([spoil(resource) for resource in CASES[policy].fails], CASES[policy].config):
        assert "correct the field" in violation.message or ":" in violation.message


def test_levels_are_the_configurations_to_set_and_unknown_values_follow_them() -> None:
    advice = {"gateway-weights": {"enforcementLevel": "advisory"}}
    for outcome in (CASES["gateway-weights"].fails, CASES["gateway-weights"].unknown):
        [violation] = [said for said in found(outcome, advice) if said.policy == "gateway-weights"]
        assert not violation.mandatory
    assert found(CASES["gateway-weights"].fails, {"gateway-weights": {"enforcementLevel": "disabled"}}) == []
    [violation] = found(
        CASES["metallb-client-address"].fails, {"metallb-client-address": {"enforcementLevel": "mandatory"}}
    )
    assert violation.mandatory


def test_a_namespace_may_be_less_than_restricted_until_a_day() -> None:
    baseline = CASES["tenancy-pod-security"].fails
    excused = {"agency": {"until": "2026-11-21", "reason": "until the image runs unprivileged"}}
    assert found(baseline, {"tenancy-pod-security": {"exceptions": excused}}) == []
    [violation] = found(baseline, {"tenancy-pod-security": {"exceptions": excused, "today": "2026-11-22"}})
    assert "its exception ended on 2026-11-21" in violation.message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"kubeProxyReplacement": True, "k8sServiceHost": "203.0.113.5", "loadBalancer": {"mode": "dsr"}},
            "bpf-lb-mode dsr: every agent exits: dsr over a VXLAN tunnel",
        ),
        ({"routingMode": "native"}, "ipv4-native-routing-cidr: every agent exits: native routing that masquerades"),
    ],
)
def test_values_that_helm_renders_and_no_agent_takes_are_refused(values: Props, message: str) -> None:
    messages = [v.message for v in found([release("cilium", values)]) if v.policy == "cni-consistent"]
    assert any(message in said for said in messages), messages


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"auto-direct-node-routes": "true"}, "auto-direct-node-routes true: every agent exits: a VXLAN tunnel runs"),
        (
            {"routing-mode": "native"},
            "ipv4-native-routing-cidr: every agent exits: native routing that masquerades",
        ),
        ({"enable-bpf-masquerade": "true"}, None),  # needs kube-proxy replacement up to 1.18 only
        (
            {"enable-l2-announcements": "true"},
            "enable-l2-announcements true: does nothing: it needs kube-proxy",
        ),
        ({**NATIVE, "bpf-lb-mode": "dsr"}, "bpf-lb-mode dsr: does nothing: kube-proxy carries Services"),
        ({**NATIVE, "bpf-lb-mode": "dsr", "kube-proxy-replacement": "true"}, None),
        (
            {
                "tunnel-protocol": "geneve",
                "bpf-lb-mode": "dsr",
                "bpf-lb-dsr-dispatch": "geneve",
                "kube-proxy-replacement": "true",
            },
            None,
        ),
    ],
)
def test_a_configuration_of_cilium_is_judged_as_its_agents_do(data: dict[str, str], message: str | None) -> None:
    messages = [violation.message for violation in found([cilium_config(**data)])]
    assert len(messages) == (message is not None)
    assert message is None or message in messages[0]


def test_a_router_of_the_configuration_is_in_no_pool() -> None:
    [violation] = found([pool("203.0.113.0/30")], {"metallb-pool-addresses": {"gateways": ["203.0.113.1"]}})
    assert "contains the router (203.0.113.1): MetalLB would answer for it and cut every node off" in violation.message


def test_a_host_port_of_a_job_in_a_job_is_found() -> None:
    container = {
        "name": "c",
        "image": "quay.io/a@sha256:" + "0" * 64,
        "ports": [{"containerPort": 80, "hostPort": 8080}],
    }
    job = {"spec": {"template": {"spec": {"initContainers": [container]}}}}
    [violation] = found([kube("batch/v1", "CronJob", "nightly", "agency", spec={"jobTemplate": job})])
    assert "CronJob agency/nightly: opens port 8080 of the node (hostPort)" in violation.message


def test_images_by_tag_are_taken_from_registries_that_the_program_or_the_pack_names() -> None:
    web = deployment("registry.example.no/web:1", "agency")
    ours = record({**PLACE, "purposes": ["image-registry", "dns", "time"]})
    assert found([ours, web]) == []
    assert found([web], {"tenancy-images": {"registries": ["registry.example.no"]}}) == []
    [violation] = found([ours, web], {"tenancy-images": {"registries": []}})
    assert violation.policy == "tenancy-images"


def test_everybody_in_the_cluster_is_bound_to_nothing() -> None:
    for name in ("system:authenticated", "system:serviceaccounts:agency"):
        [violation] = found([binding(kind="Group", name=name)])
        assert violation.policy == "tenancy-cluster-binding"
    assert found([binding(kind="Group", name="system:serviceaccounts:kube-system")]) == []


def test_ciliums_own_peers_and_sets_of_listeners_are_judged_alike() -> None:
    [advice] = found([kube("cilium.io/v2", "CiliumBGPPeerConfig", "p", spec={})])
    assert "CiliumBGPPeerConfig 'p': has no password" in advice.message
    assert found([kube("cilium.io/v2", "CiliumBGPPeerConfig", "p", spec={"authSecretRef": "bgp"})]) == []
    spec = {"listeners": [{"name": "web", "port": 80, "protocol": "HTTP"}]}
    [violation] = found([kube("gateway.networking.k8s.io/v1", "ListenerSet", "s", "agency", spec=spec)])
    assert "ListenerSet agency/s, web: takes plain text" in violation.message


def test_a_password_of_a_bgp_session_is_not_repeated() -> None:
    [violation] = found([peer(password="hunter2")])
    assert "has its password in plain text" in violation.message
    assert "hunter2" not in violation.message


def test_a_provider_under_foreign_law_is_refused_wherever_its_machines_stand() -> None:
    server = Resource("agency:index:Server", {"country": "NO", "providerCountry": "US"}, "osl-9", component=True)
    [violation] = found([server])
    assert "node osl-9: its provider is in US, allowed: NO" in violation.message


def test_which_countries_are_allowed_is_the_packs_to_say() -> None:
    abroad = machine("sto-1", "SE")
    assert found(abroad, {"residency": {"allowedCountries": ["NO", "SE"]}}) == []


@pytest.mark.parametrize(
    ("country", "places", "message"),
    [
        (None, {"203.0.113.0/24": "NO"}, None),
        (None, {"203.0.113.0/24": "NO", "203.0.113.8/29": "US"}, "the machine (203.0.113.12) is in US"),
        ("NO", {"203.0.113.0/24": "US"}, "declares NO, but the policy's `places` has 203.0.113.12 in US"),
        (None, {"198.51.100.0/24": "NO"}, "nothing says in which country"),
    ],
)
def test_networks_whose_country_the_auditor_knows_are_judged_by_it(
    country: str | None, places: dict[str, str], message: str | None
) -> None:
    messages = [v.message for v in found(machine("osl-2", country), {"residency-place": {"places": places}})]
    assert len(messages) == (message is not None)
    assert message is None or message in messages[0]


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        (cilium_config(), None),
        (cilium_config(mtu="0"), None),
        (cilium_config(mtu="9000"), "pods would send 8950 bytes where only 1500 − 50 (VXLAN) = 1450 fits"),
        (cilium_config(mtu="1400", **NATIVE), "1400 − 0 (native routing) = 1400 where 1500"),
        (release("cilium", {"MTU": 1500}), None),
        (release("oci://mirror.example.no/charts/cilium", {"MTU": 1450}), "data.mtu 1450 on links of 1500"),
        (release("cilium", {"MTU": UNKNOWN}), "cannot be decided at preview: values.MTU is not known yet"),
        (release("tigera-operator", {"installation": {"calicoNetwork": {"mtu": 1480}}}), None),
        (
            release(
                "tigera-operator",
                {
                    "installation": {
                        "calicoNetwork": {
                            "mtu": 1500,
                            "ipPools": [{"encapsulation": "None"}, {"encapsulation": "VXLAN"}],
                        }
                    }
                },
            ),
            "to Calico it is the pods' MTU, and pods get 1500 − 50 (VXLAN) = 1450: write 1450",
        ),
        (release("redis", {"MTU": 1450}), None),
        (kube("operator.tigera.io/v1", "Installation", "default", spec={"calicoNetwork": {"mtu": 1500}}), "1480"),
    ],
)
def test_every_way_to_write_an_mtu_is_read_in_its_own_meaning(resource: Resource, message: str | None) -> None:
    messages = [violation.message for violation in found([resource])]
    assert len(messages) == (message is not None), messages
    assert message is None or message in messages[0]


def test_what_the_links_carry_is_declared_by_a_component_or_the_packs_configuration() -> None:
    jumbo = [Resource("agency:index:Network", {"underlayMtu": 9000}, "net", component=True), cilium_config(mtu="9000")]
    assert found(jumbo) == []
    assert found([cilium_config(mtu="9000")], {"cni-mtu": {"underlayMtu": 9000}}) == []
    [violation] = found(jumbo, {"cni-mtu": {"underlayMtu": 1500}})
    assert "on links of 1500" in violation.message


def test_nodes_that_the_program_does_not_reach_are_configured() -> None:
    config = {"metallb-pool-addresses": {"nodes": {"osl-7": "203.0.113.14"}, "nodeCidr": "203.0.113.0/24"}}
    messages = [violation.message for violation in found([pool("203.0.113.0/28")], config)]
    assert ["osl-7" in messages[0], "the network address" in messages[1], len(messages)] == [True, True, 2]


def test_a_pool_may_not_hold_the_api_server_that_cilium_is_told_of() -> None:
    [violation] = found([release("cilium", {"k8sServiceHost": "203.0.113.5"}), pool("203.0.113.5/32")])
    assert "contains the API server (203.0.113.5)" in violation.message


def test_a_machine_that_is_reached_by_name_leaves_its_pool_undecided() -> None:
    resources = [*machine("osl-2", host="osl-2.example.no"), pool("203.0.113.0/28")]
    [violation] = found(resources)
    assert "osl-2.example.no is a name, so it is not known whether a pool contains it" in violation.message
    assert found(resources, {"metallb-pool-addresses": {"nodes": {"osl-2": "203.0.113.99"}}}) == []


def test_pools_that_share_an_address_are_refused() -> None:
    [violation] = found([pool("203.0.113.0/30"), pool("203.0.113.3/32", name="other")])
    assert "overlaps 203.0.113.0/30 of pool 'public'" in violation.message


def test_pools_of_two_clusters_share_private_addresses_and_no_public_ones() -> None:
    private, public = "192.168.10.200-192.168.10.220", "203.0.113.0/30"
    assert found([pool(private), pool(private)._replace(name="there", provider="other")]) == []
    [violation] = found([pool(public), pool(public)._replace(name="there", provider="other")])
    assert "overlaps 203.0.113.0/30 of pool 'public'" in violation.message


def test_a_pool_holds_no_address_of_services() -> None:
    [violation] = found([pool("10.96.0.0/16")])
    assert (
        "pool 'public': 10.96.0.0/16 is in 10.96.0.0/12, whose addresses Kubernetes gives to Services"
        in violation.message
    )
    config = {"metallb-pool-addresses": {"serviceNetworks": ["10.43.0.0/16"]}}
    assert found([pool("10.96.0.0/16")], config) == []
    assert "is in 10.43.0.0/16" in found([pool("10.43.0.0/24")], config)[0].message


def test_an_unknown_pool_or_namespace_hides_no_other() -> None:
    unknown = pool(UNKNOWN)._replace(name="unknown")
    messages = [said.message for said in found([unknown, *machine("osl-2"), pool("203.0.113.10-203.0.113.20")])]
    assert any("IPAddressPool unknown: cannot be decided at preview" in message for message in messages)
    assert any("contains node osl-2" in message for message in messages)
    nameless = namespace()._replace(props={"metadata": {"name": UNKNOWN}}, name="nameless")
    twice = [namespace(), namespace()._replace(name="again"), nameless]
    messages = [said.message for said in found(twice) if said.policy == "tenancy-one-bundle"]
    assert any("is declared twice" in message for message in messages)
    assert any("Namespace nameless: cannot be decided at preview" in message for message in messages)


@pytest.mark.parametrize(
    "spec",
    [
        {"blocks": [{"cidr": "203.0.113.8/29"}]},
        {"blocks": [{"start": "203.0.113.10", "stop": "203.0.113.20"}]},
        {"blocks": [{"start": "203.0.113.12"}]},
        {"cidrs": [{"cidr": "203.0.113.8/29"}]},
    ],
)
def test_ciliums_pools_are_judged_as_metallbs_are(spec: Props) -> None:
    cilium = kube("cilium.io/v2", "CiliumLoadBalancerIPPool", "public", spec=spec)
    for resource in (cilium, cilium._replace(type=f"{cilium.type}Patch")):
        [violation] = found([*machine("osl-2"), resource])
        assert violation.policy == "metallb-pool-addresses"
        assert "contains node osl-2 (203.0.113.12)" in violation.message
    unknown = kube("cilium.io/v2", "CiliumLoadBalancerIPPool", "public", spec={"blocks": UNKNOWN})
    assert {said.policy for said in found([unknown])} == {"metallb-pool-addresses", "residency-destinations"}


def test_what_is_no_address_is_refused() -> None:
    [violation] = found([pool("203.0.113.30-203.0.113.3")])
    assert "ends before it begins" in violation.message


def test_a_namespace_is_the_platforms_only_when_the_pack_says_so() -> None:
    ours = [namespace("monitoring", **{"vds-platform.no/tenant": "", "pod-security.kubernetes.io/enforce": ""})]
    assert len(found(ours)) == 6
    assert found(ours, {"tenancy-label": {"platformNamespaces": ["monitoring"]}}) == []
    assert len(found(ours)) == 6


def test_a_node_port_set_on_somebody_elses_service_is_refused() -> None:
    patch = service(type="NodePort")._replace(type="kubernetes:core/v1:ServicePatch")
    assert [violation.policy for violation in found([patch])] == ["gateway-no-node-port"]


def test_no_message_shows_a_secret() -> None:
    [violation] = found([cilium_config(mtu="hunter2")])
    assert "hunter2" not in violation.message
