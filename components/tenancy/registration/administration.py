"""Rights of those who register tenants: what a registration writes, in registered namespaces only. Pure."""

from collections.abc import Sequence

from components.core import labels
from components.core.manifests import Manifest, manifest
from components.core.names import KUBE_SYSTEM
from components.tenancy.registration.contract import GROUP, PLURAL
from components.tenancy.registration.environment import ENVIRONMENT

ADMINISTRATOR = "vds-platform-tenant-administrator"
"""Name of the ClusterRole, of the Role that reads what the environment publishes, and of what restricts both."""
_RBAC = "rbac.authorization.k8s.io"
_WRITE = ("get", "list", "watch", "create", "update", "patch", "delete")
_RIGHTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("", ("limitranges", "namespaces", "resourcequotas", "serviceaccounts"), _WRITE),
    ("", ("serviceaccounts/token",), ("create",)),
    ("cilium.io", ("ciliumnetworkpolicies",), _WRITE),
    ("networking.k8s.io", ("networkpolicies",), _WRITE),
    ("projectcalico.org", ("networkpolicies", "networksets"), _WRITE),
    # A Role of a tenant has rights that this role has not.
    (_RBAC, ("rolebindings", "roles"), (*_WRITE, "bind", "escalate")),
    (_RBAC, ("clusterroles",), ("bind",)),
    (GROUP, (PLURAL,), _WRITE),
)
"""API group, resources, verbs."""
_LABELLED = f"has(o.metadata.labels) && '{labels.REGISTERED}' in o.metadata.labels"


def administration_manifests(administrators: Sequence[str]) -> list[Manifest]:
    """The role; with `administrators`, groups of the identity provider, also its bindings and its restriction.

    RBAC has no word for "in namespaces with this label", so an admission policy refuses the rest. It comes first.
    """
    rules = [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
        for group, resources, verbs in _RIGHTS
    ]
    reads = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [ENVIRONMENT], "verbs": ["get"]}
    role = manifest(f"{_RBAC}/v1", "ClusterRole", ADMINISTRATOR, rules=rules)
    reader = manifest(f"{_RBAC}/v1", "Role", ADMINISTRATOR, namespace=KUBE_SYSTEM, rules=[reads])
    if not administrators:
        return [role, reader]
    return [*_restriction(administrators), role, reader, *_bindings(administrators)]


def _bindings(administrators: Sequence[str]) -> list[Manifest]:
    subjects = [{"apiGroup": _RBAC, "kind": "Group", "name": group} for group in sorted(administrators)]
    bound: dict[str, str | None] = {"ClusterRole": None, "Role": KUBE_SYSTEM}
    return [
        manifest(
            f"{_RBAC}/v1",
            f"{kind}Binding",
            ADMINISTRATOR,
            namespace=namespace,
            roleRef={"apiGroup": _RBAC, "kind": kind, "name": ADMINISTRATOR},
            subjects=subjects,
        )
        for kind, namespace in bound.items()
    ]


def _restriction(administrators: Sequence[str]) -> list[Manifest]:
    groups = ", ".join(f"'{group}'" for group in sorted(administrators))
    rules = [
        {
            "apiGroups": [group],
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE", "DELETE"],
            "resources": list(resources),
        }
        for group, resources, verbs in _RIGHTS
        if "create" in verbs
    ]
    namespaces = "request.resource.resource == 'namespaces'"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules},
        "matchConditions": [
            {
                "name": "administrators-of-tenants",
                "expression": f"request.userInfo.groups.exists(g, g in [{groups}]) && "
                "!('system:masters' in request.userInfo.groups)",
            }
        ],
        "validations": [
            {
                "expression": f"{namespaces} ? [object, oldObject].all(o, o == null || ({_LABELLED})) : "
                f"(namespaceObject != null && [namespaceObject].all(o, {_LABELLED}))",
                "message": "administrators of tenants write in registered namespaces only",
                "reason": "Forbidden",
            }
        ],
    }
    api = "admissionregistration.k8s.io/v1"
    return [
        manifest(api, "ValidatingAdmissionPolicy", ADMINISTRATOR, spec=spec),
        manifest(
            api,
            "ValidatingAdmissionPolicyBinding",
            ADMINISTRATOR,
            spec={"policyName": ADMINISTRATOR, "validationActions": ["Deny"]},
        ),
    ]
