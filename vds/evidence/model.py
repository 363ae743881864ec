"""The content of the evidence: frozen, sorted, and without secrets."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from components.core.finding import Finding
from components.residency.processing import Processing

NOT_DECLARED = "not declared"
"""For a value that the stack file does not have: an empty cell could be read as none."""

PlaceStatus = Literal["allowed", "excepted", "own", "no data", "refused", "undeclared"]
"""`excepted`: the stack file has an exception for it, with a last day that the policies check; `own`: on the stack's
declared nodes; `no data`: nothing but pings goes there; `refused`: it, or who controls it, is not in an allowed
country."""

KINDS = {
    "node": "Nodes",
    "storage": "Storage outside the nodes",
    "backup": "Backups",
    "image-registry": "Image registries",
    "chart-repository": "Chart repositories",
    "package-repository": "Package repositories",
    "API server": "API server",
    "dns": "DNS resolvers",
    "time": "Time servers",
    "acme": "ACME directories",
    "telemetry": "Telemetry, log and metric sinks",
    "state": "Pulumi's state",
    "secrets": "Holders of the key to the stack's secrets",
    "ci": "CI runners that get the stack's secrets",
    "egress": "Egress of tenants and the platform",
    "unclassified": "Destinations whose purpose no field says",
    "addresses": "Address pools",
    "SSH access": "Bastions and addresses that SSH goes through",
    "BGP peer": "BGP peers",
    "reference point": "Reference points of the preflight",
}
"""Kinds of places that bytes go to, in the record's order; most are the purposes of `residency.places`."""

_STACK_FILE_NAMES_ALL = ("node", "API server", "addresses", "SSH access", "BGP peer", "reference point")
"""Kinds without which there is none: the platform uses those of the stack file and no others."""

_EEA = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"
EEA = frozenset(_EEA.split())
"""The Union's 27 and the three of Joint Committee Decision 154/2018, where the GDPR is law: all else is a third
country in the sense of Article 30(1)(e)."""


@dataclass(frozen=True, order=True)
class Place:
    """Somewhere that bytes lie or go."""

    kind: str
    """A key of KINDS."""
    name: str
    location: str
    """Address, URL or host, without credentials."""
    country: str
    """Where its machines are; empty: not declared."""
    entity: str
    """Who controls it; empty: not declared."""
    entity_country: str
    """Under whose law that is; empty: not declared."""
    seen_in: tuple[str, ...]
    """Parts of the stack file, of registrations, and resources of states that name it."""
    status: PlaceStatus
    tenant: str = ""
    excepted: str = ""
    """The exception's name, last day and reason."""

    @property
    def title(self) -> str:
        """Kind and name, as in `chart-repository helm.cilium.io`."""
        return self.name if self.kind in self.name else f"{self.kind} {self.name}"

    @property
    def third_country(self) -> bool:
        """Whether it, or who controls it, is declared outside the European Economic Area."""
        return any(country not in EEA for country in (self.country, self.entity_country) if country)


@dataclass(frozen=True, order=True)
class Tenant:
    """An agency with its namespaces, and the groups that its owners are."""

    name: str
    groups: tuple[str, ...]
    namespaces: tuple[str, ...]
    seen_in: tuple[str, ...]
    """`registration`, and `state` if the state of its stack was read."""
    state_made_at: str = ""
    """When the engine last wrote that state; empty: it was not read."""
    state_sha256: str = ""
    """Of its resources."""


@dataclass(frozen=True, order=True)
class PolicyResult:
    """One policy of the pack and what came of it."""

    name: str
    description: str
    level: str
    """`mandatory`, `advisory` or `disabled`."""
    severity: str
    reference: str
    """Framework and article that it serves."""
    findings: tuple[Finding, ...]

    @property
    def outcome(self) -> Literal["passed", "violated", "undecided", "disabled"]:
        if self.level == "disabled":
            return "disabled"
        if any(finding.decided for finding in self.findings):
            return "violated"
        return "undecided" if self.findings else "passed"


@dataclass(frozen=True, order=True)
class Exempt:
    """An exception from a policy, with a last day that the policies check."""

    item: str
    until: str
    reason: str


class Software(NamedTuple):
    """A chart or an image of the stack, or what is not listed."""

    kind: Literal["chart", "image", "missing"]
    name: str
    """Of an image the whole reference; of what is missing, what and why."""
    version: str = ""
    origin: str = ""
    """The repository of a chart."""


SECURITY_SETTING = "security setting "
"""What the exception of a setting of `cluster.security` is called, before its name."""


@dataclass(frozen=True)
class Evidence:
    """Everything that the folder of one stack says."""

    stack: str
    environment: str
    allowed_countries: tuple[str, ...]
    processing: Processing
    places: tuple[Place, ...]
    tenants: tuple[Tenant, ...]
    policies: tuple[PolicyResult, ...]
    exempt: tuple[Exempt, ...]
    software: tuple[Software, ...]
    open_points: tuple[str, ...]
    """What can't be decided from this state and this stack file, with the remedy."""
    state_made_at: str
    state_sha256: str
    """Of the state's resources, sorted and without secrets, as JSON; with tenants, of this sum and theirs."""
    nodes_read_at: str
    """When resolvers, time servers and package sources were read of the nodes; empty: they were not."""
    makes_cluster: bool
    """Whether the platform makes the cluster, with kubeadm."""
    secrets_provider: str
    """Its type, with its URL where it has one."""
    versions: tuple[tuple[str, str], ...]

    def said(self, *levels: str, decided: bool) -> list[str]:
        """Findings of the policies of these levels, a line each."""
        chosen = [policy for policy in self.policies if policy.level in levels]
        lines = (f"{one.name}: {found}" for one in chosen for found in one.findings if found.decided is decided)
        return list(dict.fromkeys(lines))

    @property
    def kinds_not_declared(self) -> list[str]:
        """Kinds for which neither stack file nor state names a place: the cluster may still use one."""
        named = {"unclassified", *(place.kind for place in self.places)}  # of which no stack needs one
        if self.secrets_provider == "passphrase":
            named.add("secrets")  # the operators know it: it is at no place
        return [kind for kind in KINDS if kind not in named and kind not in _STACK_FILE_NAMES_ALL]

    @property
    def kinds_without_place(self) -> list[str]:
        """Kinds of which the stack has no place."""
        named = {place.kind for place in self.places}
        return [kind for kind in _STACK_FILE_NAMES_ALL if kind not in named]

    @property
    def violations(self) -> list[str]:
        """Decided findings of mandatory policies, and places where nothing may go, a line each."""
        allowed = ", ".join(self.allowed_countries)
        places = [
            f"{place.title}: is in {place.country or 'no declared country'}, controlled from "
            f"{place.entity_country or 'no declared country'}, allowed: {allowed}"
            for place in self.places
            if place.status == "refused"
        ]
        return [*self.said("mandatory", decided=True), *places]

    @property
    def undecided(self) -> list[str]:
        """What is open, a line each: policies, undeclared places, differences between state and stack file."""
        places = [_undeclared(place) for place in self.places if place.status == "undeclared"]
        return [*self.said("mandatory", "advisory", decided=False), *places, *self.open_points]

    @property
    def verdict(self) -> Literal["holds", "violated", "undecided"]:
        if self.violations:
            return "violated"
        return "undecided" if self.undecided else "holds"


def _undeclared(place: Place) -> str:
    countries = (("country", place.country), ("controller's country", place.entity_country))
    missing = [what for what, country in countries if not country]
    what, verb, it = " and ".join(missing), *(("is", "it") if len(missing) == 1 else ("are", "them"))
    return f"{place.title}: its {what} {verb} not declared: write {it} in the stack file"
