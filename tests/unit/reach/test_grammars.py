"""Policies of Cilium, Calico and network-policy-api decide as their projects say."""

from typing import Any

import pytest

from components.reach.model import Answer
from tests.support.reach_clusters import namespace, pod, policies, reached, verdict

A, B, C = "a/x", "b/x", "a/y"
CLUSTER = [namespace("a", team="one"), namespace("b", team="two"), pod(A), pod(B), pod(C)]
POLICY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: n, namespace: a}\n"
ALLOW_ALL = f"{POLICY}spec: {{podSelector: {{}}, ingress: [{{}}]}}"
DENY_ALL = f"{POLICY}spec: {{podSelector: {{}}, ingress: []}}"
OUTSIDE = "203.0.113.7"


def into_ax(text: str, **options: Any) -> set[str]:
    """Who reaches a/x."""
    return {
        call.split(" ")[0] + call[len(call.rstrip("?")) :]
        for call in reached([*CLUSTER, *policies(text)], **options)
        if f"→ {A}" in call
    }


def cilium(spec: str, kind: str = "CiliumNetworkPolicy") -> str:
    scope = ", namespace: a" if kind == "CiliumNetworkPolicy" else ""
    return f"""
apiVersion: cilium.io/v2
kind: {kind}
metadata: {{name: p{scope}}}
spec: {{endpointSelector: {{matchLabels: {{app: x}}}}, {spec}}}
"""


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("ingress: [{}]", set()),
        ("ingress: []", {B, C}),  # without rules a direction is not restricted
        ("ingress: [{fromEndpoints: [{}]}]", {C}),  # of its own namespace
        ("ingress: [{fromEndpoints: []}]", set()),
        ("ingress: [{fromEndpoints: [{matchLabels: {'k8s:io.kubernetes.pod.namespace': b}}]}]", {B}),
        ("ingress: [{fromEndpoints: [{matchLabels: {io.cilium.k8s.namespace.labels.team: two}}]}]", {B}),
        ("ingress: [{fromEndpoints: [{matchLabels: {app: y}}]}]", {C}),
        ("ingress: [{fromEndpoints: [{matchLabels: {'k8s:app': y}}]}]", {C}),
        ("ingress: [{fromEntities: [cluster]}]", {B, C}),
        ("ingress: [{fromEntities: [all]}]", {B, C}),
        ("ingress: [{fromEntities: [world]}]", set()),
        ("ingress: [{fromEntities: [ingress]}]", set()),
        ("ingress: [{fromCIDR: [0.0.0.0/0]}]", set()),  # no network holds a pod
        ("ingress: [{toPorts: [{ports: [{port: '80'}]}]}]", {B, C}),
        ("ingress: [{toPorts: [{ports: [{port: '81'}]}]}]", set()),
        ("ingress: [{toPorts: [{ports: [{port: '79', endPort: 90, protocol: TCP}]}]}]", {B, C}),
        ("ingress: [{toPorts: [{ports: [{port: '80', protocol: UDP}]}]}]", set()),
        ("ingress: [{icmps: [{fields: [{type: 8}]}]}]", set()),
        ("ingressDeny: [{fromEndpoints: [{matchLabels: {app: y}}]}]", set()),  # and it denies the rest
        ("enableDefaultDeny: {ingress: false}, ingressDeny: [{fromEndpoints: [{matchLabels: {app: y}}]}]", {B}),
        ("ingress: [{fromEntities: [all]}], ingressDeny: [{fromEndpoints: [{}]}]", {B}),
        ("enableDefaultDeny: {ingress: false}, ingress: [{fromEndpoints: [{}]}]", {B, C}),
        ("egress: [{toEndpoints: [{}]}]", {B, C}),
        ("ingress: [{fromEndpoints: [{}], authentication: {mode: required}}]", {f"{C}?"}),
        ("ingress: [{fromNobody: [{}]}]", {f"{B}?", f"{C}?"}),  # a field that is not known
    ],
)  # fmt: skip
def test_a_policy_of_cilium_s(spec: str, wanted: set[str]) -> None:
    assert into_ax(cilium(spec)) == wanted


def test_a_clusterwide_policy_of_cilium_s_is_for_all_namespaces() -> None:
    text = cilium("ingress: [{fromEndpoints: [{}]}]", "CiliumClusterwideNetworkPolicy")
    assert into_ax(text) == {B, C}
    text = cilium("ingress: [{fromEndpoints: [{matchLabels: {app: y}}]}]", "CiliumClusterwideNetworkPolicy")
    assert reached([*CLUSTER, *policies(text)]) == {f"{C} → {A}", f"{C} → {B}", f"{A} → {C}", f"{B} → {C}"}


def test_cilium_s_and_kubernetes_policies_add_up() -> None:
    assert into_ax(f"{DENY_ALL}\n---\n{cilium('ingress: [{fromEndpoints: [{}]}]')}") == {C}


@pytest.mark.parametrize(("rule", "wanted"), [
    ("toFQDNs: [{matchName: api.vipps.no}]", Answer.UNDECIDED),
    ("toEntities: [world]", Answer.YES),
    ("toCIDR: [203.0.113.0/24]", Answer.YES),
    ("toCIDRSet: [{cidr: 203.0.113.0/24, except: [203.0.113.0/28]}]", Answer.NO),
    ("toCIDRSet: [{cidrGroupRef: g}]", Answer.UNDECIDED),
    ("toEndpoints: [{}]", Answer.NO),
    ("toEntities: [kube-apiserver]", Answer.UNDECIDED),  # its address is not among the manifests
])  # fmt: skip
def test_what_leaves_the_cluster_by_a_policy_of_cilium_s(rule: str, wanted: Answer) -> None:
    found = [*CLUSTER, *policies(cilium(f"egress: [{{{rule}}}]"))]
    assert verdict(found, A, OUTSIDE, "443/TCP", addresses=[OUTSIDE]).answer is wanted


# --- Calico ------------------------------------------------------------------------------------------------


def calico(spec: str, kind: str = "NetworkPolicy", name: str = "p") -> str:
    scope = ", namespace: a" if kind == "NetworkPolicy" else ""
    return f"""
apiVersion: projectcalico.org/v3
kind: {kind}
metadata: {{name: {name}{scope}}}
spec: {{selector: "app == 'x'", {spec}}}
"""


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("types: [Ingress]", set()),
        ("ingress: []", set()),  # without types: ingress
        ("types: [Egress]", {B, C}),
        ("ingress: [{action: Allow}]", {B, C}),
        ("ingress: [{action: Log}, {action: Allow}]", {B, C}),
        ("ingress: [{action: Pass}]", {B, C}),  # no tier after the default one decides
        ("ingress: [{action: Deny, source: {selector: app == 'y'}}, {action: Allow}]", {B}),
        ("ingress: [{action: Allow}, {action: Deny}]", {B, C}),
        ("ingress: [{action: Allow, source: {selector: app == 'y'}}]", {C}),
        ("ingress: [{action: Allow, source: {selector: app == 'x'}}]", set()),  # of its own namespace
        ("ingress: [{action: Allow, source: {namespaceSelector: team == 'two'}}]", {B}),
        ("ingress: [{action: Allow, source: {namespaceSelector: all(), selector: \"app in {'x', 'y'}\"}}]", {B, C}),
        ("ingress: [{action: Allow, source: {namespaceSelector: \"projectcalico.org/name == 'b'\"}}]", {B}),
        ("ingress: [{action: Allow, source: {namespaceSelector: all(), notSelector: app == 'y'}}]", {B}),
        ("ingress: [{action: Allow, source: {namespaceSelector: all(), selector: app contains 'y'}}]", {C}),
        ("ingress: [{action: Allow, source: {namespaceSelector: global()}}]", set()),
        ("ingress: [{action: Allow, source: {serviceAccounts: {names: [robot]}}}]", set()),
        ("ingress: [{action: Allow, source: {serviceAccounts: {names: [default]}}}]", {C}),
        ("ingress: [{action: Allow, destination: {selector: app == 'other'}}]", set()),
        ("ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]", {B, C}),
        ("ingress: [{action: Allow, protocol: TCP, destination: {ports: ['79:90']}}]", {B, C}),
        ("ingress: [{action: Allow, protocol: TCP, destination: {notPorts: [80]}}]", set()),
        ("ingress: [{action: Allow, protocol: UDP}]", set()),
        ("ingress: [{action: Allow, notProtocol: UDP}]", {B, C}),
        ("ingress: [{action: Allow, protocol: ICMP}]", set()),
        ("ingress: [{action: Allow, source: {ports: [80]}, protocol: TCP}]", {f"{B}?", f"{C}?"}),
        ("ingress: [{action: Allow, source: {selector: 'app =='}}]", {f"{B}?", f"{C}?"}),
        ("ingress: [{action: Allow, source: {services: {name: s}}}]", {f"{B}?", f"{C}?"}),
        ("tier: missing, ingress: [{action: Allow}]", {f"{B}?", f"{C}?"}),
    ],
)  # fmt: skip
def test_a_policy_of_calico_s(spec: str, wanted: set[str]) -> None:
    assert into_ax(calico(spec)) == wanted


def test_calico_s_policies_are_evaluated_by_their_order() -> None:
    deny = calico("order: 10, ingress: [{action: Deny}]", name="last")
    allow = calico("order: 5, ingress: [{action: Allow}]", name="first")
    assert into_ax(f"{deny}\n---\n{allow}") == {B, C}
    assert into_ax(f"{calico('order: 1, ingress: [{action: Deny}]')}\n---\n{allow}") == set()
    no_order = calico("ingress: [{action: Deny}]", name="without")
    assert into_ax(f"{no_order}\n---\n{allow}") == {B, C}


TIER = "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: early}\nspec: {order: 100%s}"


@pytest.mark.parametrize(("action", "rules", "wanted"), [
    ("", "[{action: Pass, source: {selector: app == 'y'}}]", {C}),  # the rest is denied at the end of the tier
    (", defaultAction: Pass", "[{action: Deny, source: {selector: app == 'y'}}]", {B}),
    ("", "[{action: Allow, source: {selector: app == 'y'}}]", {C}),
])  # fmt: skip
def test_a_tier_of_calico_s_comes_before_the_default_one(action: str, rules: str, wanted: set[str]) -> None:
    early = calico(f"tier: early, ingress: {rules}", "GlobalNetworkPolicy", "early.p")
    later = calico("ingress: [{action: Allow}]", name="later")
    assert into_ax("\n---\n".join([TIER % action, early, later])) & {B, C} == wanted


def test_kubernetes_policies_are_in_calico_s_default_tier_at_1000() -> None:
    assert into_ax(f"{ALLOW_ALL}\n---\n{calico('order: 999, ingress: [{action: Deny}]')}") == set()
    assert into_ax(f"{ALLOW_ALL}\n---\n{calico('order: 1001, ingress: [{action: Deny}]')}") == {B, C}


def test_a_network_set_may_hold_pods() -> None:
    members = TIER.replace("Tier", "GlobalNetworkSet") % ", nets: [10.0.0.0/8]"
    text = calico("ingress: [{action: Allow, source: {namespaceSelector: global(), selector: r == 't'}}]")
    assert into_ax(f"{members}\n---\n{text}") == {f"{B}?", f"{C}?"}


def test_policies_of_two_cnis_need_a_word() -> None:
    both = f"{calico('ingress: []')}\n---\n{cilium('ingress: []')}"
    with pytest.raises(ValueError, match="name the one"):
        into_ax(both)
    assert into_ax(both, cni="cilium") == {B, C}
    assert into_ax(both, cni="calico") == set()


# --- network-policy-api ------------------------------------------------------------------------------------


def admin(spec: str, name: str = "p", kind: str = "ClusterNetworkPolicy") -> str:
    version = "v1alpha2" if kind == "ClusterNetworkPolicy" else "v1alpha1"
    return f"""
apiVersion: policy.networking.k8s.io/{version}
kind: {kind}
metadata: {{name: {name}}}
spec: {{subject: {{namespaces: {{matchLabels: {{team: one}}}}}}, {spec}}}
"""


FROM_B = "from: [{namespaces: {matchLabels: {team: two}}}]"


@pytest.mark.parametrize(
    ("spec", "other", "wanted"),
    [
        (f"tier: Admin, priority: 1, ingress: [{{action: Deny, {FROM_B}}}]", ALLOW_ALL, {C}),
        (f"tier: Admin, priority: 1, ingress: [{{action: Accept, {FROM_B}}}]", DENY_ALL, {B}),
        (f"tier: Admin, priority: 1, ingress: [{{action: Pass, {FROM_B}}}]", DENY_ALL, set()),
        (f"tier: Baseline, priority: 1, ingress: [{{action: Deny, {FROM_B}}}]", ALLOW_ALL, {B, C}),
        (f"tier: Baseline, priority: 1, ingress: [{{action: Deny, {FROM_B}}}]", "", {C}),
        (f"tier: Admin, priority: 1, ingress: [{{action: Pass, {FROM_B}}}, {{action: Deny, {FROM_B}}}]", "", {B, C}),
        (f"tier: Admin, priority: 1, ingress: [{{action: Deny, {FROM_B}, protocols: [{{udp: {{}}}}]}}]", "", {B, C}),
        (f"tier: Admin, priority: 1, ingress: [{{action: Halt, {FROM_B}}}]", "", {f"{B}?", f"{C}?"}),
        ("tier: Admin, priority: 1, ingress: [{action: Deny, from: [{sameTenant: true}]}]", "", {f"{B}?", f"{C}?"}),
    ],
)  # fmt: skip
def test_a_cluster_network_policy(spec: str, other: str, wanted: set[str]) -> None:
    assert into_ax(f"{admin(spec)}\n---\n{other}") == wanted


def test_two_policies_of_one_priority_that_contradict_each_other_are_undecided() -> None:
    one, other = (
        admin(f"tier: Admin, priority: 5, ingress: [{{action: {act}, {FROM_B}}}]", act.lower())
        for act in ("Accept", "Deny")
    )
    assert into_ax(f"{one}\n---\n{other}") == {f"{B}?", C}
    found = verdict([*CLUSTER, *policies(f"{one}\n---\n{other}")], B, A)
    assert "have the same priority" in found.reasons[0].text


def test_admin_network_policies_of_the_first_version() -> None:
    deny = admin(
        f"priority: 9, ingress: [{{action: Deny, {FROM_B}, ports: [{{portNumber: {{protocol: TCP, port: 80}}}}]}}]",
        kind="AdminNetworkPolicy",
    )
    base = admin(f"ingress: [{{action: Deny, {FROM_B}}}]", "default", "BaselineAdminNetworkPolicy")
    assert into_ax(deny) == {C}
    assert into_ax(deny, port="81/TCP") == {B, C}
    assert into_ax(f"{deny}\n---\n{base}", port="81/TCP") == {C}


def test_the_networks_of_a_cluster_network_policy_hold_pods() -> None:
    spec = "tier: Admin, priority: 1, egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]"
    found = policies(admin(spec))
    assert verdict([*CLUSTER, *found], A, B).answer is Answer.NO


CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config, namespace: kube-system}\ndata: {%s}"
CLUSTER_POLICIES = "enable-k8s-cluster-network-policy: 'true'"


@pytest.mark.parametrize(("settings", "wanted"), [
    ("", Answer.YES),  # not enforced
    (CLUSTER_POLICIES, Answer.YES),  # Cilium knows pods by their labels
    (f"{CLUSTER_POLICIES}, policy-cidr-match-mode: nodes pods", Answer.NO),
    (None, Answer.UNDECIDED),
])  # fmt: skip
def test_whether_cilium_enforces_a_cluster_network_policy_is_in_its_config_map(settings: Any, wanted: Answer) -> None:
    deny = admin("tier: Admin, priority: 1, egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]")
    found = [*CLUSTER, *policies(deny), *(policies(CONFIG % settings) if settings is not None else ())]
    assert verdict(found, A, B, cni="cilium").answer is wanted


def test_old_policies_of_network_policy_api_are_not_cilium_s_and_perhaps_calico_s() -> None:
    deny = admin(f"priority: 9, ingress: [{{action: Deny, {FROM_B}}}]", kind="AdminNetworkPolicy")
    assert into_ax(deny, cni="cilium") == {B, C}
    assert into_ax(deny, cni="calico") == {f"{B}?", f"{C}?"}


@pytest.mark.parametrize(("mode", "wanted"), [("always", set()), ("never", {B, C}), ("default", {C})])
def test_cilium_s_enable_policy(mode: str, wanted: set[str]) -> None:
    config = CONFIG % f"enable-policy: {mode}"
    rule = "" if mode == "always" else cilium("ingress: [{fromEndpoints: [{}]}]")
    assert into_ax(f"{config}\n---\n{rule}", cni="cilium") == wanted


# --- what is not known ---------------------------------------------------------------------------------------


def block(cidr: str) -> str:
    return f"""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: n, namespace: a}}
spec: {{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{cidr: {cidr}}}}}]}}]}}
"""


@pytest.mark.parametrize(("cidr", "cni", "wanted"), [
    ("10.0.0.0/8", "", Answer.UNDECIDED),  # Kubernetes leaves it open
    ("10.0.0.0/8", "cilium", Answer.NO),
    ("10.0.0.0/8", "calico", Answer.YES),
    ("192.0.2.0/24", "", Answer.NO),
])  # fmt: skip
def test_whether_a_block_holds_pods_depends_on_the_cni(cidr: str, cni: Any, wanted: Answer) -> None:
    cluster = [namespace("a"), namespace("b"), pod(A, address="10.1.0.1"), pod(B, address="10.1.0.2")]
    assert verdict([*cluster, *policies(block(cidr))], B, A, cni=cni).answer is wanted


def test_a_pod_without_an_address_may_be_in_a_private_block() -> None:
    assert verdict([*CLUSTER, *policies(block("10.0.0.0/8"))], B, A, cni="calico").answer is Answer.UNDECIDED
    assert verdict([*CLUSTER, *policies(block("192.0.2.0/24"))], B, A, cni="calico").answer is Answer.NO


def test_a_namespace_whose_labels_are_not_there_is_undecided() -> None:
    text = ALLOW_ALL.replace("[{}]", "[{from: [{namespaceSelector: {matchLabels: {team: two}}}]}]")
    cluster = [one for one in CLUSTER if one["kind"] == "Pod"]
    assert verdict([*cluster, *policies(text)], B, A).answer is Answer.UNDECIDED
    by_name = text.replace("team: two", "kubernetes.io/metadata.name: b")
    assert verdict([*cluster, *policies(by_name)], B, A).answer is Answer.YES


def test_a_pod_in_its_node_s_network_is_undecided_where_a_policy_denies() -> None:
    cluster = [namespace("a"), pod(A), pod("a/host", spec={"hostNetwork": True})]
    assert verdict([*cluster, *policies(DENY_ALL)], "a/host", A).answer is Answer.UNDECIDED
    assert verdict(cluster, "a/host", A).answer is Answer.YES


@pytest.mark.parametrize(
    "spec", ["podSelector: 5", "podSelector: {}, policyTypes: [Sideways]", "podSelector: {matchLabels: {app: [x]}}"]
)
def test_a_policy_that_can_t_be_read_leaves_its_namespace_undecided(spec: str) -> None:
    text = (
        f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: n, namespace: a}}\nspec: {{{spec}}}"
    )
    found = verdict([*CLUSTER, *policies(text)], B, A)
    assert found.answer is Answer.UNDECIDED
    assert "NetworkPolicy a/n" in found.reasons[0].text
    assert verdict([*CLUSTER, *policies(text), namespace("c"), pod("c/z")], B, "c/z").answer is Answer.YES


def test_a_pod_whose_labels_can_t_be_read_is_undecided() -> None:
    odd = pod("b/odd")
    odd["metadata"]["labels"]["app"] = {"is": "odd"}
    text = ALLOW_ALL.replace("[{}]", "[{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: z}}}]}]")
    assert verdict([*CLUSTER, odd, *policies(text)], "b/odd", A).answer is Answer.UNDECIDED


def test_a_reason_names_the_policy_and_the_rule() -> None:
    text = ALLOW_ALL.replace("[{}]", "[{from: [{podSelector: {matchLabels: {app: z}}}]}, {from: [{podSelector: {}}]}]")
    found = verdict([*CLUSTER, *policies(text)], C, A)
    assert [(one.direction, one.policy, one.where) for one in found.reasons] == [
        ("egress", "", ""),
        ("ingress", "NetworkPolicy a/n", "ingress[1]"),
    ]
    (denied,) = verdict([*CLUSTER, *policies(text)], B, A).reasons
    assert (denied.action, denied.policy, denied.where) == ("deny", "NetworkPolicy a/n", "")
