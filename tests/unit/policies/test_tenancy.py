"""What one tenant may not do to another, in every spelling."""

from typing import Any

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import PLACE, deployment, fence, kube, namespace, network_policy, record, release
from tests.support.policy import Resource, violations


def said(*resources: Resource, policy: str, **config: Any) -> list[str]:
    found = violations(ENGINE_POLICIES, list(resources), {policy: config} if config else None)
    return [violation.message for violation in found if violation.policy == policy]


ALL: dict[str, Any] = {"namespaceSelector": {}}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"ingress": [{}]}, "its ingress has a rule without `from`, so it lets everybody in"),
        ({"ingress": [{"ports": [{"port": 80}]}]}, "its ingress has a rule without `from`"),
        ({"egress": [{}]}, "its egress has a rule without `to`, so it lets everybody out"),
        ({"egress": [{"to": []}]}, "its egress has a rule without `to`"),
        ({"ingress": [{"from": [ALL]}]}, "its ingress names every namespace there is"),
        ({"ingress": [{"from": [{**ALL, "podSelector": {"matchLabels": {"a": "b"}}}]}]}, "names every namespace"),
        ({"egress": [{"to": [{"namespaceSelector": {"matchLabels": {}}}]}]}, "its egress names every namespace"),
        ({"egress": [{"to": [{**ALL, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]}]}, None),
        ({"egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]}, None),
        ({"ingress": [{"from": [{"podSelector": {}}]}], "egress": [{"to": [{"podSelector": {}}]}]}, None),
        ({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]}]}, None),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}]}, None),
    ],
)
def test_a_policy_that_opens_everything_voids_the_one_that_denies_it(spec: dict[str, Any], message: str | None) -> None:
    found = said(network_policy(**spec), policy="tenancy-isolation")
    assert len(found) == (message is not None)
    assert message is None or message in found[0]
    own = kube("networking.k8s.io/v1", "NetworkPolicy", "p", "kube-system", spec={"podSelector": {}, **spec})
    assert said(own, policy="tenancy-isolation") == []


def test_ciliums_own_policies_name_nobody_by_all() -> None:
    for rule in ({"ingress": [{"fromEntities": ["cluster"]}]}, {"egress": [{"toEntities": ["all"]}]}):
        policy = kube("cilium.io/v2", "CiliumNetworkPolicy", "p", "agency", spec={"endpointSelector": {}, **rule})
        [message] = said(policy, policy="tenancy-isolation")
        assert "Entities: " in message
    closed = {"endpointSelector": {}, "ingress": [{}], "egress": [{"toEntities": ["kube-apiserver"]}]}
    policy = kube("cilium.io/v2", "CiliumNetworkPolicy", "p", "agency", spec=closed)
    assert said(policy, policy="tenancy-isolation") == []


def test_a_selector_that_is_spelled_longer_selects_all_the_same() -> None:
    for selector in ({"matchLabels": {}}, {"matchExpressions": []}):
        assert said(namespace(), network_policy(podSelector=selector), *fence(), policy="tenancy-default-deny") == []
    some = network_policy(podSelector={"matchLabels": {"a": "b"}})
    assert len(said(namespace(), some, *fence(), policy="tenancy-default-deny")) == 1


@pytest.mark.parametrize(
    "resource",
    [
        kube("v1", "Namespace", "flannel-shirts"),
        kube("v1", "ConfigMap", "flannel-sizes", "flannel-shirts"),
        kube(
            "apps/v1",
            "DaemonSet",
            "flannel-shop",
            "flannel-shirts",
            spec={"template": {"spec": {"containers": [{"image": "registry.example.no/flannel-shirts/shop:1"}]}}},
        ),
        release("oci://registry.example.no/charts/flannel-shop", {}),
    ],
)
def test_a_tenant_may_sell_flannel_shirts(resource: Resource) -> None:
    assert said(resource, policy="cni-no-flannel") == []


@pytest.mark.parametrize(
    "resource",
    [
        kube("v1", "Namespace", "kube-flannel"),
        kube("v1", "ConfigMap", "kube-flannel-cfg", "kube-flannel"),
        kube("apps/v1", "DaemonSet", "kube-flannel-ds", "kube-system", spec={"template": {"spec": {"containers": []}}}),
        *(
            kube(
                "apps/v1",
                "DaemonSet",
                "net",
                "kube-system",
                spec={"template": {"spec": {"initContainers": [{"image": image}]}}},
            )
            for image in (
                "ghcr.io/flannel-io/flannel:v0.26.1",
                "ghcr.io/flannel-io/flannel-cni-plugin:v1.6.0-flannel1",
                "rancher/mirrored-flannel-flannel@sha256:0",
                "flannel",
            )
        ),
        release("flannel", {}),
        release("/srv/mirror/flannel-0.26.1.tgz", {}),
    ],
)
def test_flannel_is_found_by_its_own_names(resource: Resource) -> None:
    assert len(said(resource, policy="cni-no-flannel")) == 1


def test_a_packed_chart_is_judged_as_the_public_one_is() -> None:
    assert said(release("/srv/mirror/ingress-nginx-4.13.0.tgz", {}), policy="gateway-no-ingress-nginx")


def test_a_registry_below_a_wildcard_is_a_declared_one() -> None:
    wide = {**PLACE, "hosts": ["*.example.no"]}
    pool = {**PLACE, "name": "pool", "networks": ["203.0.113.0/24"]}
    del pool["hosts"]
    web = deployment("registry.example.no/web:1", "agency")
    assert said(record(wide, pool), web, policy="tenancy-images") == []
    [message] = said(record(wide, pool), deployment("registry.example.com/web:1", "agency"), policy="tenancy-images")
    assert "runs an image of registry.example.com by tag" in message


def test_what_names_no_namespace_is_judged_as_anybody_s() -> None:
    web = deployment("quay.io/web:1", "default", hostNetwork=True)
    for policy in ("tenancy-images", "network-no-host"):
        assert len(said(web, policy=policy)) == 1
        assert said(web, policy=policy, platformNamespaces=["default"]) == []


def test_the_same_name_in_two_clusters_is_two_namespaces() -> None:
    here, there = namespace(), namespace()._replace(name="there", provider="other")
    assert said(here, there, policy="tenancy-one-bundle") == []
    assert len(said(here, there._replace(provider="default"), policy="tenancy-one-bundle")) == 1
