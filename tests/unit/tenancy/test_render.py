"""Who may call whom in a tenant's namespace, worked out from the rendered policies alone."""

from typing import Any

from components.core import labels
from components.core.manifests import Manifest
from components.tenancy.render import OWNER_RIGHTS, tenant_manifests
from tests.support.stacks import stack

BUTIKK = stack("lab").tenants[0]
BUNDLE = tenant_manifests(BUTIKK, gateway_namespace="gateway-system")
POLICIES = [made["spec"] for made in BUNDLE if made["kind"] == "NetworkPolicy"]


def pod(tier: str) -> dict[str, str]:
    return {labels.TIER: tier}


GATEWAY_POD = {"app.kubernetes.io/name": "traefik"}


def matches(selector: Manifest, found: dict[str, str]) -> bool:
    return all(found.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())


def peer_is(peer: Manifest, pod_labels: dict[str, str], namespace: str) -> bool:
    """NetworkPolicy's own meaning: no namespaceSelector is the policy's namespace, no podSelector every pod."""
    where = peer.get("namespaceSelector")
    here = namespace == "butikk" if where is None else matches(where, {labels.NAMESPACE_NAME: namespace})
    return here and matches(peer.get("podSelector") or {}, pod_labels)


def allowed(direction: str, subject: dict[str, str], other: dict[str, str], namespace: str, port: int) -> bool:
    side = "from" if direction == "Ingress" else "to"
    policies = [spec for spec in POLICIES if direction in spec["policyTypes"] and matches(spec["podSelector"], subject)]
    assert policies, "every pod is selected by some policy: nothing is open by default"
    rules: list[Any] = [rule for spec in policies for rule in spec.get(direction.lower()) or ()]
    return any(
        any(peer_is(peer, other, namespace) for peer in rule[side]) and any(p["port"] == port for p in rule["ports"])
        for rule in rules
    )


def may_call(caller: str, callee: str, port: int) -> bool:
    return allowed("Egress", pod(caller), pod(callee), "butikk", port) and allowed(
        "Ingress", pod(callee), pod(caller), "butikk", port
    )


def test_exactly_the_calls_that_the_stack_file_names_are_allowed() -> None:
    tiers = {tier.name: tier for tier in BUTIKK.tiers}
    for caller in tiers:
        for callee, tier in tiers.items():
            assert may_call(caller, callee, tier.port) is (caller in tier.allow_from), (caller, callee)
            assert not may_call(caller, callee, tier.port + 1)


def test_the_gateway_reaches_only_tiers_that_let_it() -> None:
    for tier in BUTIKK.tiers:
        reaches = allowed("Ingress", pod(tier.name), GATEWAY_POD, "gateway-system", tier.port)
        assert reaches is ("gateway" in tier.allow_from)
        assert not allowed("Ingress", pod(tier.name), GATEWAY_POD, "elsewhere", tier.port)


def test_ciliums_own_gateway_is_let_in_by_its_identity_and_by_no_namespace() -> None:
    """Its traffic is of no namespace: a namespaceSelector never matches it, and an empty `from` would match all."""
    bundle = tenant_manifests(BUTIKK, gateway_namespace=None)
    through = {made["metadata"]["name"]: made["spec"] for made in bundle if made["kind"] == "CiliumNetworkPolicy"}
    assert through == {
        f"to-{tier.name}-from-gateway": {
            "endpointSelector": {"matchLabels": pod(tier.name)},
            "ingress": [
                {
                    "fromEntities": ["ingress"],
                    "toPorts": [{"ports": [{"port": str(tier.port), "protocol": "TCP"}]}],
                }
            ],
        }
        for tier in BUTIKK.tiers
        if "gateway" in tier.allow_from
    }
    assert through
    plain = {made["metadata"]["name"]: made["spec"] for made in bundle if made["kind"] == "NetworkPolicy"}
    callers = [peer for spec in plain.values() for rule in spec.get("ingress") or () for peer in rule["from"]]
    assert all(rule["from"] for spec in plain.values() for rule in spec.get("ingress") or ())
    assert all("namespaceSelector" not in peer for peer in callers)
    assert "to-frontend" not in plain  # only the gateway calls it
    assert plain["to-api"]["ingress"][0]["from"] == [{"podSelector": {"matchLabels": pod("frontend")}}]


def test_every_pod_may_ask_the_clusters_dns_and_nothing_else_of_its_namespace() -> None:
    dns = {"k8s-app": "kube-dns"}
    assert allowed("Egress", {"any": "pod"}, dns, "kube-system", 53)
    assert not allowed("Egress", {"any": "pod"}, dns, "kube-system", 443)
    assert not allowed("Egress", {"any": "pod"}, {"k8s-app": "other"}, "kube-system", 53)


def test_another_tenant_with_the_same_tiers_is_not_let_in() -> None:
    assert not allowed("Ingress", pod("database"), pod("api"), "skjema", 5432)


def test_everything_in_the_bundle_says_whose_it_is() -> None:
    for made in BUNDLE:
        assert made["metadata"]["labels"][labels.TENANT] == "butikk"
        assert made["metadata"]["labels"][labels.MANAGED_BY] == labels.MANAGER


def test_the_owner_may_neither_grant_rights_nor_move_the_fence() -> None:
    writable = {resource for _, resources, verbs in OWNER_RIGHTS for resource in resources if "create" in verbs}
    fence = {
        "roles",
        "rolebindings",
        "serviceaccounts",
        "networkpolicies",
        "resourcequotas",
        "limitranges",
        "httproutes",
    }
    assert writable.isdisjoint(fence | {"pods/exec", "pods/portforward", "namespaces"})


def test_no_service_of_a_tenant_gets_a_way_in_of_its_own() -> None:
    quota, _ = [made for made in BUNDLE if made["kind"] == "ResourceQuota"]
    assert quota["spec"]["hard"]["services.nodeports"] == "0"
    assert quota["spec"]["hard"]["services.loadbalancers"] == "0"


def test_every_kind_that_the_owner_may_create_is_counted() -> None:
    """The finding: 1 MiB a Secret, without a number, fills etcd, which all tenants share."""
    [hard] = [
        made["spec"]["hard"] for made in BUNDLE if made["metadata"]["name"] == "tenant" and "hard" in made["spec"]
    ]
    for group, kinds, verbs in OWNER_RIGHTS:
        for kind in kinds:
            assert (hard.get(f"count/{kind}.{group}" if group else f"count/{kind}") == "100") is ("create" in verbs)
    assert (hard["requests.ephemeral-storage"], hard["limits.ephemeral-storage"]) == ("10Gi", "20Gi")


def test_no_pod_of_a_tenant_gets_a_priority_of_the_cluster() -> None:
    [quota] = [made["spec"] for made in BUNDLE if made["metadata"]["name"] == "system-priorities"]
    assert quota["hard"] == {"pods": "0"}
    [scope] = quota["scopeSelector"]["matchExpressions"]
    assert scope["values"] == ["system-cluster-critical", "system-node-critical"]


def test_a_container_that_asks_for_no_disk_gets_a_limit() -> None:
    [limits] = [made["spec"]["limits"] for made in BUNDLE if made["kind"] == "LimitRange"]
    assert [limits[0][field]["ephemeral-storage"] for field in ("defaultRequest", "default", "max")] == [
        "256Mi",
        "1Gi",
        "10Gi",
    ]
