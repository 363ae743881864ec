"""What the API server itself refuses in tenants' namespaces: a policy pack does not see what an agency applies. Pure.

RBAC, quotas and Pod Security have no word for these fields, which reach beyond a namespace. The expressions are CEL.
"""

from typing import Any

from components.core import labels
from components.core.manifests import Manifest, manifest

NAME = "vds-platform-tenants"
_API = "admissionregistration.k8s.io/v1"
_CONTROL_PLANES = "['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master']"

_REFUSED: tuple[tuple[str, str, str, str], ...] = (
    (
        "tenancy-external-ips",
        "services",
        "!has(object.spec.externalIPs) || size(object.spec.externalIPs) == 0",
        "spec.externalIPs takes the traffic of addresses that are not yours (CVE-2020-8554): remove it",
    ),
    (
        "tenancy-external-name",
        "services",
        r"!has(object.spec.externalName) || !object.spec.externalName.matches('[.]svc([.]|$)') || "
        r"object.spec.externalName.matches('^[^.]+[.]' + request.namespace + '[.]svc([.]|$)')",
        "spec.externalName is a Service of another namespace: call that Service by its name",
    ),
    (
        "tenancy-token",
        "secrets",
        "!has(object.type) || object.type != 'kubernetes.io/service-account-token'",
        "this type is a token that never ends: use kubectl create token, or a projected volume",
    ),
    (
        "tenancy-control-plane",
        "pods",
        "!has(object.spec.nodeName) || object.spec.nodeName == ''",
        "spec.nodeName passes by the scheduler and the node's taints: remove it",
    ),
    (
        "tenancy-control-plane",
        "pods",
        "!has(object.spec.tolerations) || object.spec.tolerations.all(t, (has(t.key) && t.key != '' && "
        f"!(t.key in {_CONTROL_PLANES})) || (has(t.effect) && t.effect == 'PreferNoSchedule'))",
        "spec.tolerations tolerates control planes: name the taints that the pod needs",
    ),
    (
        "tenancy-disruption",
        "poddisruptionbudgets",
        "!(has(object.spec.maxUnavailable) && string(object.spec.maxUnavailable) in ['0', '0%']) && "
        "!(has(object.spec.minAvailable) && string(object.spec.minAvailable) == '100%')",
        "no pod may go, so no node can be drained: write maxUnavailable: 1",
    ),
)
"""The policy that asks the same of Pulumi programs, resource, what must hold of it, what its author reads otherwise."""


def admission_policy() -> Manifest:
    """The rules. A pod is judged when it is made: afterwards the scheduler writes its node."""
    rules = [
        _rule("", ["services", "secrets"], ["CREATE", "UPDATE"]),
        _rule("", ["pods"], ["CREATE"]),
        _rule("policy", ["poddisruptionbudgets"], ["CREATE", "UPDATE"]),
    ]
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules},
        # Deleting an object with a finalizer is an update, which must work for what was there before.
        "matchConditions": [{"name": "stays", "expression": "!has(object.metadata.deletionTimestamp)"}],
        "validations": [
            {
                "expression": f"request.resource.resource != '{resource}' || ({expression})",
                "message": f"{message} ({policy})",
                "reason": "Forbidden",
            }
            for policy, resource, expression, message in _REFUSED
        ],
    }
    return manifest(_API, "ValidatingAdmissionPolicy", NAME, spec=spec)


def admission_binding() -> Manifest:
    """The rules hold in every namespace with a tenant's label."""
    selector = {"matchExpressions": [{"key": labels.TENANT, "operator": "Exists"}]}
    spec = {
        "policyName": NAME,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": selector},
    }
    return manifest(_API, "ValidatingAdmissionPolicyBinding", NAME, spec=spec)


def _rule(group: str, resources: list[str], operations: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "apiVersions": ["v1"], "operations": operations, "resources": resources}
