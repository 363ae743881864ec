"""Every image of a stack, from its rendered charts."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from components.stackfile.parsing import parse
from components.stackfile.spec import PlatformSpec
from tests.support.stacks import ROOT, stack, stack_data
from vds.charts.images import Images, stack_images
from vds.main import application


def found(name: str = "oslo") -> Images:
    spec: PlatformSpec = stack(name)
    return stack_images(spec, ROOT)


@pytest.mark.parametrize("name", ["oslo", "lab"])
def test_a_committed_stack_s_images_are_known_and_come_from_their_makers(name: str) -> None:
    images = found(name)
    assert images.missing == ()
    hosts = {one.image.partition("/")[0] for one in images.found}
    assert hosts <= {"quay.io", "docker.io", "registry.k8s.io", "ghcr.io"}
    names = " ".join(one.image for one in images.found)
    for part in ("quay.io/cilium/cilium:", "quay.io/metallb/speaker:", "docker.io/library/traefik:"):
        assert part in names


def test_what_is_off_is_not_listed() -> None:
    assert not any("hubble-ui" in one.image for one in found().found)


def test_an_image_has_its_path_in_a_mirror_its_digest_and_who_uses_it() -> None:
    [agent] = [one for one in found("lab").found if one.image.startswith("quay.io/cilium/cilium:")]
    assert agent.mirror_path.startswith("cilium/cilium:v")
    assert "@" not in agent.mirror_path
    assert any("DaemonSet kube-system/cilium" in user for user in agent.used_by)
    [traefik] = [one for one in found("lab").found if "traefik" in one.image]
    assert traefik.mirror_path.startswith("library/traefik:")


def test_images_of_kubeadm_are_in_the_list_or_named_with_the_command() -> None:
    images = found("lab")
    assert any(one.image.startswith("registry.k8s.io/kube-apiserver:v") for one in images.found)
    assert any("kubeadm config images list" in note for note in images.beside)


def run(*words: str) -> Any:
    return CliRunner().invoke(application(), ["charts", "images", *words])


def test_the_command_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = stack_data("oslo")
    data["cni"]["install"]["repository"] = "oci://127.0.0.1:1/charts"
    spec = parse(data, base_dir=ROOT)
    monkeypatch.setattr("vds.charts.command.open_spec", lambda *_, **__: spec)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("components.charts.render._pull_failure", lambda *_: "no network")
    result = run("-s", "oslo")
    assert result.exit_code == 1
    assert "helm pull" in result.stderr
    shown = json.loads(run("-s", "oslo", "--json").stdout)["oslo"]
    assert shown["missing"]
    assert all({"image", "digest", "mirror_path", "used_by"} == set(one) for one in shown["found"])
