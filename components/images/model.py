"""The stack file's `images`: one registry for every image that the platform installs."""

from typing import Annotated

from pydantic import Field

from components.core.model import Spec
from components.core.types import CountryCode

REGISTRY = r"^[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)*$"
"""Host of a registry, optionally with port and path, without a scheme."""

ImagePath = Annotated[str, Field(pattern=r"^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$")]
"""Path of an image in its registry, as in `cilium/cilium` (grammar of distribution/reference)."""
Digest = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
"""Digest of an image's manifest or index."""

DOCKER_HUB = "docker.io"


class ImageMirror(Spec):
    """A registry with a copy of every image, under the same path as at its source: quay.io/cilium/cilium is
    `cilium/cilium`, docker.io/traefik is `library/traefik`, registry.k8s.io/pause is `pause`."""

    registry: str = Field(pattern=REGISTRY)
    """For example `registry.example.no` or `registry.example.no/mirror`."""
    country: CountryCode | None = None
    """Country of the company that runs the registry. Required unless `cluster.images` has it."""
    pins: dict[ImagePath, Digest] = Field(default_factory=dict)
    """Digests of images that you built yourself, by path. Copies have the original digests and need none."""


def path_of(origin: str) -> str:
    """An image's path in its registry: `quay.io/cilium/cilium` → `cilium/cilium`, `docker.io/traefik` →
    `library/traefik`."""
    host, _, path = origin.partition("/")
    return f"library/{path}" if host == DOCKER_HUB and "/" not in path else path


def image_at(mirror: ImageMirror | None, origin: str) -> str:
    """The repository to pull an image from. `origin` has the host of its source."""
    return f"{mirror.registry}/{path_of(origin)}" if mirror else origin


def pin_of(mirror: ImageMirror | None, origin: str) -> str | None:
    """The digest that the stack file has for an image; None if the original digest is used."""
    return mirror.pins.get(path_of(origin)) if mirror else None
