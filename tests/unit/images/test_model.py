"""Where images are pulled from: their makers, or a mirror that has them under the same paths."""

import pytest

from components.images.model import ImageMirror, image_at, path_of, pin_of
from tests.support.stacks import problems, stack_data

DIGEST = f"sha256:{'a' * 64}"
MIRROR = ImageMirror(registry="registry.example.no:5000/all", pins={"cilium/cilium": DIGEST})


@pytest.mark.parametrize(
    ("origin", "path"),
    [
        ("quay.io/cilium/cilium", "cilium/cilium"),
        ("registry.k8s.io/pause", "pause"),
        ("registry.k8s.io/coredns/coredns", "coredns/coredns"),
        ("docker.io/traefik", "library/traefik"),
        ("docker.io/library/traefik", "library/traefik"),
        ("docker.io/istio/ztunnel", "istio/ztunnel"),
    ],
)
def test_an_image_has_the_path_of_its_origin_without_the_host(origin: str, path: str) -> None:
    assert path_of(origin) == path
    assert image_at(MIRROR, origin) == f"registry.example.no:5000/all/{path}"
    assert image_at(None, origin) == origin


def test_only_pinned_images_have_another_digest_than_their_makers() -> None:
    assert pin_of(MIRROR, "quay.io/cilium/cilium") == DIGEST
    assert pin_of(MIRROR, "quay.io/cilium/certgen") is None
    assert pin_of(None, "quay.io/cilium/cilium") is None


@pytest.mark.parametrize(
    ("images", "field"),
    [
        ({"registry": "https://registry.example.no"}, "images.registry"),
        ({"registry": "registry.example.no", "pins": {"cilium/cilium": "v1.20.2"}}, "images.pins"),
        ({"registry": "registry.example.no", "pins": {"quay.io:443/x": DIGEST}}, "images.pins"),
    ],
)
def test_a_mirror_of_a_wrong_form_is_refused(images: dict[str, object], field: str) -> None:
    (problem,) = problems({**stack_data("oslo"), "images": images})
    assert problem.startswith(field)
