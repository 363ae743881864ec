"""The policy of contracts: what the API server would refuse of an agency's program in a registered namespace."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from components.core.finding import Finding
from components.tenancy.admission_check import contract_problems
from components.tenancy.admission_rules import IDS, KINDS
from policies.policy import CUSTOM, HIGH, PLATFORM, Namespaces, Object, policy
from policies.unknowns import known

_PARTS = (
    *("containers", "ephemeralContainers", "httpGet", "initContainers", "jobTemplate", "lifecycle", "livenessProbe"),
    *("metadata", "postStart", "preStop", "readinessProbe", "spec", "startupProbe", "tcpSocket", "template", "volumes"),
)
_WHOLE = (
    *("affinity", "finalizers", "host", "image", "nodeName", "nodeSelector", "priorityClassName"),
    *("terminationGracePeriodSeconds", "tolerations"),
)
"""Fields that rules for pods read. Others, like env, may be unknown at preview."""
_KEYS = ("annotations", "csi", "labels")
"""Of these only the keys."""
_BY_NAME = {(kind.group, kind.kind) for kind in KINDS["lease"]}
"""Kinds whose name a rule reads. That of others may be unknown."""
_BY_TYPE = {(kind.group, kind.kind) for kind in KINDS["secret"]}
"""Kinds of which a rule reads the type, and nothing else."""
_PODS = {(kind.group, kind.kind) for kind in KINDS["pod"]}


class ContractSettings(Namespaces):
    contracts: dict[str, dict[str, Any]] = Field({})
    """By namespace, `spec` of the Contract in it: `kubectl get contract contract -o json`."""


@policy(
    id="tenancy-contract",
    title="A program in a registered namespace keeps the namespace's contract.",
    severity=HIGH,
    framework=PLATFORM,
    reference="docs/adr/0028-one-table-of-rules-for-preview-and-api-server.md",
    why="The API server refuses what the contract does not allow. Without this policy an update fails halfway, after "
    "other objects have changed.",
    remedy="Do what the message says, or ask the platform team for a change of the registration. The rules are "
    f"{', '.join(sorted(IDS))}.",
    kinds=(
        *(f"{kind.group or 'core'}:{kind.kind}" for kinds in KINDS.values() for kind in kinds if kind.kind),
        "core:ServiceAccount",
        CUSTOM,
    ),
    patches=False,
)
def contract(found: Object, settings: ContractSettings) -> Iterator[Finding]:
    spec = settings.contracts.get(found.namespace)
    if spec is None:
        return
    group = "" if found.of_kind.group == "core" else found.of_kind.group
    named = {"name": found.metadata.text("name")} if (group, found.kind) in _BY_NAME else {}
    typed = {"type": found.text("type")} if (group, found.kind) in _BY_TYPE else {}
    manifest = {
        "apiVersion": f"{group}/v1" if group else "v1",
        "kind": found.kind,
        **typed,
        "metadata": {**named, **{key: known(found.metadata.group(key).raw) for key in ("annotations", "labels")}},
        **(_of_pods(found.raw) if (group, found.kind) in _PODS else {"spec": known(found.spec.raw)}),
    }
    for problem in contract_problems(manifest, spec, namespace=found.namespace, label=found.label):
        yield found.finding(f"{problem.message} ({problem.rule})", problem.remedy)


def _of_pods(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            **{key: known(value[key]) for key in _WHOLE if key in value},
            **{key: dict.fromkeys(map(str, value[key] or ()), "") for key in _KEYS if key in value},
            **{key: _of_pods(value[key]) for key in _PARTS if key in value},
        }
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_of_pods(value[index]) for index in range(len(value))]
    return {}
