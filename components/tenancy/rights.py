"""What the owner of a registered namespace and its CI may do: RBAC and the ServiceAccount. Pure.

The admission policies judge what these rights write (`admission_rules.py`).
"""

from typing import Any

from components.core import labels
from components.core.manifests import Manifest, manifest
from components.tenancy.registered import in_namespace
from components.tenancy.registration.contract import GROUP, PLURAL
from components.tenancy.registration.model import CI_ACCOUNT, Registration

Rights = tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
"""API group, resources, verbs."""
READ = ("get", "list", "watch")
WRITE = (*READ, "create", "update", "patch", "delete")
EXEC = "tenancy-exec"
"""Id of the exception that lets people of a tenant run commands in its pods."""
OWNER, CI, COMMANDS = "tenant-owner", "tenant-ci", "tenant-exec"
_PREFIX = "vds-platform-"
"""Of the ClusterRoles, which a RoleBinding gives in one namespace."""
_RBAC = "rbac.authorization.k8s.io"

CI_RIGHTS: Rights = (
    ("", ("configmaps", "persistentvolumeclaims", "secrets", "serviceaccounts", "services"), WRITE),
    ("", ("pods",), (*READ, "delete")),
    ("", ("endpoints", "events", "limitranges", "pods/log", "resourcequotas"), READ),
    ("apps", ("deployments", "statefulsets"), WRITE),
    ("apps", ("controllerrevisions", "replicasets"), READ),
    ("autoscaling", ("horizontalpodautoscalers",), WRITE),
    ("batch", ("cronjobs", "jobs"), WRITE),
    ("coordination.k8s.io", ("leases",), ("get", "create", "update", "delete")),  # records of canaries
    ("discovery.k8s.io", ("endpointslices",), READ),
    ("gateway.networking.k8s.io", ("grpcroutes", "httproutes", "tlsroutes"), WRITE),
    ("networking.k8s.io", ("networkpolicies",), WRITE),
    ("policy", ("poddisruptionbudgets",), WRITE),
    (GROUP, (PLURAL,), READ),
)
"""What a program of the tenant needs. It makes pods by their controllers only."""
OWNER_RIGHTS: Rights = (*CI_RIGHTS, ("", ("pods/portforward",), ("create", "get")))
"""What people of the tenant need."""
_COMMANDS: Rights = (("", ("pods/exec",), ("create", "get")),)
JUDGED = frozenset({"grpcroutes", "httproutes", "networkpolicies", "pods/exec", "pods/portforward", "tlsroutes"})
"""Resources of these rights that no other tenant may have: admission policies judge what is written here, and the
registration says who enters pods."""


def roles_manifests() -> list[Manifest]:
    """What the cluster has once: the roles of all registered tenants. A RoleBinding gives one in its namespace only."""
    # A token of the CI's account gives nothing that the owner has not.
    token = {
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
        "resourceNames": [CI_ACCOUNT],
        "verbs": ["create"],
    }
    rules = {CI: _rules(CI_RIGHTS), OWNER: [*_rules(OWNER_RIGHTS), token], COMMANDS: _rules(_COMMANDS)}
    return [
        manifest(f"{_RBAC}/v1", "ClusterRole", f"{_PREFIX}{name}", labels={labels.REGISTERED: "true"}, rules=made)
        for name, made in rules.items()
    ]


def rights_manifests(registration: Registration, namespace: str) -> list[Manifest]:
    """The CI's ServiceAccount, and who has which role. People run commands in pods where the registration says so."""
    groups = [{"apiGroup": _RBAC, "kind": "Group", "name": name} for name in sorted(registration.owner.groups)]
    users = [{"apiGroup": _RBAC, "kind": "User", "name": name} for name in sorted(registration.owner.ci)]
    account = {"kind": "ServiceAccount", "name": CI_ACCOUNT, "namespace": namespace}
    made = [
        in_namespace(
            registration.tenant, namespace, "v1", "ServiceAccount", CI_ACCOUNT, automountServiceAccountToken=False
        ),
        _binding(registration, namespace, OWNER, groups),
        _binding(registration, namespace, CI, [*users, account]),
    ]
    if any(one.rule == EXEC for one in registration.exceptions):
        made.append(_binding(registration, namespace, COMMANDS, groups))
    return made


def _rules(rights: Rights) -> list[dict[str, Any]]:
    return [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)} for group, resources, verbs in rights
    ]


def _binding(registration: Registration, namespace: str, role: str, subjects: list[dict[str, str]]) -> Manifest:
    return in_namespace(
        registration.tenant,
        namespace,
        f"{_RBAC}/v1",
        "RoleBinding",
        role,
        roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": f"{_PREFIX}{role}"},
        subjects=subjects,
    )
