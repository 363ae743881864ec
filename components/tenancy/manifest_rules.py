"""What namespaces, pods and bindings may not be, whoever wrote them."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from components.charts.reference import chart_name
from components.core import labels
from components.core.duplicates import duplicates
from components.core.endpoints import image_registry
from components.core.finding import Finding
from components.tenancy.rules import selects_everything

Manifest = Mapping[str, Any]

_FLANNEL_CHART = re.compile(r"(kube-|rke2-)?flannel")
_FLANNEL_OBJECT = re.compile(r"kube-flannel(-ds.*|-cfg)?")
_FLANNEL_IMAGE = re.compile(
    r"(^|/)(flanneld?|(mirrored-)?flannel(cni)?-(flannel|cni-plugin)(-cni-plugin)?)(-[a-z0-9]+)?([:@]|$)"
)
"""As flannel-io's own manifest and chart, and Rancher's mirrors, name them: a tenant may sell flannel shirts."""

EVERYBODY = ("system:authenticated", "system:unauthenticated", "system:serviceaccounts")
ANONYMOUS = "system:anonymous"
_ACCOUNT, _ACCOUNTS = "system:serviceaccount:", "system:serviceaccounts:"
_DNS_PORT = 53


def pod_spec(workload: Manifest) -> Mapping[str, Any]:
    """The pods of a Pod or of anything that makes pods; empty where it makes none."""
    spec = workload.get("spec") or {}
    if "jobTemplate" in spec:
        spec = (spec["jobTemplate"] or {}).get("spec") or {}
    found: Mapping[str, Any] = (spec["template"] or {}).get("spec") or {} if "template" in spec else spec
    return found


def containers(workload: Manifest) -> Iterator[Mapping[str, Any]]:
    """Every container of it, those that run before and beside included."""
    spec = pod_spec(workload)
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(field) or ()


def images(workload: Manifest) -> Iterator[str]:
    """Every image that its pods run or mount; one that a patch leaves out is somebody else's."""
    yield from (str(container["image"]) for container in containers(workload) if "image" in container)
    for volume in pod_spec(workload).get("volumes") or ():
        if reference := (volume.get("image") or {}).get("reference"):
            yield str(reference)


def host_problems(workload: Manifest) -> Iterator[Finding]:
    """Pods on the node's own network, or on a port of it: past every network policy."""
    item = f"{workload['kind']} {_name(workload)}"
    if pod_spec(workload).get("hostNetwork"):
        yield Finding(
            "network-no-host", item, "has hostNetwork, so no network policy sees its traffic: leave hostNetwork out"
        )
    for container in containers(workload):
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield Finding(
                    "network-no-host",
                    item,
                    f"opens port {int(port['hostPort'])} of the node (hostPort): write a Service and a route instead",
                )


def image_problems(workload: Manifest, registries: Collection[str]) -> Iterator[Finding]:
    """Images that somebody else can exchange: from no allowed registry, and not by digest."""
    for image in images(workload):
        registry = image_registry(image)
        if "@sha256:" not in image and not any(_holds(allowed, registry) for allowed in registries):
            yield Finding(
                "tenancy-images",
                f"{workload['kind']} {_name(workload)}",
                f"runs an image of {registry} by tag, which whoever owns it can exchange: write it by digest "
                f"(@sha256:…), or take it from {' or '.join(sorted(registries)) or 'a declared registry'}",
            )


def _holds(allowed: str, registry: str) -> bool:
    """`*.example.no` is every registry below it, as in a declared place."""
    return registry.endswith(allowed[1:]) if allowed.startswith("*.") else registry == allowed


def flannel_problems(kind: str, manifest: Manifest) -> Iterator[Finding]:
    """Flannel, which enforces no network policy and once lost large packets in silence."""
    if kind == "Release":
        name = chart_name(str(manifest.get("chart") or ""))
        item, is_flannel = f"Release of chart {name}", _FLANNEL_CHART.fullmatch(name) is not None
    else:
        item = f"{kind} {_name(manifest)}"
        used = list(images(manifest)) if kind == "DaemonSet" else []
        named = _FLANNEL_OBJECT.fullmatch(str(manifest["metadata"].get("name", ""))) is not None
        is_flannel = named or any(_FLANNEL_IMAGE.search(image) for image in used)
    if is_flannel:
        yield Finding(
            "cni-no-flannel",
            item,
            "is Flannel, which enforces no NetworkPolicy, so no tenant is fenced: use Cilium or Calico",
        )


def binding_problems(binding: Manifest, is_tenants: Callable[[str], bool]) -> Iterator[Finding]:
    """A ClusterRoleBinding that reaches out of a tenant's namespace, or to everybody; in a tenant's namespace a
    RoleBinding that gives everybody rights, or its own pods all of them."""
    metadata = binding["metadata"]
    for subject in binding.get("subjects") or ():
        everybody, who = _bound(subject, is_tenants)
        if not who:
            continue
        if binding.get("kind") != "RoleBinding":
            yield Finding(
                "tenancy-cluster-binding",
                f"ClusterRoleBinding {metadata.get('name', '?')}",
                f"gives {who} rights in every namespace: write a RoleBinding in the tenant's own",
            )
        elif is_tenants(str(metadata.get("namespace") or "default")):
            role = str((binding.get("roleRef") or {}).get("name") or "?")
            if everybody or role == "cluster-admin":
                yield Finding(
                    "tenancy-cluster-binding",
                    f"RoleBinding {_name(binding)}",
                    f"gives {who} the rights of {role} in a tenant's namespace: bind the tenant's own group to a Role",
                )


def _bound(subject: Mapping[str, Any], is_tenants: Callable[[str], bool]) -> tuple[bool, str]:
    """Whether a subject is everybody, and who it is; empty where it is nobody of a tenant's.

    A service account has three spellings: its own kind, the user that it logs in as, and the group of its namespace.
    """
    name, namespace, kind = str(subject["name"]), str(subject.get("namespace") or ""), subject.get("kind")
    if (kind == "Group" and name in EVERYBODY) or name == ANONYMOUS:
        return True, f"everybody ({name})"
    if kind == "User" and name.startswith(_ACCOUNT):
        namespace, _, name = name.removeprefix(_ACCOUNT).partition(":")
        kind = "ServiceAccount"
    if kind == "ServiceAccount" and namespace and is_tenants(namespace):
        return False, f"service account {namespace}/{name}"
    if kind == "Group" and name.startswith(_ACCOUNTS) and is_tenants(name.removeprefix(_ACCOUNTS)):
        return False, f"the service accounts of {name.removeprefix(_ACCOUNTS)}"
    return False, ""


def forged_label_problems(namespace: Manifest, *, tenant: bool) -> Iterator[Finding]:
    """Labels by which one namespace would pass for another."""
    metadata = namespace["metadata"]
    name, found = str(metadata.get("name", "?")), metadata.get("labels") or {}
    told = found.get(labels.NAMESPACE_NAME, name)
    if told != name:
        yield Finding(
            "tenancy-forged-label",
            f"namespace '{name}'",
            f"has {labels.NAMESPACE_NAME}: {told}, another's name: leave the label to the API server",
        )
    if not tenant and labels.TENANT in found:
        yield Finding(
            "tenancy-forged-label",
            f"namespace '{name}'",
            f"is the platform's own and has {labels.TENANT}: {found[labels.TENANT]}, so a tenant's routes may "
            "attach: leave the label out",
        )


def lacking(namespaces: Iterable[str], objects: Iterable[Manifest], rule: str, message: str) -> Iterator[Finding]:
    """Tenants' namespaces without one of these objects."""
    there = {str(found["metadata"].get("namespace") or "default") for found in objects}
    for name in sorted(set(namespaces) - there):
        yield Finding(rule, f"namespace '{name}'", message)


def allows_dns(policy: Manifest) -> bool:
    """Whether a NetworkPolicy lets every pod of its namespace ask for names."""
    spec = policy["spec"]
    ports = [port for rule in spec.get("egress") or () for port in rule.get("ports") or ()]
    return selects_everything(spec.get("podSelector")) and any(
        port.get("port") == _DNS_PORT and port.get("protocol") == "UDP" for port in ports
    )


def twice_problems(namespaces: Sequence[str]) -> Iterator[Finding]:
    """A namespace that two parts of a program make: the one that is destroyed takes the other's objects along."""
    for name in duplicates(namespaces):
        yield Finding(
            "tenancy-one-bundle",
            f"namespace '{name}'",
            "is declared twice: leave it to one component; what destroys the other takes everything in it along",
        )


def _name(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return f"{metadata.get('namespace') or 'default'}/{metadata.get('name', '?')}"
