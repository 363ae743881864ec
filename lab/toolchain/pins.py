"""The tools of the lab. Only the go.mod files beside this one have their versions."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).parent
OWN = "vds-platform.example/lab/toolchain"  # prefix of our own modules in their go.mod files


@dataclass(frozen=True)
class Tool:
    """A program built from a Go module."""

    name: str
    folder: str
    """The folder beside this file whose go.mod pins it."""
    module: str
    package: str
    """The package's path below the module; empty for the module itself."""
    stamps: tuple[str, ...] = ()
    """Linker variables, with {v}, {major} and {minor} of the version."""
    tags: str = ""
    version_command: tuple[str, ...] = ()
    """How a copy on the PATH is asked for its version; empty: none is looked for."""
    same_parts: int = 2
    """How many leading parts of the version a copy on the PATH must share: 2 is the minor, 1 the major."""
    release: str = ""
    """The release it is, where the module has no version of its own."""
    embeds: tuple[str, ...] = ()
    """Files beside the package that the main package in `folder` embeds: it is built in the package's place."""
    test: bool = False
    """Whether it is a package's tests, compiled."""
    own: bool = False
    """Whether the main package is the one in `folder`, and the module only a library."""

    @property
    def version(self) -> str:
        """The version without its `v`: the release, or the module's by go.mod."""
        return self.release or module_version(self.folder, self.module)

    @property
    def ldflags(self) -> str:
        """Small binaries that know their version."""
        return link_flags([self])

    @property
    def import_path(self) -> str:
        """What Go is given to build."""
        if self.embeds or self.own:
            return f"{OWN}/{self.folder}"
        return f"{self.module}/{self.package}" if self.package else self.module

    @property
    def binary(self) -> str:
        """The file name that Go gives it: the last part of the import path that is not a major version."""
        parts = self.import_path.split("/")
        name = parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]
        return f"{name}.test" if self.test else name

    @property
    def key(self) -> str:
        """Names this exact build: the same key, the same program."""
        recipe = f"{self.import_path} {self.tags} {self.ldflags} {' '.join(self.embeds)} {self.test}"
        digest = hashlib.sha256(recipe.encode())
        for file in sorted(p for p in (HERE / self.folder).rglob("*") if p.is_file()):
            digest.update(file.read_bytes())
        return f"{self.name}-{self.version}-{digest.hexdigest()[:12]}"


def link_flags(tools: Iterable[Tool]) -> str:
    """The linker's flags for programs that are built together; a program without a stamped variable ignores it."""
    stamps: dict[str, None] = {}
    for tool in tools:
        major, minor, *_ = tool.version.split(".")
        stamps |= dict.fromkeys(f"-X {s.format(v=tool.version, major=major, minor=minor)}" for s in tool.stamps)
    return " ".join(["-s", "-w", *stamps])


def batches(tools: Iterable[Tool]) -> list[tuple[Tool, ...]]:
    """The tools in their order, together where one call of Go builds them: that reads the module graph once."""
    return [tuple(batch) for _, batch in groupby(tools, lambda t: (t.folder, t.tags, t.test, bool(t.embeds)))]


def module_version(folder: str, module: str) -> str:
    """The version, without its `v`, that a folder's go.mod pins a module to."""
    text = (HERE / folder / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} v(\S+)", text, re.MULTILINE)
    if not found:
        raise LookupError(f"{folder}/go.mod pins no {module}")
    return found.group(1)


_KUBERNETES = tuple(
    f"k8s.io/component-base/version.git{name}={value}"
    for name, value in (("Version", "v{v}"), ("Major", "{major}"), ("Minor", "{minor}"))
)
_K8S = "k8s.io/kubernetes"
_CONTAINERD = ("github.com/containerd/containerd/v2/version.Version=v{v}",)
# Drivers of file systems that the lab's machines don't have; btrfs and zfs also need C libraries.
_CONTAINERD_TAGS = "no_btrfs no_zfs no_devmapper no_aufs"
_CRICTL = ("sigs.k8s.io/cri-tools/pkg/version.Version=v{v}",)
_CNI = ("github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v{v}",)
_CILIUM = ("github.com/cilium/cilium/pkg/version.ciliumVersion={v}",)
# Upstream builds the operator-generic image with this tag. Only the operator uses it.
_CILIUM_TAGS = "ipam_provider_operator"


def _kubernetes(name: str, package: str) -> Tool:
    return Tool(name, "kubernetes", _K8S, package, _KUBERNETES)


def _containerd(name: str) -> Tool:
    module = "github.com/containerd/containerd/v2"
    return Tool(name, "containerd", module, f"cmd/{name}", _CONTAINERD, _CONTAINERD_TAGS)


def _cni(name: str, kind: str) -> Tool:
    module = "github.com/containernetworking/plugins"
    return Tool(name, "containerd", module, f"plugins/{kind}/{name}", _CNI, _CONTAINERD_TAGS)


def _cilium(name: str, package: str) -> Tool:
    return Tool(name, "cilium", "github.com/cilium/cilium", package, _CILIUM, _CILIUM_TAGS)


# In the order in which `make up` needs them. Programs for images and packages are always built. For programs that only
# the operator runs, a copy on the PATH may be used.
TOOLS = (
    _kubernetes("kubeadm", "cmd/kubeadm"),
    _kubernetes("kubelet", "cmd/kubelet"),
    _kubernetes("kubectl", "cmd/kubectl"),
    _kubernetes("kube-apiserver", "cmd/kube-apiserver"),
    _kubernetes("kube-controller-manager", "cmd/kube-controller-manager"),
    _kubernetes("kube-scheduler", "cmd/kube-scheduler"),
    _kubernetes("agnhost", "test/images/agnhost"),
    Tool("etcd", "kubernetes", "go.etcd.io/etcd/server/v3", ""),
    _containerd("containerd"),
    _containerd("containerd-shim-runc-v2"),
    _containerd("ctr"),
    Tool("crictl", "containerd", "sigs.k8s.io/cri-tools", "cmd/crictl", _CRICTL, _CONTAINERD_TAGS),
    _cni("loopback", "main"),
    _cni("bridge", "main"),
    _cni("host-local", "ipam"),
    _cni("portmap", "meta"),
    Tool(
        "registry",
        "registry",
        "github.com/distribution/distribution/v3",
        "cmd/registry",
        ("github.com/distribution/distribution/v3/version.version=v{v}",),
    ),
    Tool("coredns", "coredns", "github.com/coredns/coredns", ""),
    _cilium("cilium-agent", "daemon"),
    _cilium("cilium-operator", "operator"),
    _cilium("cilium-cni", "plugins/cilium-cni"),
    _cilium("cilium-dbg", "cilium-dbg"),
    _cilium("cilium-health-responder", "cilium-health/responder"),
    _cilium("cilium-mount", "tools/mount"),
    _cilium("cilium-sysctlfix", "tools/sysctlfix"),
    Tool("metallb-controller", "metallb", "go.universe.tf/metallb", "controller"),
    Tool("metallb-speaker", "metallb", "go.universe.tf/metallb", "speaker"),
    *(
        Tool(name, "metallb", "github.com/metallb/frr-k8s", f"cmd/{package}")
        for name, package in (
            ("frr-k8s", "frr-k8s-controller"),
            ("frr-metrics", "metrics"),
            ("frr-status", "status"),
            ("statuscleaner", "statuscleaner"),
        )
    ),
    Tool("traefik", "traefik", "github.com/traefik/traefik/v3", "cmd/traefik"),
    Tool(
        "helm",
        "helm",
        "helm.sh/helm/v3",
        "cmd/helm",
        ("helm.sh/helm/v3/internal/version.version=v{v}",),
        version_command=("version", "--short"),
        same_parts=1,
    ),
    Tool(
        "pulumi-resource-kubernetes",
        "pulumi-kubernetes",
        "github.com/pulumi/pulumi-kubernetes/provider/v4",
        "cmd/pulumi-resource-kubernetes",
        ("github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version={v}",),
        release="4.25.0",  # the tag v4.25.0 is the commit in go.mod; the module has no tags of its own
        embeds=("schema.json", "terraform-mapping.json"),
    ),
    Tool(
        "pulumi",
        "pulumi",
        "github.com/pulumi/pulumi/pkg/v3",
        "cmd/pulumi",
        ("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{v}",),
        version_command=("version",),
        same_parts=1,  # SDKs and plugins work with every later engine of the same major
    ),
    Tool("echo-basic", "gateway-api", "sigs.k8s.io/gateway-api/conformance", "echo-basic"),
    Tool("age", "backup", "filippo.io/age", "cmd/age", ("main.Version=v{v}",)),
    Tool("age-keygen", "backup", "filippo.io/age", "cmd/age-keygen", ("main.Version=v{v}",)),
    Tool("etcdctl", "backup", "go.etcd.io/etcd/etcdctl/v3", ""),
    Tool("etcdutl", "backup", "go.etcd.io/etcd/etcdutl/v3", ""),
    Tool("s3server", "s3", "github.com/rclone/gofakes3", "", own=True),
)
# The test suites that `make conformance` runs, beside TOOLS.
CONFORMANCE = (
    Tool("gateway-conformance", "gateway-api", "sigs.k8s.io/gateway-api/conformance", "", test=True),
    Tool("policy-conformance", "network-policy", "sigs.k8s.io/network-policy-api", "conformance", test=True),
    Tool("cyclonus", "network-policy", "github.com/mattfenwick/cyclonus", "cmd/cyclonus"),
    Tool("cyclonus-cases", "network-policy", "github.com/mattfenwick/cyclonus", "", own=True),
)
# Programs of a release before that of TOOLS, which the tests of an upgrade begin with.
BEFORE = "-earlier"
EARLIER_FOLDERS = {"patch": "kubernetes-earlier", "minor": "kubernetes-minor", "cilium": "cilium-minor"}
"""Kubernetes of the patch or the minor before, and Cilium of the minor before → the folder whose go.mod pins it."""
_UPGRADED = (
    *("kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *(tool.name for tool in TOOLS if tool.folder == "cilium"),
)
EARLIER = {
    step: tuple(
        replace(tool, name=f"{tool.name}{BEFORE}", folder=folder)
        for tool in TOOLS
        if tool.name in _UPGRADED and tool.folder == folder.partition("-")[0]
    )
    for step, folder in EARLIER_FOLDERS.items()
}
_PROMETHEUS = ("github.com/prometheus/common/version.Version={v}",)
# Without the service discoveries of some thirty clouds, whose clients are most of what is compiled.
_PROMETHEUS_TAGS = "remove_all_sd enable_kubernetes_sd"
# What `monitoring` of a stack file runs, and promtool, which checks its rules. Beside TOOLS: it takes four minutes.
MONITORING = (
    *(
        Tool(
            name,
            "monitoring",
            "github.com/prometheus/prometheus",
            f"cmd/{name}",
            _PROMETHEUS,
            _PROMETHEUS_TAGS,
            release="3.15.1",
        )
        for name in ("prometheus", "promtool")
    ),
    Tool("node_exporter", "monitoring", "github.com/prometheus/node_exporter", "", _PROMETHEUS, _PROMETHEUS_TAGS),
    # The newest release whose module has its pages: later ones have them only in the binaries.
    Tool("alertmanager", "alertmanager", "github.com/prometheus/alertmanager", "cmd/alertmanager", _PROMETHEUS),
)
# What tests check files of this project with, beside TOOLS.
CHECKERS = (Tool("actionlint", "actionlint", "github.com/rhysd/actionlint", "cmd/actionlint"),)

# Modules whose charts, CRDs and other files the lab reads: name → (folder, module).
MODULES = {
    "cilium": ("cilium", "github.com/cilium/cilium"),
    "metallb": ("metallb", "go.universe.tf/metallb"),
    "frr-k8s": ("metallb", "github.com/metallb/frr-k8s"),
    "network-policy-api": ("network-policy", "sigs.k8s.io/network-policy-api"),
    "gateway-api": ("traefik", "sigs.k8s.io/gateway-api"),
}
