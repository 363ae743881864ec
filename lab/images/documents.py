"""The configuration and the manifest of an image, as in the OCI image specification 1.1."""

import hashlib
import json
import platform
from dataclasses import dataclass
from typing import Any

from lab.images.layers import MEDIA_TYPE, Layer

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # the kernel's name → Go's, OCI's and Debian's


@dataclass(frozen=True)
class Image:
    """What an image is made of and how it starts."""

    name: str
    """Its repository in the registry, as in `cilium/cilium`."""
    tag: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    """Arguments of the entry point unless a pod gives others."""
    user: str = ""
    ports: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    workdir: str = "/"

    @property
    def reference(self) -> str:
        """The name with the tag."""
        return f"{self.name}:{self.tag}"


@dataclass(frozen=True)
class Blob:
    """What a registry keeps under a digest."""

    digest: str
    size: int

    def descriptor(self, media_type: str) -> dict[str, Any]:
        """How a manifest names it."""
        return {"mediaType": media_type, "digest": self.digest, "size": self.size}


def architecture() -> str:
    """This machine's, by Go's and Debian's name."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def configuration(image: Image, layers: tuple[Blob, ...]) -> bytes:
    """How the image starts; of layers that are not compressed the digests are those of their content."""
    runtime: dict[str, Any] = {"Env": [f"PATH={PATH}", *image.env], "WorkingDir": image.workdir}
    if image.entrypoint:
        runtime["Entrypoint"] = list(image.entrypoint)
    if image.command:
        runtime["Cmd"] = list(image.command)
    if image.user:
        runtime["User"] = image.user
    if image.ports:
        runtime["ExposedPorts"] = {port: {} for port in image.ports}
    return document(
        {
            "architecture": architecture(),
            "os": "linux",
            "config": runtime,
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        }
    )


def manifest(config: bytes, layers: tuple[Blob, ...]) -> bytes:
    """What a tag leads to."""
    return document(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": blob(config).descriptor(CONFIG_TYPE),
            "layers": [layer.descriptor(MEDIA_TYPE) for layer in layers],
        }
    )


def document(content: dict[str, Any]) -> bytes:
    """JSON, the same bytes for the same content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def blob(content: bytes) -> Blob:
    """The digest and size of a small one."""
    return Blob(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))
