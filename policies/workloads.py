"""Objects that run pods, and what their pods run."""

from collections.abc import Iterator

from components.core.manifests import Fields, ManifestView

WORKLOADS = (
    "core:Pod",
    "core:ReplicationController",
    "apps:DaemonSet",
    "apps:Deployment",
    "apps:ReplicaSet",
    "apps:StatefulSet",
    "batch:CronJob",
    "batch:Job",
)


def pod_spec(workload: ManifestView) -> Fields:
    """The pods of a Pod or of an object that makes pods; empty where it makes none."""
    spec = workload.spec
    if "jobTemplate" in spec:
        spec = spec.group("jobTemplate").group("spec")
    return spec.group("template").group("spec") if "template" in spec else spec


def containers(workload: ManifestView) -> Iterator[Fields]:
    """All containers, also init and ephemeral ones."""
    spec = pod_spec(workload)
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.groups(field)


def images(workload: ManifestView) -> Iterator[str]:
    """Every image that its pods run or mount; a patch may leave one out."""
    yield from (container.text("image") for container in containers(workload) if "image" in container)
    for volume in pod_spec(workload).groups("volumes"):
        if reference := volume.group("image").text("reference"):
            yield reference
