"""Charts and images that a state has, and the CycloneDX document of them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from components.charts.reference import chart_name
from components.charts.releases import NOT_KNOWN_YET, inside
from components.core.endpoints import without_secrets
from components.core.manifests import Manifest
from components.kubeadm.model import KUBERNETES_REGISTRY, Kubeadm, image_source
from components.stackfile.spec import PlatformSpec
from policies.releases import versions
from vds.charts.images import images_of, kubeadm_images
from vds.charts.sbom import as_json, bom, chart_component, image_component
from vds.evidence.data_flows import known
from vds.evidence.identifiers import name_uuid, time_of
from vds.evidence.model import Evidence, Software
from vds.evidence.state import Resource, State

_RELEASE = "helm.sh/v3/Release"
_NEVER = ("packages of the nodes' operating system", "images of pods that an operator makes later")


def software(spec: PlatformSpec, state: State) -> Iterator[Software]:
    """Charts of Releases, images in charts and objects, and images of kubeadm that the stack file decides."""
    yield from (Software("missing", what) for what in _NEVER)
    if isinstance(spec.cluster, Kubeadm):
        registry = image_source(spec.cluster, spec.images).registry
        for image in kubeadm_images(spec):
            yield Software("image", image.replace(KUBERNETES_REGISTRY, registry, 1))
        yield Software("missing", "CoreDNS, etcd and pause: kubeadm chooses their versions")
    for resource in state.resources:
        if resource.kubernetes == _RELEASE:
            yield from _of_release(resource)
        elif resource.kubernetes:
            yield from _images(
                resource.name, {**known(resource.inputs), "kind": resource.kubernetes.rpartition("/")[2]}
            )


def _of_release(release: Resource) -> Iterator[Software]:
    inputs = known(release.inputs)
    chart, options = inputs.get("chart"), inputs.get("repositoryOpts")
    if isinstance(chart, str):
        repository = options.get("repo") if isinstance(options, Mapping) else None
        origin = repository if isinstance(repository, str) else chart.rpartition("/")[0]
        yield Software("chart", chart_name(chart), _text(inputs.get("version")), without_secrets(origin))
    found = inside(release.name, inputs, versions())
    if found.problem:
        yield Software("missing", f"images of Release {release.name}: {found.problem}")
    for item in found.objects:
        yield from _images(release.name, item)


def _images(name: str, item: Manifest) -> Iterator[Software]:
    try:
        images = images_of(item)
    except ValueError:  # a field that is encrypted, or of another type than Kubernetes takes
        yield Software("missing", f"images of {item['kind']} {name}: encrypted in the state, or unreadable")
        return
    for image in images:
        if NOT_KNOWN_YET in image:
            yield Software(
                "missing", f"an image of {item['kind']} {name}: a value of the chart is encrypted in the state"
            )
        else:
            yield Software("image", image)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def sbom(evidence: Evidence) -> bytes:
    """CycloneDX 1.6, with the identifier and the time of the state."""
    charts = [one for one in evidence.software if one.kind == "chart"]
    images = [one.name for one in evidence.software if one.kind == "image"]
    missing = "; ".join(one.name for one in evidence.software if one.kind == "missing")
    made = bom(
        [
            *(chart_component(one.name, one.version, one.origin) for one in charts),
            *(image_component(image) for image in images),
        ],
        f"stack {evidence.stack}",
        evidence.state_sha256,
        {"vds-platform:not-listed": missing},
    )
    serial = name_uuid(evidence.stack, "sbom", evidence.state_sha256)
    return as_json(made, serial=serial, time=datetime.fromisoformat(time_of(evidence.state_made_at)))
