"""All images of MetalLB's chart, and the values that name them."""

from collections.abc import Iterator, Mapping

from components.images.model import ImageMirror, image_at, pin_of

Path = tuple[str, ...]
_FRR = "quay.io/frrouting/frr"
CHART_IMAGES: Mapping[Path, str] = {
    ("controller", "image"): "quay.io/metallb/controller",
    ("speaker", "image"): "quay.io/metallb/speaker",
    ("speaker", "frr", "image"): _FRR,
    ("frr-k8s", "frrk8s", "image"): "quay.io/metallb/frr-k8s",
    ("frr-k8s", "frrk8s", "frr", "image"): _FRR,
}
"""Images of the chart and of its FRR subchart, as in 0.16.1."""


def mirrored(mirror: ImageMirror | None, version: str) -> Iterator[tuple[Path, str]]:
    """Values by path that move every image to the mirror.

    The chart has no key for a digest. A digest is appended to the tag; the tag of MetalLB's own images is its version.
    """
    if mirror is None:
        return
    for path, origin in CHART_IMAGES.items():
        yield (*path, "repository"), image_at(mirror, origin)
        digest = pin_of(mirror, origin)
        if digest and origin in ("quay.io/metallb/controller", "quay.io/metallb/speaker"):
            yield (*path, "tag"), f"v{version}@{digest}"
