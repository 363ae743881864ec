"""The contract: an object in each of a tenant's namespaces that says what the platform gives and allows. Pure.

Agencies' programs read it, and the API server's admission policies have it as their parameter.
"""

from typing import Any

from pydantic import Field

from components.core import labels
from components.core.manifests import Manifest, manifest
from components.core.model import Spec
from components.tenancy.registration.environment import Environment, PublishedListener, Versions
from components.tenancy.registration.model import Registration, Size

GROUP = "vds-platform.no"
VERSION = "v1"
KIND = "Contract"
PLURAL = "contracts"
CONTRACT = "contract"
"""Name of the object in each namespace."""


class ContractGateway(Spec):
    """The gateway for the tenant's routes."""

    namespace: str
    name: str
    listeners: tuple[str, ...]
    """Listeners that take the tenant's host names."""
    listener_set: tuple[str, ...] = ()
    """Those of them in the tenant's ListenerSet, which has the tenant's name, in the gateway's namespace."""
    hosts: tuple[str, ...] = ()
    """Host names of these listeners. Empty if one of them takes every host."""
    streams: bool = True
    """Whether the gateway sends requests and answers on while they arrive, as gRPC needs it."""
    counts_requests: bool = True
    """Whether it counts requests, as canaries with steps need it."""
    address: str
    """Empty until the gateway has one."""
    data_plane_namespace: str
    """Namespace of the pods that send requests; empty if Cilium's Envoy does."""


class ContractEgress(Spec):
    """A destination for pods with the label `egress.vds-platform.no/<name>: "true"`."""

    name: str
    hosts: tuple[str, ...]
    networks: tuple[str, ...]
    ports: tuple[int, ...]


class ContractSpec(Spec):
    """`spec` of a contract."""

    tenant: str
    environment: str
    namespaces: tuple[str, ...] = Field(min_length=1)
    """All namespaces of the tenant."""
    size: Size
    gateway: ContractGateway
    domains: tuple[str, ...]
    registries: tuple[str, ...] = Field(min_length=1)
    canary_ceiling_percent: int = Field(ge=1, le=100)
    egress: tuple[ContractEgress, ...]
    mtu: int
    cni: str
    dns_names: bool = True
    """Whether policies may name hosts."""
    countries: tuple[str, ...]
    versions: Versions
    exceptions: tuple[str, ...]
    """Ids of rules that do not hold for this tenant."""


def takes(listener: PublishedListener, tenant: str, domain: str) -> bool:
    """Whether a listener serves a tenant's domain: the same host, or a wildcard over it."""
    if listener.tenant not in (None, tenant):
        return False
    host = listener.hostname
    return host is None or host == domain or (host.startswith("*.") and domain.endswith(host[1:]))


def contract_spec(registration: Registration, namespace: str, environment: Environment) -> ContractSpec:
    """What the contract of one namespace says. Which exceptions have ended is for the registration's rules."""
    gateway = environment.gateway
    listeners = [
        listener
        for listener in gateway.listeners
        if any(takes(listener, registration.tenant, domain) for domain in registration.domains)
    ]
    hosts = [listener.hostname or "" for listener in listeners]
    return ContractSpec(
        tenant=registration.tenant,
        environment=environment.environment,
        namespaces=registration.namespace_names,
        size=registration.size_of(namespace),
        gateway=ContractGateway(
            namespace=gateway.namespace,
            name=gateway.name,
            listeners=tuple(sorted(one.name for one in listeners)),
            listener_set=tuple(sorted(one.name for one in listeners if one.in_set)),
            hosts=() if "" in hosts else tuple(sorted(set(hosts))),
            streams=gateway.streams,
            counts_requests=gateway.counts_requests,
            address=gateway.address,
            data_plane_namespace=gateway.data_plane_namespace or "",
        ),
        domains=tuple(sorted(registration.domains)),
        registries=tuple(sorted(registration.registries)),
        canary_ceiling_percent=min(registration.canary_ceiling_percent, environment.canary_ceiling_percent),
        egress=tuple(
            ContractEgress(
                name=one.name,
                hosts=tuple(sorted(one.hosts)),
                networks=tuple(sorted(map(str, one.networks))),
                ports=tuple(sorted(one.ports)),
            )
            for one in sorted(registration.egress, key=lambda one: one.name)
        ),
        mtu=environment.mtu,
        cni=environment.cni,
        dns_names=environment.dns_names,
        countries=tuple(sorted(environment.countries)),
        versions=environment.versions,
        exceptions=tuple(sorted({one.rule for one in registration.exceptions})),
    )


def contract(registration: Registration, namespace: str, environment: Environment) -> Manifest:
    """The object. A field that the environment does not know is left out."""
    spec = contract_spec(registration, namespace, environment).model_dump(mode="json", by_alias=True, exclude_none=True)
    return manifest(
        f"{GROUP}/{VERSION}",
        KIND,
        CONTRACT,
        namespace=namespace,
        labels={labels.TENANT: registration.tenant},
        spec=spec,
    )


def contract_definition() -> Manifest:
    """The CustomResourceDefinition. Its schema is the model's, so that CEL expressions are checked against it."""
    schema = _structural(ContractSpec.model_json_schema(by_alias=True, mode="serialization"))
    spec = {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": KIND, "listKind": f"{KIND}List", "plural": PLURAL, "singular": CONTRACT},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {"spec": schema}}},
                "additionalPrinterColumns": [
                    {"name": name, "type": "string", "jsonPath": f".spec.{path}"}
                    for name, path in (("Tenant", "tenant"), ("Size", "size"), ("Domains", "domains"))
                ],
            }
        ],
    }
    return manifest("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{PLURAL}.{GROUP}", spec=spec)


_KEPT = ("type", "enum", "description", "minimum", "maximum", "required")


def _structural(schema: dict[str, Any], definitions: dict[str, Any] | None = None) -> dict[str, Any]:
    """A JSON Schema as the API server takes it: without references, titles and null."""
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    if "$ref" in schema:
        described = {"description": schema["description"]} if "description" in schema else {}
        return {**_structural(definitions[schema["$ref"].rpartition("/")[2]], definitions), **described}
    if "anyOf" in schema:
        one = next(one for one in schema["anyOf"] if one.get("type") != "null")
        return _structural(one, definitions)
    made = {key: schema[key] for key in _KEPT if key in schema}
    if "items" in schema:
        made["items"] = _structural(schema["items"], definitions)
    if "properties" in schema:
        made["properties"] = {name: _structural(inner, definitions) for name, inner in schema["properties"].items()}
        made["required"] = [name for name, inner in schema["properties"].items() if "anyOf" not in inner]
        if not made["required"]:
            del made["required"]
    return made
