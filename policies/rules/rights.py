"""Policies of rights: what Roles and ClusterRoles of tenants allow, and whom bindings give them to."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic import Field

from components.core import labels
from components.core.finding import Finding
from components.core.manifests import Fields, ManifestView
from components.tenancy.registration.model import CI_ACCOUNT
from components.tenancy.rights import JUDGED
from policies.policy import CIS, CRITICAL, HIGH, Namespaces, Object, Stack, policy

RBAC = "rbac.authorization.k8s.io"
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection", "*"})
_ALWAYS = frozenset({*_WRITES, "get", "list", "watch"})


class _Beyond(NamedTuple):
    """Resources that are no tenant's to use."""

    resources: frozenset[str]
    verbs: frozenset[str]
    reason: str


_WIDENS = "lets its holder reach beyond what is listed"
_BEYOND = (
    _Beyond(frozenset({"roles", "rolebindings", "clusterroles", "clusterrolebindings"}), _WRITES, _WIDENS),
    _Beyond(frozenset({"serviceaccounts/token"}), _WRITES, _WIDENS),
    _Beyond(
        # Some clients ask for these with `get`, so that reading alone is enough to enter.
        frozenset(
            {"pods/attach", "pods/ephemeralcontainers", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy"}
        ),
        _ALWAYS,
        "enters running pods, past every review",
    ),
    _Beyond(
        frozenset(
            {
                "networkpolicies",
                "ciliumnetworkpolicies",
                "ciliumlocalredirectpolicies",
                "ciliumenvoyconfigs",
                "networksets",
                "namespaces",
            }
        ),
        _WRITES,
        "changes what isolates the tenant from the others",
    ),
    _Beyond(
        frozenset({"endpoints", "endpointslices"}),
        _WRITES,
        "sends a Service's traffic to pods of others (CVE-2021-25740)",
    ),
    _Beyond(frozenset({"resourcequotas", "limitranges"}), _WRITES, "raises what the tenant may use"),
    _Beyond(
        frozenset(
            {
                *("gateways", "listenersets", "xlistenersets", "referencegrants"),
                *("httproutes", "grpcroutes", "tlsroutes", "tcproutes", "udproutes"),
                *("ingresses", "ingressroutes", "ingressroutetcps", "ingressrouteudps"),
            }
        ),
        _WRITES,
        "takes host names that may be another's",
    ),
)
_BUILT_IN = ("admin", "cluster-admin", "edit")
"""Kubernetes' own ClusterRoles that write network policies and enter pods; the first two write Roles as well."""
_AGGREGATED = f"{RBAC}/aggregate-to-"
_HARMLESS = "extension-apiserver-authentication-reader"
"""The Role in kube-system by which every extension API server reads one ConfigMap."""


def _too_much(rules: Iterable[Fields]) -> Iterator[tuple[str, str]]:
    """What rules of a Role allow that a tenant must not have, and why."""
    for rule in rules:
        yield from _unlimited(rule)
        verbs = set(rule.texts("verbs"))
        for resource in rule.texts("resources"):
            yield from ((resource, row.reason) for row in _BEYOND if resource in row.resources and verbs & row.verbs)


def _unlimited(rule: Fields) -> Iterator[tuple[str, str]]:
    """The part of it that sets no limit at all: wildcards, and verbs that take more rights."""
    verbs, groups = set(rule.texts("verbs")), rule.texts("apiGroups")
    # Every verb on kinds of an operator's own is as good as a list; on Kubernetes' own it has escalate and others.
    own = [group for group in groups if group == "" or group == "*" or "." not in group or group.endswith(".k8s.io")]
    found = ["*"] if "*" in groups or ("*" in verbs and own) else []
    found += [resource for resource in rule.texts("resources") if "*" in resource]
    found += sorted(verbs & {"escalate", "bind", "impersonate"})
    yield from ((right, _WIDENS) for right in dict.fromkeys(found))


@policy(
    id="tenancy-rights",
    title="No Role of a tenant lets its holder take more rights, enter pods or change what isolates the tenant.",
    severity=HIGH,
    framework=CIS,
    reference="5.1",
    why="A Role with wildcards, or one that can be widened by its holder, is no limit. Who writes network policies, "
    "quotas or routes is isolated from no other tenant, and who enters pods does what nobody reviewed.",
    remedy="Name resources and verbs one by one, and leave these resources out. Roles in the platform's namespaces are "
    "not judged. The roles of registered tenants may write routes and network policies, which the API server judges.",
    kinds=(f"{RBAC}:Role",),
)
def rights(role: Object, settings: Namespaces) -> Iterator[Finding]:
    if not settings.may_hold_tenants(role.namespace):
        return  # a controller of the platform gets what its chart gives it: MetalLB's reads every kind of its API group
    for right, reason in dict.fromkeys(_of_tenants(role)):
        yield role.finding(f"'{right}' {reason}", "name resources and verbs one by one")


def _of_tenants(role: ManifestView) -> Iterator[tuple[str, str]]:
    """What a role allows that no tenant may have, and why. Where the API server judges what registered tenants write,
    their roles may have it."""
    registered = JUDGED if role.labels.text(labels.REGISTERED) == "true" else ()
    rules = [rule for rule in role.groups("rules") if not (registered and _own_token(rule))]
    yield from ((right, reason) for right, reason in _too_much(rules) if right not in registered)


def _own_token(rule: Fields) -> bool:
    """Whether a rule is for tokens of the account of the tenant's CI alone."""
    return rule.texts("resources") == ["serviceaccounts/token"] and rule.texts("resourceNames") == [CI_ACCOUNT]


@policy(
    id="tenancy-cluster-role",
    title="No ClusterRole hands out every right.",
    severity=HIGH,
    framework=CIS,
    reference="5.1.3",
    why="Kubernetes adds a ClusterRole with the label aggregate-to-edit to `edit`: with wildcards, everybody who may "
    "edit one namespace gets every right in it. A ClusterRole of every right is cluster-admin by another name.",
    remedy="Name API groups, resources and verbs one by one.",
    kinds=(f"{RBAC}:ClusterRole",),
)
def cluster_role(role: Object, settings: Namespaces, stack: Stack) -> Iterator[Finding]:
    subject, name = role.cluster_label, role.metadata.text("name")
    aggregated = [
        label.removeprefix(_AGGREGATED)
        for label in role.labels
        if label.startswith(_AGGREGATED) and role.labels.text(label) == "true"
    ]
    rules = role.groups("rules")
    if aggregated:
        for right in dict.fromkeys(right for rule in rules for right, _ in _unlimited(rule)):
            yield role.finding(
                f"'{right}' is added to the ClusterRole {aggregated[0]}, which tenants have",
                "name resources and verbs one by one, or remove the label",
                subject=subject,
            )
    elif any(_everything(rule) for rule in rules) and not _only_of_the_platform(name, settings, stack):
        yield role.finding(
            "has every verb on every resource, like cluster-admin, and is not only a platform's service account's",
            "name API groups, resources and verbs one by one",
            subject=subject,
        )


def _everything(rule: Fields) -> bool:
    return all("*" in rule.texts(field) for field in ("apiGroups", "resources", "verbs"))


def _only_of_the_platform(role: str, settings: Namespaces, stack: Stack) -> bool:
    """Whether bindings give a ClusterRole to somebody, and to nobody but service accounts of the platform."""
    bindings = stack.objects(f"{RBAC}:ClusterRoleBinding", f"{RBAC}:RoleBinding")
    subjects = [
        subject
        for binding in bindings
        if (binding.group("roleRef").text("kind"), binding.group("roleRef").text("name")) == ("ClusterRole", role)
        for subject in binding.groups("subjects")
    ]
    return bool(subjects) and all(
        subject.text("kind") == "ServiceAccount" and not settings.may_hold_tenants(subject.text("namespace"))
        for subject in subjects
    )


# --- bindings --------------------------------------------------------------------------------------------

EVERYBODY = ("system:authenticated", "system:unauthenticated", "system:serviceaccounts")
ANONYMOUS = "system:anonymous"
_ACCOUNT, _ACCOUNTS = "system:serviceaccount:", "system:serviceaccounts:"


class BindingSettings(Namespaces):
    administrators: tuple[str, ...] = Field(())
    """Groups and users that administer the whole cluster."""


class _Who(NamedTuple):
    """A subject of a binding."""

    text: str
    everybody: bool = False
    account_of: str = ""
    """The namespace of a service account, or of a group of them; empty for all others."""
    person: str = ""
    """A group or a user of the organisation's own."""


@policy(
    id="tenancy-cluster-binding",
    title="No tenant has rights outside its own namespace, or such that change what isolates it.",
    severity=CRITICAL,
    framework=CIS,
    reference="5.1.1",
    why="A ClusterRoleBinding reaches every namespace, every other tenant's among them. Kubernetes' own ClusterRoles "
    "admin and edit write network policies and enter pods, so a tenant that has one is isolated by nothing.",
    remedy="Write a RoleBinding in the tenant's own namespace, to a Role that lists what the tenant needs. Name the "
    "groups and users that administer the cluster in administrators.",
    kinds=(f"{RBAC}:ClusterRoleBinding", f"{RBAC}:RoleBinding"),
)
def cluster_binding(binding: Object, settings: BindingSettings, stack: Stack) -> Iterator[Finding]:
    role = binding.group("roleRef")
    name = role.text("name", "?")
    clusterwide = binding.kind == "ClusterRoleBinding"
    for subject in binding.groups("subjects"):
        who = _who(subject, binding.namespace)
        if who.person in settings.administrators:
            continue
        own = bool(who.account_of) and settings.may_hold_tenants(who.account_of)
        if clusterwide:
            if who.everybody or own or _is_tenants(who, settings, stack):
                said, remedy = "in every namespace", "write a RoleBinding in the tenant's own"
            elif who.person and _is_wide(role, stack):
                said = f"of {name} in every namespace, and is not named as an administrator of the cluster"
                remedy = "write a RoleBinding in the tenant's own, or name it in administrators"
            else:
                continue
            yield binding.finding(f"gives {who.text} rights {said}", remedy, subject=binding.cluster_label)
        elif own and who.account_of != binding.namespace and name != _HARMLESS:
            yield binding.finding(
                f"gives {who.text} rights in {binding.namespace}, which is not its own namespace", "remove it"
            )
        elif (who.everybody and settings.is_tenant(binding.namespace)) or (
            settings.may_hold_tenants(binding.namespace) and (own or who.person) and _is_wide(role, stack)
        ):
            yield binding.finding(
                f"gives {who.text} the rights of {name} in a tenant's namespace",
                "bind the tenant's own group to a Role that lists what it needs",
            )


def _who(subject: Fields, namespace: str) -> _Who:
    """A service account can be written in three ways: its own kind, the user that it logs in as, and the group of its
    namespace."""
    name, kind = subject.text("name"), subject.text("kind")
    if (kind == "Group" and name in EVERYBODY) or name == ANONYMOUS:
        return _Who(f"everybody ({name})", everybody=True)
    if kind == "User" and name.startswith(_ACCOUNT):
        of, _, account = name.removeprefix(_ACCOUNT).partition(":")
        return _Who(f"service account {of}/{account}", account_of=of)
    if kind == "ServiceAccount":
        of = subject.text("namespace", namespace)
        return _Who(f"service account {of}/{name}", account_of=of)
    if kind == "Group" and name.startswith(_ACCOUNTS):
        of = name.removeprefix(_ACCOUNTS)
        return _Who(f"the service accounts of {of}", account_of=of)
    person = "" if name.startswith(("system:", "kubeadm:")) else name
    return _Who(f"{kind.lower()} {name}", person=person)


def _is_tenants(who: _Who, settings: Namespaces, stack: Stack) -> bool:
    """Whether a group or user is a tenant's, by a RoleBinding in that tenant's namespace."""
    return bool(who.person) and any(
        who.person == subject.text("name")
        for binding in stack.objects(f"{RBAC}:RoleBinding")
        if settings.is_tenant(binding.namespace)
        for subject in binding.groups("subjects")
    )


def _is_wide(role: Fields, stack: Stack) -> bool:
    """Whether a ClusterRole has what no tenant may have: Kubernetes' own, or one that the program makes."""
    name = role.text("name")
    if role.text("kind") == "Role":
        return False  # which is judged itself
    return name in _BUILT_IN or any(
        any(True for _ in _of_tenants(made))
        for made in stack.objects(f"{RBAC}:ClusterRole")
        if made.metadata.text("name") == name
    )
