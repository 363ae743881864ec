"""Policies of tenants' pods: their images, priority, nodes."""

import re
from collections.abc import Iterator

from components.core.endpoints import image_registry
from components.core.finding import Finding
from components.tenancy.namespaces import UNCLAIMED_NAMESPACES
from policies.policy import CIS, CRITICAL, HIGH, NSA, Namespaces, Object, Stack, policy
from policies.workloads import WORKLOADS, containers, images, pod_specs


@policy(
    id="tenancy-priority",
    title="No tenant's pod has a priority of the cluster itself.",
    severity=HIGH,
    framework=NSA,
    reference="Kubernetes Pod security, resource policies",
    why="A pod of system-node-critical or system-cluster-critical evicts CoreDNS and the gateway where a node is full.",
    remedy="Remove priorityClassName, or name a class of the platform's own.",
    kinds=WORKLOADS,
)
def priority(workload: Object, settings: Namespaces) -> Iterator[Finding]:
    if not settings.may_hold_tenants(workload.namespace):
        return
    for name in (spec.text("priorityClassName") for spec in pod_specs(workload)):
        if name.startswith("system-"):
            yield workload.finding(
                f"has priorityClassName {name}, so its pods evict the cluster's own", "remove priorityClassName"
            )


_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


@policy(
    id="tenancy-control-plane",
    title="No tenant's pod chooses a node that is not for tenants.",
    severity=HIGH,
    framework=CIS,
    reference="5.7",
    why="A pod that tolerates every taint, or that names its node, runs on control planes, beside etcd and its keys.",
    remedy="Remove nodeName, and name the taints that the pod tolerates, without those of control planes.",
    kinds=WORKLOADS,
)
def control_plane(workload: Object, settings: Namespaces) -> Iterator[Finding]:
    if not settings.may_hold_tenants(workload.namespace):
        return
    for spec in pod_specs(workload):
        if name := spec.text("nodeName"):
            yield workload.finding(
                f"has nodeName {name}, so the scheduler and the node's taints do not count", "remove nodeName"
            )
        for toleration in spec.groups("tolerations"):
            if toleration.text("key") in ("", *_CONTROL_PLANE) and toleration.text("effect") != "PreferNoSchedule":
                yield workload.finding(
                    f"tolerates {toleration.text('key') or 'every taint'}, so its pods may run on control planes",
                    "name the taints that it needs",
                )


_NODES_OWN = ("hostPID", "hostIPC")


@policy(
    id="tenancy-node-access",
    title="No pod in a namespace without Pod Security uses its node.",
    severity=CRITICAL,
    framework=CIS,
    reference="5.2",
    why="Kubernetes' own namespaces `default` and `kube-public` have no level of Pod Security. A pod there may take "
    "the node's files and processes, and with them every tenant's data.",
    remedy="Move it to a namespace of its own that enforces Pod Security.",
    kinds=WORKLOADS,
)
def node_access(workload: Object, settings: Namespaces) -> Iterator[Finding]:
    if workload.namespace not in UNCLAIMED_NAMESPACES or not settings.may_hold_tenants(workload.namespace):
        return
    used = [field for spec in pod_specs(workload) for field in _NODES_OWN if spec.raw.get(field)]
    used += ["a hostPath" for spec in pod_specs(workload) if any("hostPath" in one for one in spec.groups("volumes"))]
    used += ["privileged" for one in containers(workload) if one.group("securityContext").raw.get("privileged")]
    for what in dict.fromkeys(used):
        yield workload.finding(
            f"has {what}, and no level of Pod Security forbids it in {workload.namespace}",
            "move it to a namespace that enforces Pod Security",
        )


_DIGEST = re.compile(r"[^/]@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$")


class ImageSettings(Namespaces):
    registries: tuple[str, ...] | None = None
    """Registries whose tags are trusted; else the program's image-registry places."""


@policy(
    id="tenancy-images",
    title="Tenants' images come by digest or from an allowed registry.",
    severity=HIGH,
    framework=CIS,
    reference="5.5.1",
    why="The owner of a tag can move it to another image: what was reviewed is then not what runs.",
    remedy="Write images by digest, or take them from a declared registry.",
    kinds=WORKLOADS,
)
def tenant_images(workload: Object, settings: ImageSettings, stack: Stack) -> Iterator[Finding]:
    if not settings.may_hold_tenants(workload.namespace):
        return
    registries = settings.registries
    if registries is None:
        places = [place for component in stack.components for place in component.groups("places")]
        registries = tuple(
            host for place in places if "image-registry" in place.texts("purposes") for host in place.texts("hosts")
        )
    for image in images(workload):
        registry = image_registry(image)
        if not _DIGEST.search(image) and not any(_holds(allowed, registry) for allowed in registries):
            yield workload.finding(
                f"runs an image of {registry} by tag, which its owner can move to another image",
                f"write it by digest (@sha256:…), or take it from {' or '.join(sorted(registries)) or _ANY}",
            )


_ANY = "a declared registry"


def _holds(allowed: str, registry: str) -> bool:
    """`*.example.no` is every registry below it, as in a declared place."""
    return registry.endswith(allowed[1:]) if allowed.startswith("*.") else registry == allowed
