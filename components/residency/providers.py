"""Data flows of resources that are no Kubernetes objects: the place where a provider makes them, the server of a
cluster, and what a command sends.

A provider of Pulumi is a place by its name, with the region that an input says: `aws/eu-north-1`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from components.core.endpoints import image_registry, in_ascii, outside_of
from components.core.unknown import UNKNOWN
from components.residency.fields import field_flows
from components.residency.kubeconfigs import UnreadableKubeconfigError, all_hosts
from components.residency.named import ADDRESS, URLS
from components.residency.rules import NOT_KNOWN, DataFlow

MADE_HERE = frozenset(("command", "kubernetes", "pulumi", "random", "time", "tls"))
"""Providers that keep nothing at a place of their own: they calculate, or work on machines and clusters that are judged
themselves. `pulumi` reads the state of another stack, from the backend of this one."""
_REGION = ("region", "location", "zone", "availabilityZone", "datacenter", "locationName", "regionName")
"""Inputs that say in which part of a provider a resource is, in the order of the AWS, Azure, Google and Hetzner
providers' precedence."""
_PURPOSES = (
    ("backup", r"backup|snapshot|recovery"),
    ("secrets", r"secret|kms|keyvault|vault"),
    ("image-registry", r"ecr|registry|docker"),
    ("telemetry", r"datadog|newrelic|grafana|sentry|log|monitor|metric|cloudwatch|insights"),
    ("dns", r"dns|route53"),
    ("storage", r"s3|bucket|storage|disk|volume|sql|rds|database|dynamo|redis|cache|table|filesystem|efs"),
)
"""What a resource is there for, by words of its type; the first that fits counts."""
_IMAGES = {"docker": ("imageName", "name"), "docker-build": ("tags",)}
"""By provider: inputs that name an image that it pushes or pulls."""
_COMMAND = ("create", "update", "delete", "stdin", "environment", "source")
"""Inputs of a command that are programs or their data."""


class Around(NamedTuple):
    """What stands around a resource in its program."""

    provider: Mapping[str, Any] = {}
    """Inputs of the resource's provider."""
    destinations: Any = None
    """The list `destinations` of the nearest component around it: hosts to which its commands send data, as text or
    with what for: `{host, purpose}`."""
    machines: frozenset[str] = frozenset()
    """Addresses of the program's machines that have a declared country."""
    groups: Sequence[Mapping[str, Any]] = ()
    """Objects of `egress.GROUP_KINDS`."""
    clusters: Mapping[str, Sequence[str]] | None = None
    """Servers of the kubeconfig in the engine's environment, by context; None: not known."""


ALONE = Around()
"""Nothing is known of its program."""


def provider_flows(resource_type: str, inputs: Mapping[str, Any], around: Around) -> Iterator[DataFlow]:
    """Data flows of a resource that is neither a Kubernetes object nor a component."""
    package = resource_type.partition(":")[0]
    if package == "command":
        yield from _command_flows(resource_type, inputs, around)
        return
    if resource_type.startswith("pulumi:providers:"):
        package = resource_type.rpartition(":")[2]
        if package == "kubernetes":
            yield from _cluster_flows(inputs, around)
    if package.startswith("pulumi-"):  # pulumi-python, pulumi-nodejs
        yield DataFlow(
            NOT_KNOWN,
            "unclassified",
            "provider",
            remedy="use a provider that is a package",
            unknown="a dynamic provider runs code of the program, which is not read",
        )
    elif package not in MADE_HERE:
        yield _place(package, resource_type, inputs, around)
        images = _IMAGES.get(package, ())
        others = {field: value for field, value in inputs.items() if field not in images}
        yield from field_flows((), others, own_store=True)  # its regions and buckets are the provider's
        for field in images:
            value = inputs.get(field)
            for image in value if isinstance(value, list) else [value]:
                if image is UNKNOWN:
                    yield DataFlow(NOT_KNOWN, "image-registry", field)
                elif isinstance(image, str):
                    yield DataFlow(image_registry(image), "image-registry", field)


def _place(package: str, resource_type: str, inputs: Mapping[str, Any], around: Around) -> DataFlow:
    purpose = next((name for name, words in _PURPOSES if re.search(words, resource_type, re.I)), "unclassified")
    field, region = next(
        ((field, given[field]) for given in (inputs, around.provider) for field in _REGION if given.get(field)),
        ("", ""),
    )
    if region is UNKNOWN:
        return DataFlow(NOT_KNOWN, purpose, field, unknown=f"in which {field} of {package} it is, is not known yet")
    name = re.sub(r"[^a-z0-9._-]+", "-", in_ascii(str(region).lower())).strip("-._")
    return DataFlow(f"{package}/{name}".rstrip("/"), purpose, field or "provider")


def _cluster_flows(inputs: Mapping[str, Any], around: Around) -> Iterator[DataFlow]:
    """The servers of a provider's clusters: of its kubeconfig, or of the one that the engine's environment has.

    One that is not known yet is of a cluster that this run makes, and what makes it is judged.
    """
    kubeconfig, context = inputs.get("kubeconfig"), inputs.get("context")
    if kubeconfig is UNKNOWN or inputs.get("renderYamlToDirectory"):  # writes files and asks no server
        return
    if isinstance(kubeconfig, str) and kubeconfig:
        try:
            found = all_hosts(kubeconfig)
        except UnreadableKubeconfigError:
            yield _unknown_cluster("its kubeconfig is a path, or can't be read")
            return
        for field, host in found:
            if host not in around.machines:
                yield DataFlow(host, "unclassified", f"kubeconfig: {field}")
        return
    if around.clusters is None:
        yield _unknown_cluster("it has no kubeconfig, and that of the engine's environment is not known here")
        return
    if context is UNKNOWN:
        yield _unknown_cluster("its context is not known yet")
        return
    for host in around.clusters.get(str(context or ""), ()):
        if host not in around.machines:
            yield DataFlow(host, "unclassified", "KUBECONFIG: server", remedy=_WRITE_KUBECONFIG)


_WRITE_KUBECONFIG = "write the kubeconfig's content into the provider"


def _unknown_cluster(why: str) -> DataFlow:
    return DataFlow(NOT_KNOWN, "unclassified", "kubeconfig", remedy=_WRITE_KUBECONFIG, unknown=f"which cluster: {why}")


def _command_flows(resource_type: str, inputs: Mapping[str, Any], around: Around) -> Iterator[DataFlow]:
    """What is declared, else every host in its text. What runs where the update runs has to be declared."""
    if around.destinations is UNKNOWN or isinstance(around.destinations, list):
        for item in around.destinations if isinstance(around.destinations, list) else [UNKNOWN]:
            host, purpose = (item.get("host"), item.get("purpose")) if isinstance(item, Mapping) else (item, None)
            known = str(purpose) if purpose else "unclassified"
            if not isinstance(host, str):
                yield DataFlow(NOT_KNOWN, known, "destinations")
            elif public := outside_of(host):
                yield DataFlow(public, known, "destinations")
        return
    if resource_type.startswith("command:local:"):
        yield DataFlow(
            NOT_KNOWN,
            "unclassified",
            "create",
            remedy="put it into a component with `destinations` among its inputs and outputs: hosts, or [] for none",
            unknown="nothing says where this command sends data",
        )
    for field in _COMMAND:
        text = inputs.get(field)
        most = URLS if isinstance(text, str) and "\n" in text else ADDRESS  # names of files look like names of hosts
        found = field_flows((field,), text, most=most) if text is not UNKNOWN else ()
        yield from (flow for flow in found if flow.endpoint not in (*around.machines, NOT_KNOWN))
