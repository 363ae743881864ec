"""Images have the names, programs and users that manifests and charts rely on."""

from pathlib import Path

import pytest

from lab.images import debian, pause, recipes
from lab.images.documents import PATH, Image
from lab.processes import LabError
from lab.progress import Progress
from lab.toolchain.build import Tools
from lab.toolchain.pins import TOOLS

# What kubeadm 1.36.3 prints.
LISTED = """\
any/kube-apiserver:v1.36.3
any/kube-controller-manager:v1.36.3
any/kube-scheduler:v1.36.3
any/kube-proxy:v1.36.3
any/coredns:v1.14.2
any/pause:3.10.2
any/etcd:3.6.8-0
"""


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Image]:
    """Every image by its name, of programs that are only there."""
    paths = {tool.name: tmp_path / tool.name for tool in TOOLS}
    for path in paths.values():
        path.write_text("")
    paths["kubeadm"].write_text(f"#!/bin/sh\ncat <<end\n{LISTED}end\n")
    paths["kubeadm"].chmod(0o755)
    trees, module = tmp_path / "trees", tmp_path / "module"
    for tree, patterns in debian.TREES.items():
        for pattern in patterns:
            program = trees / tree / pattern.replace("*", "any")
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text("")
            program.chmod(0o755)
        for path, target in debian._LINKS.get(tree, {}).items():
            (trees / tree / path).symlink_to(target)
    for source in ("bpf_lxc.c", "lib/common.h", "tests/a.c", "Makefile"):
        (module / "bpf" / source).parent.mkdir(parents=True, exist_ok=True)
        (module / "bpf" / source).write_text("")
    scripts = (
        "images/cilium/init-container.sh",
        "plugins/cilium-cni/install-plugin.sh",
        "cmd/reloader/frr-reloader.sh",
    )
    for script in scripts:
        (module / script).parent.mkdir(parents=True, exist_ok=True)
        (module / script).write_text("")
    (module / "plugins/cilium-cni/cni-uninstall.sh").write_text("")
    monkeypatch.setattr(debian, "ensure", lambda _: trees)
    monkeypatch.setattr(pause, "ensure", lambda _: paths["etcd"])
    tools = Tools(paths, {}, {tool.name: tool.version for tool in TOOLS}, dict.fromkeys(("cilium", "frr-k8s"), module))
    found = recipes.images(tools, Progress(total=1, quiet=True))
    assert len({image.name for image in found}) == len(found)
    return {image.name: image for image in found}


def files(image: Image) -> dict[str, int]:
    """Path → mode of everything in an image; what a link leads to is not looked at."""
    return {entry.path: getattr(entry, "mode", 0o777) for layer in image.layers for entry in layer.entries}


def test_the_control_planes_images_are_those_that_kubeadm_asks_for(images: dict[str, Image]) -> None:
    wanted = {line.removeprefix("any/") for line in LISTED.split()} - {"kube-proxy:v1.36.3"}
    assert wanted <= {image.reference for image in images.values()}


def test_a_list_without_one_of_them_is_refused() -> None:
    with pytest.raises(LabError, match="lists no image etcd"):
        recipes.kubeadm_tags(LISTED.replace("any/etcd:3.6.8-0\n", "").splitlines())


def test_a_registry_with_a_port_is_no_tag() -> None:
    lines = LISTED.replace("any/", "registry.example.no:5000/path/").splitlines()
    assert recipes.kubeadm_tags(lines)["pause"] == "3.10.2"


def test_what_starts_an_image_is_in_it_and_may_be_run(images: dict[str, Image]) -> None:
    for image in images.values():
        program = [*image.entrypoint, *image.command][0].removeprefix("/")
        assert files(image)[program] & 0o111, image.reference


@pytest.mark.parametrize("name", ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"])
def test_static_pods_find_their_program_by_name(images: dict[str, Image], name: str) -> None:
    assert any(f"{folder.removeprefix('/')}/{name}" in files(images[name]) for folder in PATH.split(":"))


def test_a_program_that_stands_alone_has_users_authorities_and_a_place_for_temporary_files(
    images: dict[str, Image],
) -> None:
    for image in images.values():
        if image.name != "pause":
            found = files(image)
            assert found["tmp"] == 0o1777, image.reference
            assert {"etc/passwd", "etc/group", "etc/ssl/certs/ca-certificates.crt"} <= found.keys()


def test_images_share_the_layer_that_is_the_same(images: dict[str, Image]) -> None:
    firsts = [image.layers[0] for image in images.values() if image.name != "pause"]
    assert all(layer is firsts[0] for layer in firsts)


def test_the_agents_image_has_what_its_chart_and_scripts_run(images: dict[str, Image]) -> None:
    found = files(images["cilium/cilium"])
    run = "bash sh cilium cilium-agent cilium-dbg cilium-mount cilium-sysctlfix cilium-health-responder clang cp rm mv "
    run += "nsenter mount grep find cat basename mkdir sleep ip"
    for name in run.split():
        assert found[f"usr/bin/{name}"] & 0o111, name
    for name in ("iptables", "ip6tables", "iptables-save", "ip6tables-nft-save", "ipset", "modprobe", "tc"):
        assert f"usr/sbin/{name}" in found
    for path in (
        "opt/cni/bin/cilium-cni",
        "cni/loopback",
        "install-plugin.sh",
        "init-container.sh",
        "cni-uninstall.sh",
    ):
        assert found[path] == 0o755
    assert found["var/lib/cilium/bpf/bpf_lxc.c"] == 0o644


def test_the_agents_image_has_the_sources_without_their_tests(images: dict[str, Image]) -> None:
    sources = {path for path in files(images["cilium/cilium"]) if path.startswith("var/lib/cilium/bpf/")}
    assert {path.removeprefix("var/lib/cilium/bpf/") for path in sources} == {"bpf_lxc.c", "lib", "lib/common.h"}


def test_test_servers_do_not_run_as_root(images: dict[str, Image]) -> None:
    assert all(images[name].user.split(":")[0] not in ("", "0") for name in ("e2e/echo-basic", "e2e/iperf3", "pause"))


def test_the_images_that_speak_bgp_have_what_the_pods_of_the_chart_run(images: dict[str, Image]) -> None:
    frr, frr_k8s = files(images["frrouting/frr"]), files(images["metallb/frr-k8s"])
    for path in ("usr/lib/frr/docker-start", "usr/lib/frr/watchfrr", "usr/sbin/tini", "usr/bin/sh", "usr/bin/python3"):
        assert frr[path] & 0o111, path
    for path in (
        "frr-k8s",
        "frr-metrics",
        "frr-status",
        "statuscleaner",
        "frr-reloader.sh",
        "usr/bin/sh",
        "usr/bin/cp",
    ):
        assert frr_k8s[path] & 0o111, path
