"""Policies of residency: in which countries data is, under whose law, and where it is sent."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from itertools import product
from typing import Any

from pulumi_policy import PolicyResource
from pydantic import Field, ValidationError
from pydantic.json_schema import SkipJsonSchema

from components.core.endpoints import backend_host, secrets_host
from components.core.finding import Finding
from components.core.manifests import FieldError, kind_of
from components.core.messages import violations
from components.core.types import CountryCode
from components.nodes.rules import country_problem
from components.pools.addresses import IpAddress
from components.residency.data_flows import data_flows
from components.residency.egress import GROUP_KINDS
from components.residency.model import Cidr, Place, ResidencyException
from components.residency.providers import Around
from components.residency.rules import (
    DataFlow,
    Record,
    data_flow_problems,
    expired_problems,
    missing_purposes,
)
from policies.machines import machines
from policies.policy import (
    CRITICAL,
    GDPR,
    HIGH,
    MEDIUM,
    SCHREMS,
    Component,
    Dated,
    Settings,
    Stack,
    is_component,
    policy,
)
from policies.releases import inside_of, is_release
from policies.unknowns import known, plain

DEMANDED = ("dns", "time")
"""Purposes that every node has and no resource shows: where the program keeps a record, it must name them."""


class Countries(Settings):
    allowed_countries: tuple[CountryCode, ...] = ("NO",)
    """Countries (ISO 3166-1 alpha-2) in which data may be and under whose law its processors may be."""


@policy(
    id="residency",
    title="Data is in allowed countries, under the law of allowed countries.",
    severity=CRITICAL,
    framework=SCHREMS,
    reference="GDPR art. 44 and 46",
    why="A machine in the country is not enough: the owner of its provider can be ordered to hand data over. The "
    "machine's country and the country whose law its provider is under are judged separately.",
    remedy="Rent the server in an allowed country from a company of an allowed country.",
)
def country(component: Component, settings: Countries) -> Iterator[Finding]:
    for field, what in (("country", "the machine"), ("providerCountry", "its provider")):
        if field in component:
            found = component.text(field)
            yield from country_problem(f"node {component.name}", found, settings.allowed_countries, what=what)


class MachineSettings(Countries):
    places: dict[Cidr, CountryCode] = Field({})
    """Networks (CIDR) whose country the auditor knows; it counts more than what a program says."""

    def country_of(self, address: IpAddress | None) -> str:
        """The country of the smallest network that holds the address; empty where none does."""
        holding = [(net.prefixlen, code) for net, code in self.places.items() if address and address in net]
        return max(holding)[1] if holding else ""


@policy(
    id="residency-place",
    title="Every machine that the program works on has a declared country, and it is an allowed one.",
    severity=CRITICAL,
    framework=GDPR,
    reference="art. 30(1)(e) and 44",
    why="A machine without a declared country cannot be in a record of processing.",
    remedy="Put the machine into a component with `country` among its inputs and outputs, or name its network in the "
    "policy's `places`.",
)
def machine_place(stack: Stack, settings: MachineSettings) -> Iterator[Finding]:
    for machine in machines(stack.resources):
        subject = f"node {machine.name}"
        known_country = settings.country_of(machine.address)
        if not machine.country and not known_country:
            message = f"nothing says in which country {machine.host} is"
            remedy = (
                "put it into a component with `country` among its inputs and outputs, or name its network in the "
                "policy's `places`"
            )
            yield Finding("", subject, message, remedy, urn=machine.urn)
        elif machine.country and known_country and machine.country != known_country:
            message = f"declares {machine.country}, but the policy's `places` has {machine.host} in {known_country}"
            yield Finding("", subject, message, "correct whichever is wrong", urn=machine.urn)
        elif known_country:
            what = f"the machine ({machine.host})"
            for problem in country_problem(subject, known_country, settings.allowed_countries, what=what):
                yield problem._replace(urn=machine.urn)


class RecordSettings(Countries, Dated):
    places: tuple[Place, ...] = ()
    """Declared places, each as in a stack file's residency.places; they count more than the program's own."""
    exceptions: tuple[ResidencyException, ...] = ()
    """Dated exceptions, each as in residency.exceptions (name, place, until, reason)."""

    def record(self, stack: Stack) -> Record:
        """The auditor's places before the program's own: what they say of a host counts, and only the auditor's
        exceptions let one of them through."""
        places, exceptions = self.places, self.exceptions
        for component in _records(stack):
            said = _said(component)
            places += said.places
            exceptions += said.exceptions
        day = self.day() if exceptions else date.min
        return Record(places, exceptions, self.allowed_countries, day, self.places, self.exceptions)


def _records(stack: Stack) -> list[Component]:
    """Components of any program that declare places."""
    return [component for component in stack.components if "places" in component]


def _said(component: Component) -> RecordSettings:
    """Places and exceptions of a component. Raises FieldError with everything that is wrong with them."""
    written = {field: known(component.items(field)) for field in ("places", "exceptions")}
    try:
        return RecordSettings.model_validate(written)
    except ValidationError as error:
        found = violations(error, written, RecordSettings)
        raise FieldError(
            component.name, "; ".join(f"{one.subject}: {one.message}: {one.remedy}" for one in found)
        ) from None


class DestinationSettings(RecordSettings):
    seen_clusters: SkipJsonSchema[dict[str, tuple[str, ...]] | None] = Field(default=None)
    """Servers of the kubeconfig in the environment of the pack's process, by context."""


@policy(
    id="residency-destinations",
    title="Every destination of data is declared, is in an allowed country, and is controlled from one.",
    severity=CRITICAL,
    framework=SCHREMS,
    reference="GDPR art. 30(1)(d)-(e), 44 and 46",
    why="Data leaves through the destinations that a program names: pulling an image shows its registry what runs "
    "where, a log sink gets what is logged, a host that a tenant may call gets what it is sent. All of these are "
    "found in pod templates, chart values, custom resources and network policies, in commands, and in resources of "
    "every other provider, and must be declared with the entity that controls them. The country of that "
    "entity is judged separately: the Oslo region of a company under foreign law is not a place under Norwegian law.",
    remedy="Declare the place in residency.places, or use one that is declared. Where a place abroad is needed for a "
    "while, write an exception with a date and a reason.",
)
def destinations(stack: Stack, settings: DestinationSettings) -> Iterator[Finding]:
    record = settings.record(stack)._replace(namespaces=_namespaces(stack))
    around = Around(
        machines=frozenset(_declared_machines(stack)),
        groups=[plain(found.raw) for found in stack.objects(*GROUP_KINDS)],
        clusters=settings.seen_clusters,
    )
    for resource in stack.resources:
        own = around
        if kind_of(resource.resource_type) is None:
            if is_component(resource):
                continue
            provider = plain(resource.provider.props) if resource.provider else {}
            own = around._replace(provider=provider, destinations=_destinations(resource))
        inside = partial(inside_of, resource)
        for flow in data_flows(resource.resource_type, resource.name, plain(resource.props), inside, own):
            yield from (problem._replace(urn=resource.urn) for problem in data_flow_problems(flow, record))


def _namespaces(stack: Stack) -> set[str]:
    """Namespaces that the program makes, as far as they are known."""
    found = [plain(namespace.raw).get("metadata") for namespace in stack.objects("core:Namespace")]
    names = [metadata.get("name") for metadata in found if isinstance(metadata, Mapping)]
    names += [plain(release.props).get("namespace") for release in stack.resources if is_release(release)]
    return {name for name in names if isinstance(name, str)}


def _declared_machines(stack: Stack) -> Iterator[str]:
    """Addresses of the machines whose country a component declares: `residency` judges it."""
    for component in stack.components:
        found = plain(component.raw)
        if found.get("country") and isinstance(found.get("address"), str):
            yield found["address"]


def _destinations(resource: PolicyResource) -> Any:
    """What the nearest component around a resource declares of the hosts to which its commands send data; None where
    none does."""
    owner = resource.parent
    while owner is not None:
        if (found := plain(owner.props).get("destinations")) is not None:
            return found
        owner = owner.parent
    return None


class StateSettings(RecordSettings):
    state_backend: str = ""
    """URL of the state backend: judged beside PULUMI_BACKEND_URL and what the program's component says."""
    secrets_provider: str = ""
    """URL of the secrets provider, where it is not a passphrase."""
    seen_backend: SkipJsonSchema[str] = Field(default="")
    """PULUMI_BACKEND_URL, as the process of the pack has it."""


@policy(
    id="residency-state",
    title="Pulumi's state, the key to its secrets and the CI runners that get them are at declared places.",
    severity=CRITICAL,
    framework=SCHREMS,
    reference="GDPR art. 32 and 44",
    why="The state holds every input of every resource, secrets among them, and the holder of the key can read them. "
    "A CI runner that updates a stack decrypts them.",
    remedy="Keep the state at a declared place (PULUMI_BACKEND_URL), and its key with a passphrase or a declared "
    "provider. Let workflows run where a declared place has the runner's label among its hosts.",
)
def state(stack: Stack, settings: StateSettings) -> Iterator[Finding]:
    record = settings.record(stack)
    for runner in dict.fromkeys(_runners(stack)):
        yield from data_flow_problems(runner, record)

    def every(field: str, *configured: str) -> list[str]:
        # All of them: what a program says of its state must not hide where the engine keeps it.
        declared = (component.text(field) for component in _records(stack))
        return list(dict.fromkeys(value for value in (*configured, *declared) if value))

    backends = every("stateBackend", settings.state_backend, settings.seen_backend)
    providers = every("secretsProvider", settings.secrets_provider) or [""]
    if not backends:
        yield Finding(
            "",
            "Pulumi's state",
            "nothing says where it is kept",
            "set PULUMI_BACKEND_URL, or `stateBackend` in the policy's configuration; what `pulumi login` remembers is "
            "not shown to programs",
        )
        return
    flows = [DataFlow(backend_host(backend), "state", "Pulumi's state backend") for backend in backends]
    for backend, provider in product(backends, providers):
        if holder := secrets_host(provider, backend):
            flows.append(DataFlow(holder, "secrets", "the stack's secrets provider"))
    for flow in dict.fromkeys(flows):
        yield from data_flow_problems(flow, record)


def _runners(stack: Stack) -> Iterator[DataFlow]:
    for component in _records(stack):
        for runner in component.groups("ciRunners"):
            yield DataFlow(
                runner.text("label"),
                "ci",
                runner.text("seen_in"),
                remedy="write the label of a runner of your own to `runs-on`",
                unknown="which CI runner gets the stack's secrets is not known",
            )


@policy(
    id="residency-exceptions",
    title="Every exception from residency has a date that is still to come.",
    severity=HIGH,
    framework=GDPR,
    reference="art. 5(2) and 24",
    why="An exception without an end is a rule that no one decided on.",
    remedy="Stop using the place, or have a new date approved and write it.",
)
def exceptions(stack: Stack, settings: RecordSettings) -> Iterator[Finding]:
    record = settings.record(stack)
    yield from expired_problems(record.exceptions, record.today)


class RequiredPurposes(RecordSettings):
    demanded: tuple[str, ...] | None = None
    """Purposes that need a place; else dns and time, where a component has `places`."""


@policy(
    id="residency-record",
    title="The record names a place for what every node uses and no resource shows.",
    severity=MEDIUM,
    framework=GDPR,
    reference="art. 30",
    why="Every node asks resolvers and time servers, and no resource names them: only a record does.",
    remedy="Declare a place for each purpose that the message names.",
)
def purposes(stack: Stack, settings: RequiredPurposes) -> Iterator[Finding]:
    demanded = settings.demanded
    if demanded is None:
        demanded = DEMANDED if _records(stack) else ()
    yield from missing_purposes(settings.record(stack).places, demanded)
