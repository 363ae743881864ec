"""Charts and images as components of a CycloneDX document."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from components.core.endpoints import image_registry
from vds.charts.images import stack_image


def chart_component(name: str, version: str, origin: str, sha256: str = "") -> Component:
    """A chart. `origin` is its repository; `sha256` is of the packed chart, empty if it is not known."""
    return Component(
        type=ComponentType.APPLICATION,
        name=name,
        version=version,
        purl=PackageURL("helm", name=name, version=version, qualifiers={"repository_url": origin} if origin else None),
        bom_ref=f"helm/{name}@{version}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else [],
    )


def image_component(image: str) -> Component:
    """An image as a pod names it; its version is the digest, or the tag without one."""
    one = stack_image(image, ())
    path, _, tag = one.mirror_path.partition(":")
    where = {"repository_url": f"{image_registry(image.partition('@')[0])}/{path}", "tag": tag}
    return Component(
        type=ComponentType.CONTAINER,
        name=path,
        version=one.digest or tag,
        purl=PackageURL("oci", name=path.rpartition("/")[2], version=one.digest or None, qualifiers=where),
        bom_ref=f"oci/{image}",
    )


def bom(components: Iterable[Component], about: str, version: str, notes: Mapping[str, str] | None = None) -> Bom:
    """The document, about this version of something. `notes` are properties of the document."""
    made = Bom(components={str(one.bom_ref): one for one in components}.values())
    made.metadata.component = Component(type=ComponentType.APPLICATION, name=about, version=version, bom_ref=about)
    made.register_dependency(made.metadata.component, made.components)
    made.metadata.properties = [Property(name=name, value=value) for name, value in (notes or {}).items()]
    return made


def as_json(made: Bom, *, serial: UUID | None = None, time: datetime | None = None) -> bytes:
    """CycloneDX 1.6. With `serial` and `time` the same document has the same bytes."""
    made.serial_number = serial or made.serial_number
    made.metadata.timestamp = time or made.metadata.timestamp
    return (JsonV1Dot6(made).output_as_string(indent=2) + "\n").encode()
