"""Push images to a registry, and skip what it has already."""

from lab.images.documents import Blob, Image, blob, configuration, manifest
from lab.images.layers import Layer
from lab.images.registry import Registry
from lab.progress import Progress
from lab.toolchain.build import cache


def push(registry: Registry, image: Image, progress: Progress) -> str:
    """The image's digest; what the registry lacks of it is sent."""
    known = [remembered(layer) for layer in image.layers]
    layers = tuple(layer for layer in known if layer is not None)
    if len(layers) == len(known):
        digest = blob(manifest(configuration(image, layers), layers)).digest
        if registry.digest(image.name, image.tag) == digest:
            return digest
    progress.detail(f"sending {image.reference}")
    layers = tuple(_send(registry, image.name, layer) for layer in image.layers)
    config = configuration(image, layers)
    if not registry.has_blob(image.name, blob(config)):
        registry.push_blob(image.name, [config])
    document = manifest(config, layers)
    registry.push_manifest(image.name, image.tag, document)
    return blob(document).digest


def _send(registry: Registry, name: str, layer: Layer) -> Blob:
    known = remembered(layer)
    if known is not None and registry.has_blob(name, known):
        return known
    key = layer.key  # before reading, so that a file that changes in the meantime has another key afterwards
    sent = registry.push_blob(name, layer.stream())
    mark = cache() / "layers" / key
    mark.parent.mkdir(parents=True, exist_ok=True)
    draft = mark.with_suffix(".draft")
    draft.write_text(f"{sent.digest} {sent.size}\n")
    draft.replace(mark)
    return sent


def remembered(layer: Layer) -> Blob | None:
    """What the layer was when it was last sent anywhere, so that gigabytes need not be read to know it."""
    mark = cache() / "layers" / layer.key
    if not mark.exists():
        return None
    digest, size = mark.read_text().split()
    return Blob(digest, int(size))
