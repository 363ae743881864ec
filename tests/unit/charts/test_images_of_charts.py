"""Every image that the real charts pull with our values is below the mirror, by the digest that the stack file has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components.charts.render import ChartSource, render
from components.core.manifests import ManifestView
from components.images.model import ImageMirror
from components.network.cilium.values import cilium_values
from components.network.model import ChartContext
from components.pools.model import Helm
from components.pools.render import metallb_values
from components.stackfile.spec import PlatformSpec
from policies.workloads import images
from tests.support.modules import cilium_chart, metallb_chart
from tests.support.stacks import stack

MIRROR = "registry.lab.example.no"
DIGEST = f"sha256:{'a' * 64}"
PINS = ("cilium/cilium", "cilium/operator-generic", "metallb/controller", "metallb/speaker")


def rendered(chart: Path, values: Mapping[str, Any]) -> set[str]:
    """Images of every container that the chart renders."""
    found = render(ChartSource(str(chart)), values, release="it", namespace="it", kubernetes="1.36.3")
    return {image for body in found.manifests for image in images(ManifestView(body["kind"], body))}


def lab(**cni: Any) -> PlatformSpec:
    found = stack("lab")
    mirror = ImageMirror(registry=MIRROR, pins=dict.fromkeys(PINS, DIGEST))
    return found.model_copy(update={"images": mirror, "cni": found.cni.model_copy(update=cni)})


@pytest.mark.parametrize(
    "cni",
    [
        {},
        {"hubble_relay": True, "l7_proxy": True},
        {"encryption": "wireguard"},
        {"l7_proxy": True, "gateway_api": True},
    ],
    ids=["the lab's", "everything", "encrypted", "gateway"],
)
def test_ciliums_images_are_the_mirrors(cni: dict[str, Any]) -> None:
    spec = lab(**cni)
    values = cilium_values(spec.cni, spec.network, ChartContext("lab", images=spec.images))
    # As a stack file may.
    values.setdefault("hubble", {}).setdefault("ui", {})["enabled"] = cni.get("hubble_relay", False)
    found = rendered(cilium_chart(spec.cni.version), values)
    assert f"{MIRROR}/cilium/cilium:v1.20.2@{DIGEST}" in found
    assert f"{MIRROR}/cilium/operator-generic:v1.20.2@{DIGEST}" in found
    assert [image for image in found if not image.startswith(f"{MIRROR}/")] == []


@pytest.mark.parametrize("bgp", [False, True])
def test_metallbs_images_are_the_mirrors(*, bgp: bool) -> None:
    spec = lab()
    assert isinstance(spec.metallb.install, Helm)
    values = metallb_values(spec.metallb, spec.metallb.install, spec.metallb_context)
    values["frrk8s"] = {"enabled": bgp}
    found = rendered(metallb_chart(), values)
    assert {f"{MIRROR}/metallb/{name}:v0.16.1@{DIGEST}" for name in ("controller", "speaker")} <= found
    assert any("frr" in image for image in found) is bgp
    assert [image for image in found if not image.startswith(f"{MIRROR}/")] == []
