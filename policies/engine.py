"""From the declarations in `policies.rules` to the engine's policies.

pulumi_policy turns a mandatory policy that touches an unknown value into an advice: a policy about residency would
then pass a preview because a value is not known. Here an unknown value that a check reads is a finding of its own,
as mandatory as any.

A field of the program that cannot be read is a finding. Every other exception is a fault of the pack: it ends the
preview with the policy's name, because a mandatory policy that did not run must not pass.
"""

import copy
import pkgutil
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

import pulumi_policy
from pulumi_policy import (
    EnforcementLevel,
    PolicyComplianceFramework,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError
from pydantic import ValidationError

from components.core.finding import Finding
from components.core.manifests import FieldError, kind_of
from components.core.messages import violations
from policies import rules
from policies.context import surroundings
from policies.policy import (
    Component,
    Object,
    OtherResource,
    Policy,
    ResourceView,
    Settings,
    Stack,
    is_component,
    is_one_of,
    objects_in,
)
from policies.reading import forget
from policies.releases import inner_objects, is_release
from policies.unknowns import undecided

Config = Mapping[str, Any]


def declared() -> Iterator[Policy]:
    """Every policy of `policies.rules`, file by file, in the order of the declarations."""
    for module in sorted(info.name for info in pkgutil.iter_modules(rules.__path__)):
        found = vars(import_module(f"{rules.__name__}.{module}")).values()
        yield from (value for value in found if isinstance(value, Policy))


POLICIES: dict[str, Policy] = {policy.id: policy for policy in declared()}

HAS_NAMESPACES = "tenancy-label"
"""The policy whose setting `platformNamespaces` all policies read."""


class PolicyError(Exception):
    """A fault of the pack's own code. The text names the policy and the resource, and no value."""


def judge_resource(policy: Policy, resource: ResourceView, config: Config) -> Iterator[Finding]:
    """Findings of a policy for one resource, by its inputs."""
    kind = kind_of(resource.resource_type)
    if policy.scope == "component" and is_component(resource):
        yield from _checked(policy, resource, config, Component(resource))
    elif policy.scope == "otherresource" and any(fnmatchcase(resource.resource_type, one) for one in policy.kinds):
        yield from _checked(policy, resource, config, OtherResource(resource))
    elif policy.scope == "object" and kind:
        inside = inner_objects(resource) if is_release(resource) else ()
        for found in (*objects_in(resource, policy.kinds), *inside):
            if is_one_of(found.of_kind, policy.kinds) and (policy.patches or not found.patch):
                yield from _checked(policy, found.resource, config, found)


def judge_stack(policy: Policy, resources: Sequence[PolicyResource], config: Config) -> Iterator[Finding]:
    """Findings of a policy for all resources, by their outputs. One that cannot be judged hides no other."""
    shown = [(resource, _as_shown(resource)) for resource in resources]
    seen = [resource for _, resource in shown if resource is not None]
    made = (found for resource in seen if is_release(resource) for found in inner_objects(_as_asked(resource)))
    stack = Stack(seen, [resource for resource, found in shown if not found], made)
    if policy.scope == "stack":
        yield from _checked(policy, None, config, stack)
        return
    for found in stack.objects(*policy.kinds, patches=policy.patches):
        yield from _checked(policy, found.resource, config, found, stack)


_UNREADABLE = (UnknownValueError, FieldError, RecursionError)
"""What a check raises where a resource of the program cannot be read."""


def _of_parts(policy: Policy, stack: Stack, settings: Settings) -> Iterator[Finding]:
    """Findings of a policy for a stack. What cannot be read is reported by itself, and the rest is judged without it.

    Without a component nothing else is judged: it says what all resources are judged by.
    """
    try:
        yield from list(policy.check(stack, settings))
        return
    except _UNREADABLE:
        if _fault(lambda: policy.check(Stack([]), settings)):
            raise  # no resource is at fault
        faults = {part: fault for part in stack.parts() if (fault := _fault(partial(policy.check, part, settings)))}
        if not faults:
            raise
    for part, fault in faults.items():
        resource = part.resources[0]
        yield _unjudged(policy, _subject(resource, ""), resource.urn, fault)
    if not any(is_component(part.resources[0]) for part in faults):
        yield from _of_parts(policy, stack.without({part.resources[0].urn for part in faults}), settings)


def _fault(check: Callable[[], Iterable[Finding]]) -> Exception | None:
    """Why a check cannot read what it judges; None where it can."""
    try:
        list(check())
    except _UNREADABLE as error:
        return error
    return None


def _elsewhere(policy: Policy, settings: Settings, judged: Any, stack: Stack) -> str:
    """The other resource in which an object's check cannot read a field; empty where it is the object's own."""
    if _fault(lambda: policy.check(judged, settings, Stack([]))):
        return ""
    faulty = (part for part in stack.parts() if _fault(partial(policy.check, judged, settings, part)))
    return next((_subject(part.resources[0], "") for part in faulty), "")


def _checked(
    policy: Policy, resource: ResourceView | None, config: Config, judged: Any, *rest: Any
) -> Iterator[Finding]:
    urn = resource.urn if resource else ""
    release = judged.release if isinstance(judged, Object) else ""
    subject = _subject(resource, release) if resource else "the stack"
    try:
        settings = policy.settings.model_validate(config)
    except ValidationError as error:
        for problem in violations(error, config, policy.settings):
            yield problem._replace(rule=policy.id, subject=f"configuration of {policy.id}: {problem.subject}")
        return
    check = partial(_of_parts, policy) if isinstance(judged, Stack) else policy.check
    try:
        for finding in check(judged, settings, *rest):
            named = f"Release {release}, {finding.subject}" if release else finding.subject
            yield finding._replace(rule=policy.id, urn=finding.urn or urn, subject=named)
    except Exception as error:
        where = _elsewhere(policy, settings, judged, *rest) if rest and isinstance(error, _UNREADABLE) else ""
        yield _unjudged(policy, subject, urn, error, where)


def _unjudged(policy: Policy, subject: str, urn: str, error: Exception, where: str = "") -> Finding:
    """That something cannot be judged, and why; `where`: in which other resource. Raises PolicyError for a fault of the
    pack."""
    other = f"{where}: " if where else ""
    if isinstance(error, UnknownValueError):
        message, remedy = undecided(error, other)
        return Finding(policy.id, subject, message, remedy, decided=False, urn=urn)
    if isinstance(error, FieldError):
        return Finding(policy.id, subject, f"cannot be judged: {other}{error}", "correct the field", urn=urn)
    if isinstance(error, RecursionError):
        return Finding(
            policy.id, subject, f"cannot be judged: {other}it has too many levels", "write fewer levels", urn=urn
        )
    # Not the error's text: it may quote a value, and values may be secret.
    at = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"
    raise PolicyError(
        f"policy {policy.id} failed on {subject} {urn}: {place}: this is a fault of the policy pack, not of the "
        f"program: report it; set the policy's enforcementLevel to disabled to go on without it"
    ) from None


def _subject(resource: ResourceView, release: str) -> str:
    kind = kind_of(resource.resource_type)
    what = kind.name if kind else resource.resource_type
    return f"Release {release}, a {what}" if release else f"{what} {resource.name}"


_ASKED: dict[str, Mapping[str, Any]] = {}
"""By URN, the inputs of every resource of a stack that this process was asked to judge by itself: each comes before its
stack."""
_KEEPING = Lock()


def _keep(resource: ResourceView) -> None:
    """Keep a resource for the policies of its stack. A process judges one stack after the other."""
    stack = resource.urn.partition("::")[0] + "::"
    with _KEEPING:  # the engine asks about several at a time
        if not next(iter(_ASKED), stack).startswith(stack):
            _ASKED.clear()
            forget()
        _ASKED[resource.urn] = resource.props


def _as_shown(resource: PolicyResource) -> PolicyResource | None:
    """The resource by its inputs, where it has no properties; None where no inputs were shown either.

    The engine shows a stack's policies no property at all of a resource whose provider is not configured yet (sdk
    go/common/resource/plugin/provider_plugin.go): in a preview of a cluster that is still to be made, of everything
    in it. Its inputs were judged before, resource by resource.
    """
    if resource.provider is None or len(resource.props):
        return resource
    asked = _ASKED.get(resource.urn)
    if asked is None:
        return None if kind_of(resource.resource_type) else resource
    found = copy.copy(resource)
    found.props = asked
    return found


def _as_asked(resource: PolicyResource) -> PolicyResource:
    """The resource by its inputs, if they were asked about: outputs of a Release are known only after an update."""
    found = copy.copy(resource)
    found.props = _ASKED.get(resource.urn, resource.props)
    return found


def schema(settings: type[Settings]) -> dict[str, Any]:
    """The JSON Schema of each setting, without references: the engine takes properties alone."""
    document = settings.model_json_schema(by_alias=True)
    found: dict[str, Any] = _inlined(document.get("properties", {}), document.get("$defs", {}))
    return found


def _inlined(value: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_inlined(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: inner for key, inner in value.items() if not (key == "title" and isinstance(inner, str))}
    if reference := value.pop("$ref", None):
        value = {**definitions[reference.rpartition("/")[2]], **value}
        return _inlined(value, definitions)
    choices = [choice for choice in value.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:  # a setting that may be left out
        del value["anyOf"]
        value = {**choices[0], **value}
        value = {key: inner for key, inner in value.items() if key != "default" or inner is not None}
        return _inlined(value, definitions)
    return {key: _inlined(inner, definitions) for key, inner in value.items()}


def engine_policy(policy: Policy) -> pulumi_policy.Policy:
    """The policy as Pulumi's engine takes it."""
    properties = schema(policy.settings)
    common: dict[str, Any] = {
        "name": policy.id,
        "description": policy.title,
        "config_schema": PolicyConfigSchema(properties) if properties else None,
        "enforcement_level": EnforcementLevel.MANDATORY if policy.mandatory else EnforcementLevel.ADVISORY,
        "severity": policy.severity,
        "framework": PolicyComplianceFramework(name=policy.framework, reference=policy.reference),
        "remediation_steps": policy.remedy,
        "url": policy.page,
    }

    def of_resource(args: ResourceValidationArgs, report: ReportViolation) -> None:
        _keep(args)
        for finding in judge_resource(policy, args, _settings(policy, args.get_config())):
            report(str(finding), None)

    def of_stack(args: StackValidationArgs, report: ReportViolation) -> None:
        for finding in judge_stack(policy, args.resources, _settings(policy, args.get_config())):
            report(str(finding), finding.urn or None)

    if policy.of_stack:
        return StackValidationPolicy(validate=of_stack, **common)
    return ResourceValidationPolicy(validate=of_resource, **common)


_SHARED: dict[str, Any] = {}
"""Settings of all policies. The SDK shows each policy its own alone, so the one that has them keeps them here."""


def shared(config: Mapping[str, Config]) -> Config:
    """What every policy gets of a pack's configuration, by policy, beside its own settings."""
    return {key: value for key, value in config.get(HAS_NAMESPACES, {}).items() if key == "platformNamespaces"}


def _settings(policy: Policy, given: Config | None) -> Config:
    if policy.id == HAS_NAMESPACES:
        _SHARED.clear()
        _SHARED.update(shared({policy.id: given or {}}))
    return {**surroundings(), **_SHARED, **(given or {})}


ENGINE_POLICIES: list[pulumi_policy.Policy] = [
    # The one with the settings of all comes first: the engine asks in this order about every resource.
    engine_policy(policy)
    for policy in sorted(POLICIES.values(), key=lambda policy: policy.id != HAS_NAMESPACES)
]
