"""The packages: names, paths, dependencies and units as in pkgs.k8s.io and Debian."""

from lab.images.layers import File, Folder
from lab.packages.deb import Package
from lab.toolchain.build import Tools

REVISION = "1.1"  # as in the packages of pkgs.k8s.io
CONTAINERD_REVISION = "1"  # as in the distribution's package
_CNI_PLUGINS = ("bridge", "host-local", "loopback", "portmap")
_UNITS = "usr/lib/systemd/system"

# As the kubelet's documentation describes the packages' files (kubernetes.io, "Configuring each kubelet in your cluster
# using kubeadm"): kubeadm writes the two flag files, the administrator the third.
_KUBELET_UNIT = """\
[Unit]
Description=kubelet: the Kubernetes node agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
"""
_KUBEADM_DROP_IN = """\
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
--kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""
_CONTAINERD_UNIT = """\
[Unit]
Description=containerd container runtime
Documentation=https://containerd.io
After=network.target local-fs.target dbus.service

[Service]
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/bin/containerd{arguments}
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
{oom}
[Install]
WantedBy=multi-user.target
"""
# The platform writes /etc/containerd/config.toml. Settings that only the lab needs are in the package's own file, which
# imports the other one. The path has a `*`, because containerd refuses to import a missing file.
_RESTRICTED = """\
version = 3
imports = ["/etc/containerd/*.toml"]

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
"""
_RELOAD = "if [ -d /run/systemd/system ]; then systemctl --system daemon-reload; fi\n"


def packages(tools: Tools, *, restrict_oom: bool) -> dict[str, tuple[Package, ...]]:
    """The repositories' folders → their packages.

    `restrict_oom` is for hosts where root may not lower a process's OOM score, so that runc and systemd fail to:
    root lacks CAP_SYS_RESOURCE.
    """
    of_minor: dict[str, dict[str, Package]] = {}
    for found in (tools.earlier(), tools):
        if found:
            minor = ".".join(found.version("kubeadm").split(".")[:2])
            of_minor.setdefault(f"v{minor}/deb", {}).update({made.key: made for made in _kubernetes(found)})
    return {
        **{folder: tuple(made.values()) for folder, made in of_minor.items()},
        "debian": (_containerd(tools, restrict_oom=restrict_oom), _age(tools)),
    }


def _kubernetes(tools: Tools) -> tuple[Package, ...]:
    version = f"{tools.version('kubeadm')}-{REVISION}"
    cni = tuple(File(f"opt/cni/bin/{name}", tools.path(name), 0o755) for name in _CNI_PLUGINS)
    return (
        Package(
            "kubeadm",
            version,
            "Command-line utility for administering a Kubernetes cluster",
            (
                File("usr/bin/kubeadm", tools.path("kubeadm"), 0o755),
                File(f"{_UNITS}/kubelet.service.d/10-kubeadm.conf", _KUBEADM_DROP_IN.encode()),
            ),
            scripts={"postinst": f"#!/bin/sh\nset -e\n{_RELOAD}"},
        ),
        Package(
            "kubelet",
            version,
            "Node agent for Kubernetes clusters",
            (
                File("usr/bin/kubelet", tools.path("kubelet"), 0o755),
                File(f"{_UNITS}/kubelet.service", _KUBELET_UNIT.encode()),
                File("etc/default/kubelet", b"KUBELET_EXTRA_ARGS=\n"),
                Folder("etc/kubernetes/manifests"),
                Folder("var/lib/kubelet"),
            ),
            depends=("kubernetes-cni (>= 1.2.0)", "mount", "util-linux"),
            recommends=("iptables (>= 1.8.4)",),
            scripts=_service("kubelet", start=False),  # without a configuration it would exit
        ),
        Package(
            "kubectl",
            version,
            "Command-line utility for interacting with a Kubernetes cluster",
            (File("usr/bin/kubectl", tools.path("kubectl"), 0o755),),
        ),
        Package(
            "cri-tools",
            f"{tools.version('crictl')}-{REVISION}",
            "Command-line utility for interacting with a container runtime",
            (File("usr/bin/crictl", tools.path("crictl"), 0o755),),
        ),
        Package(
            "kubernetes-cni", f"{tools.version('loopback')}-{REVISION}", "Container network interface plugins", cni
        ),
    )


def _containerd(tools: Tools, *, restrict_oom: bool) -> Package:
    own = File("usr/lib/containerd/config.toml", _RESTRICTED.encode())
    unit = _CONTAINERD_UNIT.format(
        arguments=f" --config /{own.path}" if restrict_oom else "", oom="" if restrict_oom else "OOMScoreAdjust=-999\n"
    )
    return Package(
        "containerd",
        f"{tools.version('containerd')}-{CONTAINERD_REVISION}",
        "Open and reliable container runtime",
        (
            *(
                File(f"usr/bin/{name}", tools.path(name), 0o755)
                for name in ("containerd", "containerd-shim-runc-v2", "ctr")
            ),
            File(f"{_UNITS}/containerd.service", unit.encode()),
            Folder("etc/containerd"),
            *((own,) if restrict_oom else ()),
        ),
        depends=("runc (>= 1.1.0~)",),
        scripts=_service("containerd", start=True),
    )


def _age(tools: Tools) -> Package:
    return Package(
        "age",
        f"{tools.version('age')}-1",
        "Simple, modern and secure encryption tool",
        tuple(File(f"usr/bin/{name}", tools.path(name), 0o755) for name in ("age", "age-keygen")),
    )


def _service(name: str, *, start: bool) -> dict[str, str]:
    """Maintainer scripts of a package with a unit, by the helpers that debhelper's own scripts call."""
    unit = f"{name}.service"
    invoke = f"if [ -d /run/systemd/system ]; then deb-systemd-invoke {{}} {unit} >/dev/null || true; fi\n"
    started = invoke.format("start") if start else ""
    enabled = (
        f"deb-systemd-helper unmask {unit} >/dev/null || true\ndeb-systemd-helper enable {unit} >/dev/null || true\n"
    )
    return {
        "postinst": f'#!/bin/sh\nset -e\n[ "$1" = configure ] || exit 0\n{enabled}{_RELOAD}{started}',
        "prerm": f'#!/bin/sh\nset -e\n[ "$1" = remove ] || exit 0\n{invoke.format("stop")}',
        "postrm": (
            f'#!/bin/sh\nset -e\n{_RELOAD}[ "$1" = purge ] || exit 0\n'
            f"if [ -x /usr/bin/deb-systemd-helper ]; then deb-systemd-helper purge {unit} >/dev/null || true; fi\n"
        ),
    }
