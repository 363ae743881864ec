"""Every image that a stack installs, read from its rendered charts and from its own manifests."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from components.charts.releases import APIS
from components.charts.render import ChartError, ChartSource, render
from components.core.endpoints import image_registry
from components.core.manifests import Manifest, ManifestView, label
from components.core.names import METALLB_SYSTEM
from components.gateway.cert_manager import cert_manager_values
from components.gateway.issuers import NAMESPACE as CERT_MANAGER
from components.gateway.issuers import CertManager
from components.gateway.model import Traefik
from components.gateway.traefik import traefik_manifests
from components.images.model import path_of
from components.kubeadm.model import KUBERNETES_REGISTRY, Kubeadm
from components.monitoring.render import monitoring_manifests
from components.network.kinds import cni_install
from components.pools.model import Helm as MetalLbHelm
from components.pools.render import metallb_values
from components.stackfile.spec import PlatformSpec
from policies.workloads import containers, images

_GIVEN = re.compile(
    r"--(?=[\w-]*image)[\w-]+=(?P<image>\S+)"
)  # a controller that makes pods of it, as cert-manager does


class StackImage(NamedTuple):
    """An image that nodes of a stack pull."""

    image: str
    """As it is pulled from its maker: `quay.io/cilium/cilium:v1.20.2@sha256:…`."""
    digest: str
    """Empty where neither the chart nor the platform pins one."""
    mirror_path: str
    """Its path in a mirror, with the tag."""
    used_by: tuple[str, ...]


class Images(NamedTuple):
    """The images of a stack, and what is missing among them."""

    found: tuple[StackImage, ...]
    """Sorted by image."""
    missing: tuple[str, ...]
    """Why some images are not known: each with what to do."""
    beside: tuple[str, ...] = ()
    """Images that no chart names, and how to list them."""


class _Chart(NamedTuple):
    release: str
    source: ChartSource
    namespace: str
    values: Mapping[str, Any]


def stack_images(spec: PlatformSpec, project: Path) -> Images:
    """The images of a valid stack, as their makers publish them: the stack's own mirror is left out."""
    wanted = spec.model_copy(update={"images": None})
    users: dict[str, list[str]] = {}
    missing = []
    for chart in _charts(wanted):
        try:
            objects = render(
                chart.source,
                chart.values,
                release=chart.release,
                namespace=chart.namespace,
                kubernetes=wanted.cluster.kubernetes_version,
                apis=APIS,
                folders=[project],
            ).manifests
        except ChartError as error:
            missing.append(f"{chart.source.label}: {error}")
            continue
        _add(users, f"chart {chart.source.label}", objects)
    _add(users, "the platform", _own(wanted))
    beside = list(_by_operators(wanted))
    if isinstance(wanted.cluster, Kubeadm):
        for image in kubeadm_images(wanted):
            users.setdefault(image, []).append("kubeadm")
        version = wanted.cluster.kubernetes_version
        beside.append(
            f"CoreDNS, etcd and pause, whose versions kubeadm {version} has: run "
            f"`kubeadm config images list --kubernetes-version v{version}`"
        )
    found = tuple(stack_image(name, users[name]) for name in sorted(users))
    return Images(found, tuple(missing), tuple(beside))


def kubeadm_images(spec: PlatformSpec) -> list[str]:
    """Images of the control plane and of kube-proxy, by the Kubernetes project; none where others make the cluster."""
    if not isinstance(spec.cluster, Kubeadm):
        return []
    names = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
    names += [] if spec.cni.service_proxy == "ebpf" else ["kube-proxy"]
    return [f"{KUBERNETES_REGISTRY}/{name}:v{spec.cluster.kubernetes_version}" for name in names]


def _charts(spec: PlatformSpec) -> Iterator[_Chart]:
    install = cni_install(spec.cni, spec.network, spec.chart_context)
    for chart in filter(None, (install.crds, install.chart) if install else ()):
        values = install.values if install and chart is install.chart else {}
        yield _Chart(chart.name, ChartSource.of(chart.name, chart.version, chart.repository), chart.namespace, values)
    if isinstance(own := spec.metallb.install, MetalLbHelm):
        source = ChartSource.of("metallb", own.version, own.repository)
        yield _Chart("metallb", source, METALLB_SYSTEM, metallb_values(spec.metallb, own, spec.metallb_context))
    if isinstance(issuer := spec.gateway.issuer, CertManager):
        source = ChartSource.of(CERT_MANAGER, issuer.chart.version, issuer.chart.repository)
        yield _Chart(CERT_MANAGER, source, CERT_MANAGER, cert_manager_values(issuer, spec.gateway_context))


def _own(spec: PlatformSpec) -> Iterator[Manifest]:
    install = cni_install(spec.cni, spec.network, spec.chart_context)
    if install:
        yield from (*install.before, *install.after)
    if isinstance(spec.gateway.install, Traefik):
        yield from traefik_manifests(spec.gateway, spec.gateway.install, spec.gateway_context)
    if spec.monitoring:
        yield from monitoring_manifests(spec.monitoring, spec.monitoring_context)


def _by_operators(spec: PlatformSpec) -> Iterator[str]:
    if spec.cni.kind == "calico":
        version = spec.cni.chart[1] if spec.cni.chart else ""
        yield (
            f"Calico's own images, which its operator {version} installs: run "
            "`kubectl get pods --all-namespaces -o jsonpath='{..image}'` in a cluster that has it"
        )


def _add(users: dict[str, list[str]], by: str, manifests: Iterable[Manifest]) -> None:
    for item in manifests:
        for image in images_of(item):
            users.setdefault(image, []).append(f"{by}: {label(item)}")


def images_of(item: Manifest) -> tuple[str, ...]:
    """Every image that an object's pods run, mount, or give to pods that they make."""
    view = ManifestView(item["kind"], item)
    return tuple(dict.fromkeys((*images(view), *_given(view))))


def _given(workload: ManifestView) -> Iterator[str]:
    for container in containers(workload):
        for word in (*container.items("command"), *container.items("args")):
            if found := _GIVEN.fullmatch(str(word)):
                yield found["image"]


def stack_image(name: str, users: Iterable[str]) -> StackImage:
    """The image of this name, taken apart."""
    where, _, digest = name.partition("@")
    registry = image_registry(name)
    origin = where if where.startswith(f"{registry}/") else f"{registry}/{where}"
    repository, colon, tag = origin.rpartition(":") if ":" in origin.rpartition("/")[2] else (origin, "", "")
    return StackImage(name, digest, f"{path_of(repository)}{colon}{tag}", tuple(dict.fromkeys(users)))
