"""What the owner of a registered namespace and its CI may do: RBAC and the ServiceAccount. Pure.

The admission policies judge what these rights write (`admission_rules.py`).
"""

from typing import Any

from components.core.manifests import Manifest
from components.tenancy.registered import in_namespace
from components.tenancy.registration.contract import GROUP, PLURAL
from components.tenancy.registration.model import CI_ACCOUNT, Registration
from components.tenancy.render import READ, WRITE, Rights

EXEC = "tenancy-exec"
"""Id of the exception that lets people of a tenant run commands in its pods."""
OWNER, CI = "tenant-owner", "tenant-ci"
_RBAC = "rbac.authorization.k8s.io"

CI_RIGHTS: Rights = (
    ("", ("configmaps", "persistentvolumeclaims", "secrets", "serviceaccounts", "services"), WRITE),
    ("", ("pods",), (*READ, "delete")),
    ("", ("endpoints", "events", "limitranges", "pods/log", "resourcequotas"), READ),
    ("apps", ("deployments", "statefulsets"), WRITE),
    ("apps", ("controllerrevisions", "replicasets"), READ),
    ("autoscaling", ("horizontalpodautoscalers",), WRITE),
    ("batch", ("cronjobs", "jobs"), WRITE),
    ("discovery.k8s.io", ("endpointslices",), READ),
    ("gateway.networking.k8s.io", ("grpcroutes", "httproutes", "tlsroutes"), WRITE),
    ("networking.k8s.io", ("networkpolicies",), WRITE),
    ("policy", ("poddisruptionbudgets",), WRITE),
    (GROUP, (PLURAL,), READ),
)
"""What a program of the tenant needs. It makes pods by their controllers only."""
_PEOPLE: Rights = (("", ("pods/portforward",), ("create", "get")),)
_COMMANDS: Rights = (("", ("pods/exec",), ("create", "get")),)
JUDGED = frozenset({"grpcroutes", "httproutes", "networkpolicies", "pods/exec", "pods/portforward", "tlsroutes"})
"""Resources of these rights that no other tenant may have: admission policies judge what is written here, and the
registration says who enters pods."""


def owner_rights(registration: Registration) -> Rights:
    """The rights of people: those of the CI, port-forward, and commands in pods where the registration has them."""
    commands = _COMMANDS if any(one.rule == EXEC for one in registration.exceptions) else ()
    return (*CI_RIGHTS, *_PEOPLE, *commands)


def rights_manifests(registration: Registration, namespace: str) -> list[Manifest]:
    """The CI's ServiceAccount, two roles and their bindings."""
    groups = [{"apiGroup": _RBAC, "kind": "Group", "name": name} for name in sorted(registration.owner.groups)]
    users = [{"apiGroup": _RBAC, "kind": "User", "name": name} for name in sorted(registration.owner.ci)]
    account = {"kind": "ServiceAccount", "name": CI_ACCOUNT, "namespace": namespace}
    # A token of the CI's account gives nothing that the owner has not.
    token = {
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
        "resourceNames": [CI_ACCOUNT],
        "verbs": ["create"],
    }
    return [
        in_namespace(
            registration.tenant, namespace, "v1", "ServiceAccount", CI_ACCOUNT, automountServiceAccountToken=False
        ),
        _role(registration, namespace, OWNER, [*_rules(owner_rights(registration)), token]),
        _binding(registration, namespace, OWNER, groups),
        _role(registration, namespace, CI, _rules(CI_RIGHTS)),
        _binding(registration, namespace, CI, [*users, account]),
    ]


def _rules(rights: Rights) -> list[dict[str, Any]]:
    return [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)} for group, resources, verbs in rights
    ]


def _role(registration: Registration, namespace: str, name: str, rules: list[dict[str, Any]]) -> Manifest:
    return in_namespace(registration.tenant, namespace, f"{_RBAC}/v1", "Role", name, rules=rules)


def _binding(registration: Registration, namespace: str, role: str, subjects: list[dict[str, str]]) -> Manifest:
    return in_namespace(
        registration.tenant,
        namespace,
        f"{_RBAC}/v1",
        "RoleBinding",
        role,
        roleRef={"apiGroup": _RBAC, "kind": "Role", "name": role},
        subjects=subjects,
    )
