"""Every image that the real charts pull with our values is below the mirror, by the digest that the stack file has."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.images.model import ImageMirror
from components.network.cilium.values import cilium_values
from components.network.model import ChartContext
from components.pools.model import Helm
from components.pools.render import metallb_values
from components.stackfile.spec import PlatformSpec
from lab.processes import LabError
from lab.progress import Progress
from lab.toolchain import build
from tests.support.modules import METALLB, cilium_chart, pinned, source
from tests.support.stacks import stack

MIRROR = "registry.lab.example.no"
DIGEST = f"sha256:{'a' * 64}"
PINS = ("cilium/cilium", "cilium/operator-generic", "metallb/controller", "metallb/speaker")


@pytest.fixture(scope="module")
def helm() -> Path:
    try:
        return build.ensure(Progress(total=1, quiet=True)).path("helm")
    except LabError as error:
        pytest.skip(f"helm is not on the PATH and could not be built: {error}")


def rendered(helm: Path, chart: Path, values: dict[str, Any], folder: Path) -> list[str]:
    """Images of every container that the chart renders, sorted."""
    (folder / "values.yaml").write_text(yaml.safe_dump(values))
    argv = [str(helm), "template", "it", str(chart), "--namespace", "it", "--kube-version", "1.36.3"]
    done = subprocess.run(
        [*argv, "--values", str(folder / "values.yaml")], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return sorted(set(images(list(yaml.safe_load_all(done.stdout)))))


def images(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "image" and isinstance(inner, str):
                yield inner
            else:
                yield from images(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from images(inner)


def lab(**cni: Any) -> PlatformSpec:
    found = stack("lab")
    mirror = ImageMirror(registry=MIRROR, pins=dict.fromkeys(PINS, DIGEST))
    return found.model_copy(update={"images": mirror, "cni": found.cni.model_copy(update=cni)})


@pytest.mark.parametrize(
    "cni",
    [{}, {"hubble": True, "l7_proxy": True}, {"encryption": "wireguard"}, {"l7_proxy": True, "gateway_api": True}],
    ids=["the lab's", "everything", "encrypted", "gateway"],
)
def test_ciliums_images_are_the_mirrors(helm: Path, tmp_path: Path, cni: dict[str, Any]) -> None:
    spec = lab(**cni)
    values = cilium_values(spec.cni, spec.network, ChartContext("lab", images=spec.images))
    values.setdefault("hubble", {}).setdefault("ui", {})["enabled"] = cni.get("hubble", False)  # as a stack file may
    found = rendered(helm, cilium_chart(spec.cni.version), values, tmp_path)
    assert f"{MIRROR}/cilium/cilium:v1.20.2@{DIGEST}" in found
    assert f"{MIRROR}/cilium/operator-generic:v1.20.2@{DIGEST}" in found
    assert [image for image in found if not image.startswith(f"{MIRROR}/")] == []


@pytest.mark.parametrize("bgp", [False, True])
def test_metallbs_images_are_the_mirrors(helm: Path, tmp_path: Path, *, bgp: bool) -> None:
    spec = lab()
    assert isinstance(spec.metallb.install, Helm)
    values = metallb_values(spec.metallb, spec.metallb.install, spec.metallb_context)
    values["frrk8s"] = {"enabled": bgp}
    found = rendered(helm, source(METALLB, pinned("metallb")) / "charts/metallb", values, tmp_path)
    assert {f"{MIRROR}/metallb/{name}:v0.16.1@{DIGEST}" for name in ("controller", "speaker")} <= set(found)
    assert any("frr" in image for image in found) is bgp
    assert [image for image in found if not image.startswith(f"{MIRROR}/")] == []
