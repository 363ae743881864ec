"""From a predicate to a policy: violated, kept, or not to be decided yet.

pulumi_policy turns a mandatory policy that touches an unknown value into an advice: what decides whether
data leaves the country would then pass a preview for the very reason that nobody knows. Here an unknown
that a predicate asks for is a violation of its own, as mandatory as any.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pulumi_policy import (
    EnforcementLevel,
    Policy,
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

from components.core.finding import Finding
from policies.about import ABOUT
from policies.context import surroundings

UNDECIDED = "cannot be decided at preview"

Config = Mapping[str, Any]
Judge = Callable[[Mapping[str, Any], Config], Iterable[Finding]]
"""Judges one resource's inputs."""


class Kind(NamedTuple):
    """What a Pulumi type says about a Kubernetes object."""

    group: str
    """API group with its version cut off; `core` for Kubernetes' first."""
    name: str
    patch: bool
    """Only some fields of an object that is somebody else's."""


class Found(NamedTuple):
    """A violation of a stack, and the resource to show it at (None: the stack itself)."""

    violation: Finding
    urn: str | None = None


class PolicyFinding(NamedTuple):
    """What a rule says of a resource or a stack: a violation, or that nobody can tell yet."""

    item: str
    """Empty where the message is about the resource itself."""
    message: str
    urn: str | None
    decided: bool = True

    def __str__(self) -> str:
        return f"{self.item}: {self.message}" if self.item else self.message


class Seen(Protocol):
    """What policies of one resource and policies of a stack are shown alike."""

    resource_type: str
    props: Mapping[str, Any]
    urn: str
    name: str

    @property
    def provider(self) -> Any: ...


class Rule(NamedTuple):
    """A policy of the engine, and the same judgement without an engine."""

    policy: Policy
    each: Callable[[Seen, Config], Iterator[PolicyFinding]] | None = None
    """Judges one resource by its inputs."""
    whole: Callable[[Sequence[PolicyResource], Config], Iterator[PolicyFinding]] | None = None
    """Judges all resources by their outputs."""


_ASKED: dict[str, Mapping[str, Any]] = {}
"""By URN, the inputs of every resource that this process was asked to judge by itself: each comes before its stack."""

JudgeStack = Callable[[Sequence[PolicyResource], Config], Iterable[Found]]


def kind(resource_type: str) -> Kind | None:
    """`kubernetes:metallb.io/v1beta1:IPAddressPool` → its group and kind; None for what is no Kubernetes object."""
    provider, _, rest = resource_type.partition(":")
    api, _, name = rest.partition(":")
    if provider != "kubernetes" or not name:
        return None
    patch = name.endswith("Patch")
    return Kind(api.rpartition("/")[0], name.removesuffix("Patch"), patch)


def is_patch(resource: Seen) -> bool:
    """Whether a resource is some fields of somebody else's object."""
    found = kind(resource.resource_type)
    return found is not None and found.patch


def objects(resources: Sequence[PolicyResource], *kinds: str, patches: bool = False) -> Iterator[PolicyResource]:
    """Objects of these kinds (`group:Kind`); `patches`: also fields that the program sets on somebody else's."""
    for resource in resources:
        found = kind(resource.resource_type)
        if found and (patches or not found.patch) and f"{found.group}:{found.name}" in kinds:
            yield resource


def each(
    name: str,
    description: str,
    *kinds: str,
    judge: Judge,
    patches: bool | Judge = False,
    schema: PolicyConfigSchema | None = None,
) -> Rule:
    """A policy for every Kubernetes object of `kinds` (`group:Kind`); `patches`: also for patches of them, by a judge
    of their own where what a patch leaves out says nothing."""
    of_patch = patches if callable(patches) else judge

    def one(seen: Seen, config: Config) -> Iterator[PolicyFinding]:
        found = kind(seen.resource_type)
        if found and f"{found.group}:{found.name}" in kinds and (patches or not found.patch):
            asked = of_patch if found.patch else judge
            yield from _findings(lambda: map(Found, asked(seen.props, config)), seen.resource_type, seen.urn)

    return _of_one(name, description, one, schema)


def each_component(
    name: str,
    description: str,
    *,
    judge: Callable[[str, Mapping[str, Any], Config], Iterable[Finding]],
    schema: PolicyConfigSchema,
) -> Rule:
    """A policy for every component resource, with its name: what has no provider is made of the program alone."""

    def one(seen: Seen, config: Config) -> Iterator[PolicyFinding]:
        if seen.provider is None and not seen.resource_type.startswith("pulumi:"):
            yield from _findings(lambda: map(Found, judge(seen.name, seen.props, config)), seen.resource_type, seen.urn)

    return _of_one(name, description, one, schema)


def readable(resources: Sequence[PolicyResource]) -> list[PolicyResource]:
    """The resources of a stack, those without properties by their inputs.

    The engine shows a stack's policies no property at all of a resource whose provider is not configured yet (sdk
    go/common/resource/plugin/provider_plugin.go): in a preview of a cluster that is still to be made, of everything
    in it. What was asked for was judged before, resource by resource.
    """
    return [seen for resource in resources if (seen := _as_asked(resource)) is not None]


def unread(resources: Sequence[PolicyResource]) -> list[PolicyResource]:
    """Objects of which nobody can say anything: neither properties nor inputs were shown."""
    return [resource for resource in resources if _as_asked(resource) is None]


def _as_asked(resource: PolicyResource) -> PolicyResource | None:
    if resource.provider is None or len(resource.props):
        return resource
    asked = _ASKED.get(resource.urn)
    if asked is None:
        return None if kind(resource.resource_type) else resource
    found = copy.copy(resource)
    found.props = asked
    return found


def stack(
    name: str,
    description: str,
    *,
    judge: JudgeStack,
    schema: PolicyConfigSchema | None = None,
    of: Callable[[Sequence[PolicyResource]], list[PolicyResource]] = readable,
) -> Rule:
    """A policy for all resources together, as they will be: it is asked at the end of a preview and of an update.

    `of`: which of them, and by what."""

    def whole(resources: Sequence[PolicyResource], config: Config) -> Iterator[PolicyFinding]:
        yield from _findings(lambda: judge(of(resources), config), "stack", None)

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for finding in whole(args.resources, {**surroundings(), **(args.get_config() or {})}):
            report(str(finding), finding.urn)

    policy = StackValidationPolicy(name, description, validate, config_schema=schema, **_known_about(name))
    return Rule(policy, whole=whole)


def _of_one(
    name: str,
    description: str,
    one: Callable[[Seen, Config], Iterator[PolicyFinding]],
    schema: PolicyConfigSchema | None,
) -> Rule:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        _ASKED[args.urn] = args.props
        for finding in one(args, {**surroundings(), **(args.get_config() or {})}):
            report(str(finding), None)

    policy = ResourceValidationPolicy(name, description, validate, config_schema=schema, **_known_about(name))
    return Rule(policy, each=one)


def _known_about(name: str) -> dict[str, Any]:
    about = ABOUT[name]  # a policy that nothing is said about cannot be made
    return {
        "enforcement_level": EnforcementLevel.MANDATORY if about.mandatory else EnforcementLevel.ADVISORY,
        "severity": about.severity,
        "framework": PolicyComplianceFramework(name=about.framework, reference=about.reference),
        "remediation_steps": about.remedy,
        "url": page(name),
    }


def page(name: str) -> str:
    """Where the policy is explained, from the project's root."""
    return f"docs/policies/{name}.md"


def _findings(find: Callable[[], Iterable[Found]], what: str, urn: str | None) -> Iterator[PolicyFinding]:
    try:
        for violation, at in find():
            decided = not violation.message.startswith(UNDECIDED)
            yield PolicyFinding(violation.subject, violation.message, at or urn, decided)
    except UnknownValueError as unknown:
        yield PolicyFinding("", undecided(".".join(unknown.props)), urn, decided=False)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # Not the error's text: it may quote a value, and values may be secret.
        yield PolicyFinding("", f"cannot be read as {what} ({type(error).__name__}): correct its fields", urn)


def undecided(path: str) -> str:
    """What is said of a value that a rule asks for and nobody knows yet."""
    return f"{UNDECIDED}: {path} is not known yet; write it as a plain value, not as another resource's output"
