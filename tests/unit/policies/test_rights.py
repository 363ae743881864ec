"""Rights of tenants: what a Role may have, and whom a binding may name."""

from typing import Any

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import kube
from tests.support.policy import UNKNOWN, Resource, violations

RBAC = "rbac.authorization.k8s.io/v1"
OPERATOR = {"tenancy-label": {"platformNamespaces": ["argocd"]}}


def said(*resources: Resource, config: dict[str, dict[str, Any]] | None = None) -> list[tuple[str, str]]:
    """Policy and message of what is said of rights."""
    about = ("tenancy-rights", "tenancy-cluster-role", "tenancy-cluster-binding")
    found = violations(ENGINE_POLICIES, list(resources), config)
    return [(violation.policy, violation.message) for violation in found if violation.policy in about]


def rule(group: str, resources: list[str], *verbs: str, **more: Any) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": list(verbs), **more}


def role(*rules: dict[str, Any], namespace: str = "butikk") -> Resource:
    return kube(RBAC, "Role", "r", namespace, rules=list(rules))


def cluster_role(*rules: dict[str, Any], name: str = "wide", **labels: str) -> Resource:
    written = {f"rbac.authorization.k8s.io/aggregate-to-{key}": value for key, value in labels.items()}
    return kube(RBAC, "ClusterRole", name, rules=list(rules), metadata={"labels": written})


def bound(to: str, subject: dict[str, str], namespace: str = "", kind: str = "ClusterRole") -> Resource:
    """A binding in a namespace, or in the whole cluster."""
    what = "RoleBinding" if namespace else "ClusterRoleBinding"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": to}
    return kube(RBAC, what, f"b-{namespace}", namespace or None, roleRef=reference, subjects=[subject])


def group(name: str) -> dict[str, str]:
    return {"kind": "Group", "name": name}


def user(name: str) -> dict[str, str]:
    return {"kind": "User", "name": name}


def account(namespace: str) -> dict[str, str]:
    return {"kind": "ServiceAccount", "name": "default", "namespace": namespace}


ALL = rule("*", ["*"], "*")


@pytest.mark.parametrize(
    ("api", "resources", "verbs"),
    [
        ("networking.k8s.io", ["networkpolicies"], ["create", "delete"]),
        ("cilium.io", ["ciliumnetworkpolicies"], ["patch"]),
        ("projectcalico.org", ["networkpolicies"], ["update"]),
        ("", ["resourcequotas", "limitranges"], ["create", "delete"]),
        ("", ["pods/exec", "pods/ephemeralcontainers"], ["create", "delete"]),
        ("", ["pods/exec"], ["get"]),
        ("", ["pods/attach"], ["create"]),
        ("", ["pods/portforward"], ["create"]),
        ("", ["services/proxy"], ["get"]),
        ("", ["*/exec", "serviceaccounts/*"], ["create"]),
        ("", ["pods/*"], ["get"]),
        ("", ["serviceaccounts/token"], ["create"]),
        ("", ["endpoints"], ["update"]),
        ("discovery.k8s.io", ["endpointslices"], ["create"]),
        ("", ["namespaces"], ["patch"]),
        ("gateway.networking.k8s.io", ["httproutes", "referencegrants"], ["create", "delete"]),
        ("networking.k8s.io", ["ingresses"], ["create"]),
        ("traefik.io", ["ingressroutes"], ["create"]),
        ("rbac.authorization.k8s.io", ["rolebindings"], ["create"]),
        ("apps", ["deployments"], ["*"]),
        ("", ["users"], ["impersonate"]),
        ("", ["*"], ["get"]),
        ("*", ["pods"], ["get"]),
    ],
)
def test_a_role_of_a_tenant_changes_nothing_that_isolates_it(api: str, resources: list[str], verbs: list[str]) -> None:
    found = said(role(rule(api, resources, *verbs)))
    assert found
    assert {policy for policy, _ in found} == {"tenancy-rights"}
    assert all(
        "Role butikk/r: '" in message and "name resources and verbs one by one" in message for _, message in found
    )
    wide = cluster_role(rule(api, resources, *verbs))
    [(policy, message)] = [
        one for one in said(wide, bound("wide", group("butikk-developers"), "butikk")) if "binding" in one[0]
    ]
    assert policy == "tenancy-cluster-binding"
    assert "gives group butikk-developers the rights of wide in a tenant's namespace" in message


@pytest.mark.parametrize(
    "resource",
    [
        role(
            rule("", ["pods", "pods/log", "secrets"], "get", "list"), rule("apps", ["deployments"], "create", "patch")
        ),
        role(rule("networking.k8s.io", ["networkpolicies", "ingresses"], "get", "list", "watch")),
        role(rule("argoproj.io", ["applications"], "*")),
        role(rule("", ["serviceaccounts/token"], "create", resourceNames=["cert-manager"]), namespace="cert-manager"),
        role(ALL, namespace="kube-system"),
    ],
)
def test_a_role_that_lists_what_it_needs_is_kept(resource: Resource) -> None:
    assert said(resource) == []


def test_a_role_in_a_namespace_that_is_listed_as_the_platform_s_is_not_judged() -> None:
    wide = role(rule("", ["*"], "*"), namespace="argocd")
    assert len(said(wide)) == 1
    assert said(wide, config=OPERATOR) == []


@pytest.mark.parametrize("label", ["edit", "admin", "view"])
def test_wildcards_are_added_to_no_role_that_tenants_have(label: str) -> None:
    [*found] = said(cluster_role(ALL, **{label: "true"}))
    assert {policy for policy, _ in found} == {"tenancy-cluster-role"}
    assert f"'*' is added to the ClusterRole {label}, which tenants have" in found[0][1]
    own = rule("cert-manager.io", ["certificates"], "create", "delete")
    assert said(cluster_role(own, **{label: "true"})) == []


def test_a_cluster_role_of_everything_is_a_platform_s_service_account_s_or_nobody_s() -> None:
    assert [policy for policy, _ in said(cluster_role(ALL))] == ["tenancy-cluster-role"]
    assert said(cluster_role(ALL), bound("wide", account("kube-system"))) == []
    assert len(said(cluster_role(ALL), bound("wide", account("argocd")))) == 2
    assert said(cluster_role(ALL), bound("wide", account("argocd")), config=OPERATOR) == []


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        (bound("cluster-admin", group("butikk-developers")), "is not named as an administrator of the cluster"),
        (bound("edit", group("everyone")), "of edit in every namespace"),
        (bound("admin", group("butikk-developers"), "butikk"), "the rights of admin in a tenant's namespace"),
        (bound("edit", group("butikk-developers"), "butikk"), "the rights of edit in a tenant's namespace"),
        (bound("cluster-admin", account("butikk"), "butikk"), "the rights of cluster-admin"),
        (bound("admin", account("butikk"), "skjema"), "rights in skjema, which is not its own namespace"),
        (bound("cluster-admin", account("butikk"), "kube-system"), "rights in kube-system, which is not its own"),
        (
            bound("view", group("system:serviceaccounts:butikk"), "skjema"),
            "gives the service accounts of butikk rights in skjema",
        ),
        (bound("cluster-admin", account("default")), "service account default/default rights in every namespace"),
        (
            bound("view", user("system:serviceaccount:butikk:ci")),
            "service account butikk/ci rights in every namespace",
        ),
        (bound("view", user("system:anonymous")), "everybody (system:anonymous) rights in every namespace"),
        (
            bound("view", group("system:authenticated"), "butikk"),
            "everybody (system:authenticated) the rights of view",
        ),
    ],
)
def test_a_binding_gives_a_tenant_nothing_outside_its_namespace(binding: Resource, message: str) -> None:
    [(policy, found)] = said(binding)
    assert policy == "tenancy-cluster-binding"
    assert message in found


def test_a_group_is_a_tenant_s_by_the_binding_in_the_tenant_s_namespace() -> None:
    own, everywhere = bound("view", group("developers"), "butikk"), bound("view", group("developers"))
    assert said(own) == []
    assert said(everywhere) == []
    [(_, message)] = said(own, everywhere)
    assert "ClusterRoleBinding 'b-': gives group developers rights in every namespace" in message


@pytest.mark.parametrize(
    "binding",
    [
        bound("view", account("butikk"), "butikk"),
        bound("tenant-owner", group("butikk-developers"), "butikk", kind="Role"),
        bound("cluster-admin", account("kube-system"), "butikk"),
        bound("extension-apiserver-authentication-reader", account("metrics"), "kube-system", kind="Role"),
        bound("reader", user("system:anonymous"), "kube-public"),
        bound("cluster-admin", group("kubeadm:cluster-admins")),
        bound("cluster-admin", user("system:serviceaccount:kube-system:operator")),
        bound("cluster-reader", group("operations")),
    ],
)
def test_a_binding_of_the_platform_s_own_is_kept(binding: Resource) -> None:
    assert said(binding) == []


def test_administrators_and_operators_are_named_once() -> None:
    admins = {"tenancy-cluster-binding": {"administrators": ["operations"]}}
    assert len(said(bound("cluster-admin", group("operations")))) == 1
    assert said(bound("cluster-admin", group("operations")), config=admins) == []
    assert len(said(bound("manager", account("argocd")))) == 1
    assert said(bound("manager", account("argocd")), config=OPERATOR) == []


def test_whether_an_unknown_group_is_a_tenant_s_cannot_be_decided() -> None:
    unknown = bound("view", group(UNKNOWN), "butikk")
    found = said(unknown, bound("view", group("developers")))
    assert all("cannot be decided" in message for _, message in found)
    assert len(found) == 2
