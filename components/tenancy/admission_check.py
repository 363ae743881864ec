"""The same rules, evaluated without a cluster: what the API server would say of an object. Pure."""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

from cel_expr_python import cel  # type: ignore[import-untyped]
from cel_expr_python.ext import ext_optional, ext_strings  # type: ignore[import-untyped]

from components.core.finding import Finding
from components.tenancy.admission_rules import KINDS, PROTECTED, PROTECTED_KINDS, RULES, VARIABLES, Kind

SUBJECTS: Mapping[tuple[str, str], tuple[str, Kind]] = {
    (kind.group, kind.kind): (subject, kind) for subject, kinds in KINDS.items() for kind in kinds
}
"""By API group and kind (empty: every kind of the group)."""


def subject_of(group: str, kind: str) -> tuple[str, Kind] | None:
    """The rules that an object is under: key of `KINDS`, and its kind there. The core group is empty."""
    return SUBJECTS.get((group, kind)) or SUBJECTS.get((group, ""))


def contract_problems(
    manifest: Mapping[str, Any], contract: Mapping[str, Any], *, namespace: str, label: str = ""
) -> Iterator[Finding]:
    """What the API server would refuse of an object that a tenant makes.

    `contract` is the `spec` of the Contract, `namespace` the one that the object goes to, `label` how a message calls
    the object. The values are plain ones, as JSON has them.
    """
    group, kind = str(manifest.get("apiVersion", "")).rpartition("/")[0], str(manifest.get("kind", ""))
    found = subject_of(group, kind)
    metadata = {"name": "", **(manifest.get("metadata") or {})}
    known: dict[str, Any] = {
        "object": {"spec": {}, **manifest, "metadata": metadata},
        "oldObject": None,
        "params": {"spec": dict(contract)},
        "request": {"namespace": namespace, "operation": "CREATE"},
        "variables": {"platform": False},
    }
    rules = [PROTECTED] if any((group, kind) == (one.group, one.kind) for one in PROTECTED_KINDS) else []
    if found:
        subject, one = found
        known["request"]["resource"] = {"resource": one.resource}
        for name, (of, expression) in VARIABLES.items():
            if of == subject:
                known["variables"][name] = _compiled(expression).eval(data=known).plain_value()
        excepted: Collection[str] = contract.get("exceptions") or ()
        rules += [rule for rule in RULES if rule.subject == subject and rule.id not in excepted]
    for rule in rules:
        kept = _compiled(rule.holds).eval(data=known).plain_value()
        if kept is not True:  # an error of the expression refuses too, as failurePolicy: Fail says
            what = label or f"{kind} {namespace}/{metadata['name']}"
            yield Finding(rule.id, what, rule.message, rule.remedy)


@cache
def _compiled(expression: str) -> Any:
    return _environment().compile(expression)


@cache
def _environment() -> Any:
    """Google's CEL with what Kubernetes adds to it and the rules use."""
    any_type = cel.Type.DYN
    total = cel.Overload(
        id="sum_list",
        return_type=cel.Type.INT,
        parameters=[cel.Type.LIST],
        is_member=True,
        impl=lambda found: sum(found),
    )
    return cel.NewEnv(
        variables=dict.fromkeys(("object", "oldObject", "params", "request", "variables"), any_type),
        extensions=[
            ext_optional.ExtOptional(),
            ext_strings.ExtStrings(),
            cel.CelExtension("kubernetes", [cel.FunctionDecl("sum", [total])]),
        ],
    )
