"""Content of each image of the lab: only the programs that the toolchain has built.

Names, users and paths are the same as in the projects' own images, because manifests and charts depend on them.
"""

import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from lab.images import debian, pause
from lab.images.documents import Image
from lab.images.layers import Entry, File, Folder, Layer, Link, tree
from lab.processes import LabError
from lab.progress import Progress
from lab.toolchain.build import Tools

NOBODY = "65534:65534"
NONROOT = "65532:65532"  # as in the distroless images
_PASSWD = b"""root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
"""
_GROUP = b"""root:x:0:
nobody:x:65534:
nonroot:x:65532:
"""
FRR = "8.4.4"
"""FRR of Debian 12."""
# As in FRR's own image (its docker/alpine/docker-start).
_START_FRR = b"#!/bin/bash\nsource /usr/lib/frr/frrcommon.sh\n/usr/lib/frr/watchfrr $(daemon_list)\n"
_NOT_IN_THE_IMAGE = ("tests", "complexity-tests", "custom", "Makefile", "Makefile.bpf", ".gitignore")
# The images of `kubeadm config images list`, without kube-proxy, which the lab does not use.
_KUBEADM = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "coredns", "pause")


def images(tools: Tools, progress: Progress) -> tuple[Image, ...]:
    """Every image that the lab's registry has.

    Raises:
        LabError: something they are made of could not be had.
    """
    trees = debian.ensure(progress)
    base = Layer(_base(trees / "certificates"))
    made = {
        image.reference: image
        for found in (tools, tools.earlier())
        if found
        for image in (
            *_control_plane(found, base, pause.ensure(progress)),
            _agent(found, base, trees / "cilium"),
            _operator(found, base),
        )
    }
    return (
        *made.values(),
        *_others(tools, base),
        *_bgp(tools, base, trees),
        Image(
            "e2e/iperf3",
            "3",
            (base, Layer(tree(trees / "iperf3"))),
            entrypoint=("/usr/bin/iperf3",),
            user=NOBODY,
            ports=("5201/tcp", "5201/udp"),
        ),
    )


def _base(certificates: Path) -> Iterator[Entry]:
    """What programs look for: users, the public authorities, a place for temporary files."""
    bundle = b"".join(file.read_bytes() for file in sorted(certificates.rglob("*.crt")))
    yield File("etc/passwd", _PASSWD)
    yield File("etc/group", _GROUP)
    yield File("etc/nsswitch.conf", b"hosts: files dns\n")
    yield File("etc/ssl/certs/ca-certificates.crt", bundle)
    yield Folder("tmp", 0o1777)
    yield Folder("root", 0o700)


def _static(base: Layer, name: str, tag: str, program: Path, path: str) -> Image:
    """An image of one program that needs nothing else."""
    return Image(name, tag, (base, Layer([File(path, program, 0o755)])), entrypoint=(f"/{path}",))


def kubeadm_tags(listed: Iterable[str]) -> dict[str, str]:
    """Name → tag of what kubeadm takes from a registry, as it lists them.

    Raises:
        LabError: the list lacks one that the lab makes.
    """
    tags = dict(line.rpartition("/")[2].split(":", 1) for line in listed if ":" in line)
    if missing := [name for name in _KUBEADM if name not in tags]:
        raise LabError(f"kubeadm lists no image {', '.join(missing)}: the lab's images don't fit this Kubernetes")
    return {name: tags[name] for name in _KUBEADM}


def _control_plane(tools: Tools, base: Layer, pause_program: Path) -> Iterator[Image]:
    """kubeadm's static pods call their program by name, so it lies on the image's PATH."""
    version = f"v{tools.version('kubeadm')}"
    listing = [str(tools.path("kubeadm")), "config", "images", "list", "--kubernetes-version", version]
    done = subprocess.run([*listing, "--image-repository", "any"], capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"kubeadm doesn't list its images: {done.stderr.strip()}")
    tags = kubeadm_tags(done.stdout.splitlines())
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        yield _static(base, name, tags[name], tools.path(name), f"usr/local/bin/{name}")
    etcd = [File(f"usr/local/bin/{name}", tools.path(name), 0o755) for name in ("etcd", "etcdctl", "etcdutl")]
    yield Image("etcd", tags["etcd"], (base, Layer(etcd)), entrypoint=("/usr/local/bin/etcd",))
    yield _static(base, "coredns", tags["coredns"], tools.path("coredns"), "coredns")
    # The sandbox of every pod; it contains only the program.
    program = Layer([File("pause", pause_program, 0o755)])
    yield Image("pause", tags["pause"], (program,), entrypoint=("/pause",), user="65535:65535")


def _operator(tools: Tools, base: Layer) -> Image:
    program, tag = tools.path("cilium-operator"), f"v{tools.version('cilium-operator')}"
    return _static(base, "cilium/operator-generic", tag, program, "usr/bin/cilium-operator-generic")


def _others(tools: Tools, base: Layer) -> Iterator[Image]:
    for name in ("controller", "speaker"):
        tool = f"metallb-{name}"
        yield _static(base, f"metallb/{name}", f"v{tools.version(tool)}", tools.path(tool), name)
    traefik = tools.path("traefik")
    yield _static(base, "library/traefik", f"v{tools.version('traefik')}", traefik, "usr/local/bin/traefik")
    yield Image(
        "e2e/agnhost",
        f"v{tools.version('agnhost')}",
        (base, Layer([File("agnhost", tools.path("agnhost"), 0o755), Folder("uploads")])),
        entrypoint=("/agnhost",),
        command=("pause",),
    )
    echo = _static(base, "e2e/echo-basic", f"v{tools.version('echo-basic')}", tools.path("echo-basic"), "echo-basic")
    yield replace(echo, user=NONROOT)


def monitoring(tools: Tools, progress: Progress) -> tuple[Image, ...]:
    """What `monitoring` of a stack file runs. `tools` has `pins.MONITORING` too."""
    base = Layer(_base(debian.ensure(progress) / "certificates"))
    names = {"prometheus": "bin/prometheus", "alertmanager": "bin/alertmanager", "node_exporter": "bin/node_exporter"}
    made = [
        _static(base, f"prometheus/{name.replace('_', '-')}", f"v{tools.version(name)}", tools.path(name), path)
        for name, path in names.items()
    ]
    return tuple(replace(one, user=NOBODY) for one in made)


def _bgp(tools: Tools, base: Layer, trees: Path) -> Iterator[Image]:
    """What speaks BGP for MetalLB: FRR, and frr-k8s, which writes its configuration and runs in the same pod.

    The chart's image of FRR is a newer release than Debian's. The tag says which one this is.
    """
    own: list[Entry] = [
        File("etc/passwd", _PASSWD + b"frr:x:100:101:FRR:/run/frr:/sbin/nologin\n"),  # the chart names the numbers
        File("etc/group", _GROUP + b"frr:x:101:\nfrrvty:x:102:frr\n"),
        File("usr/lib/frr/docker-start", _START_FRR, 0o755),
        File("etc/pam.d/frr", b"auth sufficient pam_rootok.so\naccount sufficient pam_rootok.so\n"),
        Link("usr/sbin/tini", "../bin/tini"),
    ]
    layers = (base, Layer(tree(trees / "frr")), Layer(own))
    yield Image("frrouting/frr", FRR, layers, entrypoint=("/usr/lib/frr/docker-start",))
    programs = [
        File(name, tools.path(name), 0o755) for name in ("frr-k8s", "frr-metrics", "frr-status", "statuscleaner")
    ]
    reloader = File("frr-reloader.sh", tools.module_dir("frr-k8s") / "cmd/reloader/frr-reloader.sh", 0o755)
    layers = (base, Layer(tree(trees / "shell")), Layer([*programs, reloader]))
    yield Image("metallb/frr-k8s", f"v{tools.version('frr-k8s')}", layers, entrypoint=("/frr-k8s",))


def _agent(tools: Tools, base: Layer, programs: Path) -> Image:
    """Cilium's agent compiles its programs for the kernel where it runs: a C compiler and the sources come along."""
    module = tools.module_dir("cilium")
    own: list[Entry] = [
        *(
            File(f"usr/bin/{name}", tools.path(name), 0o755)
            for name in ("cilium-agent", "cilium-dbg", "cilium-health-responder", "cilium-mount", "cilium-sysctlfix")
        ),
        Link("usr/bin/cilium", "cilium-dbg"),
        File("opt/cni/bin/cilium-cni", tools.path("cilium-cni"), 0o755),
        File("cni/loopback", tools.path("loopback"), 0o755),
        File("init-container.sh", module / "images/cilium/init-container.sh", 0o755),
        File("install-plugin.sh", module / "plugins/cilium-cni/install-plugin.sh", 0o755),
        File("cni-uninstall.sh", module / "plugins/cilium-cni/cni-uninstall.sh", 0o755),
        Folder("home/cilium"),
        *(entry for entry in tree(module / "bpf", "var/lib/cilium/bpf") if not _is_test(entry.path)),
    ]
    layers = (base, Layer(tree(programs)), Layer(own))
    return Image(
        "cilium/cilium",
        f"v{tools.version('cilium-agent')}",
        layers,
        command=("/usr/bin/cilium-dbg",),
        env=("HUBBLE_SERVER=unix:///var/run/cilium/hubble.sock", "INITSYSTEM=SYSTEMD"),
        workdir="/home/cilium",
    )


def _is_test(path: str) -> bool:
    """Of the sources what upstream's image has neither (BPF_SRCFILES_IGNORE in its Makefile.defs)."""
    return path.removeprefix("var/lib/cilium/bpf/").split("/")[0] in _NOT_IN_THE_IMAGE
