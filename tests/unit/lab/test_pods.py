"""Which program stands for a pod's image, and what a pod's program gets to know."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.node.pods import Settings, UnknownImageError, _environment


@pytest.fixture
def settings() -> Settings:
    tools = {name: f"/tools/{name}" for name in ("metallb-controller", "metallb-speaker", "traefik", "cilium-cni")}
    return Settings("osl-1", "192.0.2.11", Path("/n"), Path("/l"), Path("/ca"), tools)


@pytest.mark.parametrize("image", ["traefik", "traefik:v3", "example.test:5000/library/traefik:v3.7", "a/b/traefik"])
def test_registry_and_tag_do_not_choose_the_program(settings: Settings, image: str) -> None:
    assert settings.program(image) == ["/tools/traefik"]


@pytest.mark.parametrize("image", ["nginx", "not-traefik", "traefik/other"])
def test_an_image_that_the_lab_does_not_have_is_named_with_those_it_has(settings: Settings, image: str) -> None:
    with pytest.raises(UnknownImageError, match=f"{image}.*it has .*traefik"):
        settings.program(image)


def test_a_program_sees_its_pods_facts_however_they_are_spelt(settings: Settings) -> None:
    manifest = {"metadata": {"name": "a", "namespace": "b"}, "spec": {}}
    env = [
        {"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "ODD", "value": "it's $HOME; `x`"},
    ]
    text = _environment({"env": env}, manifest, settings, "10.0.0.9")
    seen = subprocess.run(["sh", "-c", f'{text}\nprintf \'%s|%s\' "$WHO" "$ODD"'], capture_output=True, text=True)
    assert seen.stdout == "10.0.0.9|it's $HOME; `x`"
