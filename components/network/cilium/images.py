"""Every image that Cilium's chart may pull, and where its values name it."""

from collections.abc import Iterator
from typing import NamedTuple

from components.core.versions import matches
from components.images.model import ImageMirror, image_at, pin_of
from components.network.cilium.chart.nested import Leaves, Path, keys


class ChartImage(NamedTuple):
    """An image of the chart."""

    path: Path
    """Of the group of values that has `repository`, `tag` and `digest`."""
    repository: str
    """The chart's own; the operator's gets its cloud's name behind it."""
    origin: str
    """What is pulled."""
    digest: str = "digest"
    """The key of its digest."""


def _image(path: str, repository: str) -> ChartImage:
    return ChartImage(keys(path), repository, repository)


_OPERATOR = ChartImage(
    ("operator", "image"), "quay.io/cilium/operator", "quay.io/cilium/operator-generic", "genericDigest"
)
_IMAGES = (
    _image("image", "quay.io/cilium/cilium"),
    _OPERATOR,
    _image("certgen.image", "quay.io/cilium/certgen"),
    _image("envoy.image", "quay.io/cilium/cilium-envoy"),
    _image("hubble.relay.image", "quay.io/cilium/hubble-relay"),
    _image("hubble.ui.backend.image", "quay.io/cilium/hubble-ui-backend"),
    _image("hubble.ui.frontend.image", "quay.io/cilium/hubble-ui"),
    _image("nodeinit.image", "quay.io/cilium/startup-script"),
    _image("preflight.image", "quay.io/cilium/cilium"),
    _image("preflight.envoy.image", "quay.io/cilium/cilium-envoy"),
    _image("clustermesh.apiserver.image", "quay.io/cilium/clustermesh-apiserver"),
    _image("authentication.mutual.spire.install.initImage", "docker.io/library/busybox"),
    _image("authentication.mutual.spire.install.agent.image", "ghcr.io/spiffe/spire-agent"),
    _image("authentication.mutual.spire.install.server.image", "ghcr.io/spiffe/spire-server"),
)


def chart_images(release: str) -> Iterator[ChartImage]:
    """The images of a release's chart, 1.18 or newer."""
    yield from _IMAGES
    if matches(release, ">=1.19"):
        host = "quay.io/cilium" if matches(release, ">=1.20") else "docker.io/istio"
        yield _image("encryption.ztunnel.image", f"{host}/ztunnel")


def mirrored(mirror: ImageMirror | None, release: str) -> Leaves:
    """Values by which the chart pulls every image from the mirror, also those of features that are off.

    A digest is the chart's own where the stack file pins no other.
    """
    if mirror is None:
        return {}
    found: Leaves = {}
    for image in chart_images(release):
        found[*image.path, "repository"] = image_at(mirror, image.repository)
        digest = pin_of(mirror, image.origin)
        if digest:
            found[*image.path, image.digest] = digest
            found[*image.path, "useDigest"] = True
    return found
