"""Every image that a Cilium chart may pull is known, and comes from the mirror where the stack has one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core.versions import matches
from components.images.model import ImageMirror
from components.network.cilium.values import chart_images, cilium_values
from components.network.model import ChartContext
from tests.support.modules import cilium_chart, cilium_versions
from tests.support.networks import cilium
from tests.support.stacks import stack

DIGEST = f"sha256:{'a' * 64}"
NETWORK = stack("oslo").network
VERSIONS = [version for version in cilium_versions() if matches(version, ">=1.18")]


def repositories(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Groups of a chart's default values that name an image's repository."""
    if isinstance(values, dict):
        if isinstance(values.get("repository"), str) and values["repository"]:
            yield path, values["repository"]
        for key, inner in values.items():
            yield from repositories(inner, (*path, key))


def defaults(chart: Path) -> dict[str, Any]:
    return dict(yaml.load((chart / "values.yaml").read_text(), Loader=yaml.CSafeLoader))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_images_of_a_release_are_those_of_its_chart(version: str) -> None:
    assert {(image.path, image.repository) for image in chart_images(version)} == set(
        repositories(defaults(cilium_chart(version)))
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_no_image_of_a_release_comes_from_elsewhere_than_the_mirror(version: str) -> None:
    values = cilium_values(
        cilium(version), NETWORK, ChartContext("oslo", images=ImageMirror(registry="registry.example.no/all"))
    )
    found = dict(repositories(values))
    assert set(found) == {path for path, _ in repositories(defaults(cilium_chart(version)))}
    assert all(repository.startswith("registry.example.no/all/") for repository in found.values())
    assert "digest" not in str(values), "a true mirror has the makers' bytes"


def test_a_pin_is_the_image_s_digest_and_the_operators_has_its_own_key() -> None:
    pins = {"cilium/cilium": DIGEST, "cilium/operator-generic": DIGEST, "cilium/certgen": DIGEST}
    mirror = ImageMirror(registry="registry.example.no", pins=pins)
    values = cilium_values(cilium("1.20.2"), NETWORK, ChartContext("oslo", images=mirror))
    pinned = {"digest": DIGEST, "useDigest": True}
    assert values["image"] == {"repository": "registry.example.no/cilium/cilium", **pinned}
    assert values["certgen"]["image"] == {"repository": "registry.example.no/cilium/certgen", **pinned}
    assert values["operator"]["image"] == {
        "repository": "registry.example.no/cilium/operator",
        "genericDigest": DIGEST,
        "useDigest": True,
    }
    assert values["envoy"]["image"] == {"repository": "registry.example.no/cilium/cilium-envoy"}
