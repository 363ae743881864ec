"""The rules as admission policies of the API server, for all registered namespaces at once. Pure.

Each policy has the Contract in the object's own namespace as its parameter; without one it refuses everything.
"""

from typing import Any

from components.core import labels
from components.core.manifests import Manifest, manifest
from components.core.versions import parse
from components.tenancy.admission_rules import (
    KINDS,
    PLATFORM,
    POD,
    PROTECTED,
    PROTECTED_KINDS,
    RULES,
    TOKENS,
    VARIABLES,
    Kind,
    Rule,
)
from components.tenancy.registration.contract import CONTRACT, GROUP, KIND, VERSION

CONTRACTS = "vds-platform-contracts"
MADE = "vds-platform-protected"
TOKENS_NAME = "vds-platform-tokens"
DNS_OPTIONS = "vds-platform-dns-options"
NDOTS = "2"
"""With Kubernetes' own 5, a pod asks for api.example.no in each domain of its search list first."""
_MUTATING = parse("1.36")
"""The first Kubernetes that serves MutatingAdmissionPolicy as v1 (KEP-3962)."""
_VALIDATING = parse("1.30")
_API = "admissionregistration.k8s.io/v1"
_STAYS = {"name": "stays", "expression": "object == null || !has(object.metadata.deletionTimestamp)"}
"""Deleting an object with a finalizer is an update, which must work for what was there before."""


def holds_contracts(kubernetes: str | None) -> bool:
    """Whether the API server of this version holds tenants to their contract: ValidatingAdmissionPolicy is v1 since
    1.30 (KEP-3488). A version that is not known counts."""
    return kubernetes is None or parse(kubernetes) >= _VALIDATING


def admission_manifests(kubernetes: str | None) -> list[Manifest]:
    """Policies and bindings, after the definition of contracts and before the first namespace. `kubernetes`: version of
    the cluster; None if it is not known."""
    return [
        *_validating(CONTRACTS, _contracts(), {"name": CONTRACT, "parameterNotFoundAction": "Deny"}),
        *_validating(MADE, _protected(), None),
        *_validating(TOKENS_NAME, _tokens(), None),
        *(_dns_options() if kubernetes and parse(kubernetes) >= _MUTATING else ()),
    ]


def _validating(name: str, spec: dict[str, Any], parameter: dict[str, Any] | None) -> list[Manifest]:
    spec = _of_registered(spec)
    binding: dict[str, Any] = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": _registered()},
    }
    if parameter:
        binding["paramRef"] = parameter
    return [
        manifest(_API, "ValidatingAdmissionPolicy", name, spec=spec),
        manifest(_API, "ValidatingAdmissionPolicyBinding", name, spec=binding),
    ]


def _contracts() -> dict[str, Any]:
    subjects = ", ".join(
        f"'{kind.group}/{kind.resource}': '{subject}'"
        for subject, kinds in KINDS.items()
        for kind in kinds
        if subject != "refused"
    )
    asked = "request.resource.group + '/' + request.resource.resource"
    return {
        "failurePolicy": "Fail",
        "paramKind": {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND},
        "matchConstraints": {"resourceRules": [_matched(kind) for kinds in KINDS.values() for kind in kinds]},
        "matchConditions": [_STAYS],
        "variables": [
            {"name": "subject", "expression": f"{{{subjects}}}[?{asked}].orValue('refused')"},
            {"name": "platform", "expression": PLATFORM},
            {"name": "same", "expression": f"oldObject != null && {POD.format('object')} == {POD.format('oldObject')}"},
            *({"name": name, "expression": expression} for name, (_, expression) in VARIABLES.items()),
        ],
        "validations": [_validation(rule) for rule in RULES],
    }


def _matched(kind: Kind) -> dict[str, Any]:
    resources = [kind.resource, *(["pods/ephemeralcontainers"] if kind.resource == "pods" else [])]
    return {
        "apiGroups": [kind.group],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": resources,
    }


def _validation(rule: Rule) -> dict[str, Any]:
    waived = f"variables.subject != '{rule.subject}' || '{rule.id}' in params.spec.exceptions"
    if (
        rule.subject == "pod" and rule.of_spec
    ):  # after a contract has become narrower, controllers still scale down what was there
        waived += " || variables.same"
    return {
        "expression": f"{waived} || ({rule.holds})",
        "message": f"{rule.message}: {rule.remedy} ({rule.id})",
        "reason": "Forbidden",
    }


def _protected() -> dict[str, Any]:
    """It has no parameter: a namespace that is deleted may lose its contract first."""
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {**_matched(kind), "operations": ["CREATE", "UPDATE", "DELETE"]} for kind in PROTECTED_KINDS
            ]
        },
        "variables": [{"name": "platform", "expression": PLATFORM}],
        "validations": [
            {
                "expression": PROTECTED.holds,
                "message": f"{PROTECTED.message}: {PROTECTED.remedy} ({PROTECTED.id})",
                "reason": "Forbidden",
            }
        ],
    }


def _tokens() -> dict[str, Any]:
    asked = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["serviceaccounts/token"]}
    message = f"{TOKENS.message}: {TOKENS.remedy} ({TOKENS.id})"
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [asked]},
        "validations": [{"expression": TOKENS.holds, "message": message, "reason": "Forbidden"}],
    }


def _dns_options() -> list[Manifest]:
    """ndots: 2 for pods that don't say it. It is no isolation, so a fault in it stops no pod."""
    value = f"{{'name': 'ndots', 'value': '{NDOTS}'}}"
    spec: dict[str, Any] = {
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "Never",
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
            ]
        },
        "matchConditions": [
            {
                "name": "says-nothing",
                "expression": "object.spec.?dnsPolicy.orValue('ClusterFirst') == 'ClusterFirst' && "
                "!object.spec.?dnsConfig.?options.orValue([]).exists(o, o.?name.orValue('') == 'ndots')",
            }
        ],
        "mutations": [
            {
                "patchType": "JSONPatch",
                "jsonPatch": {
                    "expression": "has(object.spec.dnsConfig) ? (has(object.spec.dnsConfig.options) ? "
                    f"[JSONPatch{{op: 'add', path: '/spec/dnsConfig/options/-', value: {value}}}] : "
                    f"[JSONPatch{{op: 'add', path: '/spec/dnsConfig/options', value: [{value}]}}]) : "
                    f"[JSONPatch{{op: 'add', path: '/spec/dnsConfig', value: {{'options': [{value}]}}}}]"
                },
            }
        ],
    }
    binding = {"policyName": DNS_OPTIONS, "matchResources": {"namespaceSelector": _registered()}}
    return [
        manifest(_API, "MutatingAdmissionPolicy", DNS_OPTIONS, spec=_of_registered(spec)),
        manifest(_API, "MutatingAdmissionPolicyBinding", DNS_OPTIONS, spec=binding),
    ]


def _of_registered(spec: dict[str, Any]) -> dict[str, Any]:
    """The policy with the selector of its binding.

    The API server does not look at a binding while it can't read the policy's parameters. After its start it does not
    know the kind of contracts for a while (25 seconds in the lab). Without a selector, the policy then refuses the
    Leases and the pods of every node.
    """
    return {**spec, "matchConstraints": {**spec["matchConstraints"], "namespaceSelector": _registered()}}


def _registered() -> dict[str, Any]:
    return {"matchLabels": {labels.REGISTERED: "true"}}
