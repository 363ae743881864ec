"""Objects that run pods, and what their pods run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from components.core.manifests import Fields, ManifestView
from policies.policy import CUSTOM

_MAKERS = ("DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet")
OWN_WORKLOADS = (
    "core:Pod",
    "core:PodTemplate",
    "core:ReplicationController",
    "apps:DaemonSet",
    "apps:Deployment",
    "apps:ReplicaSet",
    "apps:StatefulSet",
    "batch:CronJob",
    "batch:Job",
)
"""Kubernetes' own."""
WORKLOADS = (*OWN_WORKLOADS, CUSTOM)
"""Those, and every custom resource, which may have pods anywhere: Argo's Rollout, Knative's Service."""


def pod_specs(workload: ManifestView) -> Iterator[Fields]:
    """The pods of a Pod or of an object that makes pods."""
    if "." in workload.text("apiVersion").partition("/")[0]:
        yield from _found(workload.raw, "")
    elif workload.kind == "Pod":
        yield workload.spec
    elif workload.kind == "PodTemplate":
        yield workload.group("template").group("spec")
    elif workload.kind == "CronJob":
        yield workload.spec.group("jobTemplate").group("spec").group("template").group("spec")
    elif workload.kind in _MAKERS:
        yield workload.spec.group("template").group("spec")


def _found(value: Any, path: str) -> Iterator[Fields]:
    """Every group with a list of containers. What is not known yet is passed over: it may be anything."""
    if isinstance(value, Mapping):
        inner: list[Any] = list(value)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        inner = list(range(len(value)))
    else:
        return
    for key in inner:
        try:
            item = value[key]
        except UnknownValueError:
            continue
        if key == "containers" and isinstance(item, Sequence) and not isinstance(item, str | bytes):
            yield Fields(value, path)
        else:
            yield from _found(item, f"{path}.{key}" if path else str(key))


def containers(workload: ManifestView) -> Iterator[Fields]:
    """All containers, also init and ephemeral ones."""
    for spec in pod_specs(workload):
        for field in ("initContainers", "containers", "ephemeralContainers"):
            yield from spec.groups(field)


def images(workload: ManifestView) -> Iterator[str]:
    """Every image that its pods run or mount; a patch may leave one out."""
    yield from (container.text("image") for container in containers(workload) if "image" in container)
    for spec in pod_specs(workload):
        for volume in spec.groups("volumes"):
            if reference := volume.group("image").text("reference"):
                yield reference
