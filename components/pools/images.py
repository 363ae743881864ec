"""Every image that MetalLB's chart may pull, and where its values name it."""

from collections.abc import Iterator, Mapping
from typing import Any

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
"""Of the chart and of the FRR chart inside it, as both have them in 0.16.1."""


def mirrored(mirror: ImageMirror | None, version: str) -> Iterator[tuple[Path, str]]:
    """Values, by path, by which the chart pulls every image from the mirror.

    It has no key for a digest: MetalLB's own images have its version for a tag, and a tag may carry one.
    """
    if mirror is None:
        return
    for path, origin in CHART_IMAGES.items():
        yield (*path, "repository"), image_at(mirror, origin)
        digest = pin_of(mirror, origin)
        if digest and origin in ("quay.io/metallb/controller", "quay.io/metallb/speaker"):
            yield (*path, "tag"), f"v{version}@{digest}"


def from_their_makers(values: Any) -> list[str]:
    """Images that values leave where the chart's own defaults have them."""
    return [origin for path, origin in CHART_IMAGES.items() if not _at(values, (*path, "repository"))]


def _at(values: Any, path: Path) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values
