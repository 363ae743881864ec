"""What a policy is declared with: its text, its settings, and the resources that its check reads."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Literal, Protocol, get_type_hints

from pulumi_policy import PolicyResource, Severity
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError
from pydantic.json_schema import SkipJsonSchema

from components.core.finding import Finding
from components.core.manifests import FieldError, Fields, Kind, ManifestView, kind_of
from components.core.model import Spec
from components.core.waivers import IsoDate
from components.tenancy.namespaces import UNCLAIMED_NAMESPACES, is_tenant_namespace

LOW, MEDIUM, HIGH, CRITICAL = Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL

SCHREMS = "Schrems II (CJEU C-311/18)"
GDPR = "GDPR (EU) 2016/679"
CIS = "CIS Kubernetes Benchmark"
NSA = "NSA/CISA Kubernetes Hardening Guide"
PLATFORM = "vds-platform"

Check = Callable[..., Iterable[Finding]]
Scope = Literal["object", "object in stack", "component", "otherresource", "stack"]


class Settings(Spec, extra="ignore"):
    """Configuration of a policy: `--policy-pack-config` by the policy's id. Keys of other policies are ignored."""

    strict_numbers: ClassVar[bool] = False  # Pulumi hands every number on as 1.0


class Dated(Settings):
    """Settings of a policy that has exceptions with a last day."""

    today: IsoDate | None = None
    """ISO date that exceptions are checked against; else the clock's."""

    def day(self) -> date:
        """Raises UnknownValueError where no day is given: an exported state is judged without a clock."""
        if self.today is None:
            raise UnknownValueError(UNKNOWN_STRING_VALUE, ["today"])
        return self.today


class Namespaces(Settings):
    """Settings of a policy for tenants' namespaces."""

    platform_namespaces: SkipJsonSchema[tuple[str, ...]] = ()

    def is_tenant(self, namespace: str) -> bool:
        return is_tenant_namespace(namespace, platform=self.platform_namespaces)

    def may_hold_tenants(self, namespace: str) -> bool:
        """The same with namespaces that Kubernetes makes and where the platform runs nothing, `default` for one."""
        unclaimed = namespace in UNCLAIMED_NAMESPACES and namespace not in self.platform_namespaces
        return unclaimed or self.is_tenant(namespace)


class PlatformNamespaces(Namespaces):
    """Settings of the one policy that has the list of the platform's namespaces for all of them."""

    platform_namespaces: tuple[str, ...] = ()
    """Namespaces of the platform beside the well-known ones, for all policies. Every other one is a tenant's."""


class ResourceView(Protocol):
    """A resource, as policies of one resource and policies of a stack are shown it alike."""

    resource_type: str
    props: Mapping[str, Any]
    urn: str
    name: str

    @property
    def provider(self) -> Any: ...

    @property
    def opts(self) -> Any: ...


@dataclass
class Inner:
    """An object inside a resource, in the form of a resource."""

    resource_type: str
    props: Mapping[str, Any]
    urn: str
    """Of the resource."""
    name: str
    provider: Any
    opts: Any


class Object(ManifestView):
    """A Kubernetes object of a program, or the fields that a patch sets on an object that is managed elsewhere."""

    def __init__(self, resource: ResourceView, kind: Kind, *, release: str = "") -> None:
        super().__init__(kind.name, resource.props)
        self.resource = resource
        self.urn = resource.urn
        self.of_kind = kind
        self.patch = kind.patch
        self.release = release
        """The Helm Release that makes it; empty for an object of the program."""

    @property
    def cluster(self) -> str:
        """Which cluster it is in: a provider of Kubernetes is one, and the same name in another is another object."""
        provider = self.resource.provider
        return str(provider.urn or provider.name) if provider else ""

    @property
    def label(self) -> str:
        return f"namespace '{self.name}'" if self.kind == "Namespace" else super().label

    def finding(self, message: str, remedy: str, *, subject: str = "") -> Finding:
        return Finding("", subject or self.label, message, remedy, urn=self.urn)


CUSTOM = "*"
"""Among a policy's kinds: every custom resource."""


def objects_in(resource: ResourceView, kinds: Collection[str]) -> Iterator[Object]:
    """The object that a resource is, if it is of one of the kinds (`group:Kind`); of a list, its items that are."""
    kind = kind_of(resource.resource_type)
    if kind and is_one_of(kind, kinds):
        yield Object(resource, kind)
    elif kind and kind.name.endswith("List"):
        yield from (found for found in _items(resource, kind) if is_one_of(found.of_kind, kinds))


def is_one_of(kind: Kind, kinds: Collection[str]) -> bool:
    custom = "." in kind.group and not kind.group.endswith(".k8s.io") and kind.group != "helm.sh"
    return str(kind) in kinds or (CUSTOM in kinds and custom)


def _items(resource: ResourceView, kind: Kind) -> Iterator[Object]:
    for item in Fields(resource.props).groups("items"):
        api = item.text("apiVersion") or Fields(resource.props).text("apiVersion")
        name = item.text("kind", kind.name.removesuffix("List"))
        inner = f"kubernetes:{api if '/' in api else f'core/{api}'}:{name}"
        body = Inner(inner, item.raw, resource.urn, resource.name, resource.provider, resource.opts)
        if found := kind_of(inner):
            yield Object(body, found)


class Component(Fields):
    """A component resource: it has no provider, and its inputs and outputs are what the program says."""

    def __init__(self, resource: ResourceView) -> None:
        super().__init__(resource.props, resource.name)
        self.name = resource.name
        self.urn = resource.urn


class OtherResource(Fields):
    """A resource that is neither a Kubernetes object nor a component: a command, a provider."""

    def __init__(self, resource: ResourceView) -> None:
        super().__init__(resource.props)
        self.urn = resource.urn
        self.type = resource.resource_type
        self.label = f"{resource.resource_type.rpartition(':')[2]} {resource.name}"

    def finding(self, message: str, remedy: str) -> Finding:
        return Finding("", self.label, message, remedy, urn=self.urn)


class Stack:
    """All resources of a stack, as they will be."""

    def __init__(
        self,
        resources: Sequence[PolicyResource],
        unread: Sequence[PolicyResource] = (),
        made_by_charts: Iterable[Object] = (),
    ) -> None:
        self.resources = resources
        self._made_by_charts = tuple(made_by_charts)
        self.unread = unread
        """Objects of which neither properties nor inputs were shown."""
        self.components = [Component(resource) for resource in resources if is_component(resource)]
        self._objects: dict[Kind, list[Object]] = {}
        for resource in resources:
            for found in _all_of(resource):
                self._objects.setdefault(found.of_kind._replace(patch=False), []).append(found)
        for found in self._made_by_charts:
            self._objects.setdefault(found.of_kind, []).append(found)

    def objects(self, *kinds: str, patches: bool = False) -> Iterator[Object]:
        """Objects of these kinds (`group:Kind`); `patches`: also patches of them."""
        for kind, objects in self._objects.items():
            if is_one_of(kind, kinds):
                yield from (found for found in objects if patches or not found.patch)

    def parts(self) -> "Iterator[Stack]":
        """A stack of each resource by itself, with what a Release makes."""
        inner: dict[str, list[Object]] = {}
        for found in self._made_by_charts:
            inner.setdefault(found.urn, []).append(found)
        yield from (Stack([resource], (), inner.get(resource.urn, ())) for resource in self.resources)

    def without(self, urns: Collection[str]) -> "Stack":
        """The same without resources of these URNs."""
        kept = [resource for resource in self.resources if resource.urn not in urns]
        return Stack(kept, self.unread, [found for found in self._made_by_charts if found.urn not in urns])

    def declared(self, field: str) -> list[int]:
        """What components declare in a field of this name."""
        return [component.number(field) for component in self.components if field in component]


def _all_of(resource: ResourceView) -> Iterator[Object]:
    """The object that a resource is, or the items of a list. A list that cannot be read is judged as one object."""
    kind = kind_of(resource.resource_type)
    if kind is None:
        return
    try:
        items = list(_items(resource, kind)) if kind.name.endswith("List") else []
    except (FieldError, UnknownValueError):
        items = []
    yield from items or [Object(resource, kind)]


def is_component(resource: ResourceView) -> bool:
    """Whether a resource is made of the program alone."""
    return resource.provider is None and not resource.resource_type.startswith("pulumi:")


@dataclass(frozen=True)
class Policy:
    """One policy: everything that there is to say about it, and its check."""

    id: str
    title: str
    """What it demands, as a sentence."""
    severity: Severity
    framework: str
    reference: str
    """The article or section of it."""
    why: str
    remedy: str
    check: Check
    scope: Scope
    kinds: tuple[str, ...] = ()
    """Of a policy for objects: `group:Kind`; of one for other resources, their types: * matches anything."""
    patches: bool = True
    """Whether it also judges patches of those kinds."""
    settings: type[Settings] = Settings
    mandatory: bool = True
    """Unless the pack's configuration says otherwise."""

    @property
    def page(self) -> str:
        """Where the policy is explained, from the project's root."""
        return f"docs/policies/{self.id}.md"

    @property
    def ground(self) -> str:
        return f"{self.framework}, {self.reference}"

    @property
    def of_stack(self) -> bool:
        """Whether it judges a stack's resources at the end, and not each by its inputs."""
        return self.scope in ("object in stack", "stack")

    def level(self, configured: Mapping[str, Any]) -> str:
        """`mandatory`, `advisory` or `disabled`."""
        return str(configured.get("enforcementLevel") or ("mandatory" if self.mandatory else "advisory"))


def policy(**text: Any) -> Callable[[Check], Policy]:
    """Makes a check a policy. The types of the check's parameters say what it gets, and which settings it has:

    - Object, settings: when the engine asks about the object's inputs (scope "object")
    - Object, settings, Stack: at the end of a preview and of an update (scope "object in stack")
    - OtherResource, settings: the same for a resource of the types in `kinds` (scope "otherresource")
    - Component, settings (scope "component"); Stack, settings (scope "stack")
    """

    def made(check: Check) -> Policy:
        judged, settings, *rest = [kind for name, kind in get_type_hints(check).items() if name != "return"]
        scope: Any = "object in stack" if rest else judged.__name__.lower()
        return Policy(check=check, scope=scope, settings=settings, **text)

    return made
