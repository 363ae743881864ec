"""The stack file's `images`: one registry for every image that the platform installs."""

from typing import Annotated

from pydantic import Field

from components.core.model import Spec
from components.core.types import CountryCode

REGISTRY = r"^[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)*$"
"""A registry's host, with a port or a path below it; without a scheme, as image references have it."""

ImagePath = Annotated[str, Field(pattern=r"^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$")]
"""An image's path in its registry, as in `cilium/cilium`: the grammar of distribution/reference."""
Digest = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
"""Of an image's manifest or index."""

DOCKER_HUB = "docker.io"


class ImageMirror(Spec):
    """A registry that has every image under the path that it has at its maker's: quay.io/cilium/cilium is in it as
    `cilium/cilium`, docker.io/traefik as `library/traefik`, registry.k8s.io/pause as `pause`."""

    registry: str = Field(pattern=REGISTRY)
    """As in `registry.example.no` or `registry.example.no/mirror`."""
    country: CountryCode | None = None
    """Under whose law the registry is; needed where `cluster.images` doesn't say it."""
    pins: dict[ImagePath, Digest] = Field(default_factory=dict)
    """Digests of images that are not the makers' own bytes, by path. A true mirror has the makers', and needs none."""


def path_of(origin: str) -> str:
    """An image's path in its registry: `quay.io/cilium/cilium` → `cilium/cilium`, `docker.io/traefik` →
    `library/traefik`."""
    host, _, path = origin.partition("/")
    return f"library/{path}" if host == DOCKER_HUB and "/" not in path else path


def image_at(mirror: ImageMirror | None, origin: str) -> str:
    """The repository to pull an image from; `origin` has its maker's host."""
    return f"{mirror.registry}/{path_of(origin)}" if mirror else origin


def pin_of(mirror: ImageMirror | None, origin: str) -> str | None:
    """The digest that the stack file has for an image; None where the makers' own stays."""
    return mirror.pins.get(path_of(origin)) if mirror else None
