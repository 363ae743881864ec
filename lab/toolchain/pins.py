"""Which tools the lab is made of. Their versions are in the go.mod files beside this one, and nowhere else."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


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
    """Linker variables, with {v}, {major} and {minor} of the module's version."""
    tags: str = ""
    version_command: tuple[str, ...] = ()
    """How a copy on the PATH is asked for its version; empty: none is looked for."""
    same_parts: int = 2
    """How many leading parts of the version a copy on the PATH must share: 2 is the minor, 1 the major."""

    @property
    def version(self) -> str:
        """The module's version without its `v`, from go.mod."""
        return module_version(self.folder, self.module)

    @property
    def ldflags(self) -> str:
        """Small binaries that know their version."""
        major, minor, *_ = self.version.split(".")
        stamps = [s.format(v=self.version, major=major, minor=minor) for s in self.stamps]
        return " ".join(["-s", "-w", *(f"-X {s}" for s in stamps)])

    @property
    def import_path(self) -> str:
        """What `go build` is given."""
        return f"{self.module}/{self.package}" if self.package else self.module

    @property
    def key(self) -> str:
        """Names this exact build: the same key, the same program."""
        digest = hashlib.sha256(f"{self.import_path} {self.tags} {self.ldflags}".encode())
        for file in sorted(p for p in (HERE / self.folder).rglob("*") if p.is_file()):
            digest.update(file.read_bytes())
        return f"{self.name}-{self.version}-{digest.hexdigest()[:12]}"


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
_CILIUM = ("github.com/cilium/cilium/pkg/version.ciliumVersion={v}",)
_K8S = "k8s.io/kubernetes"

# In the order in which `make up` needs them: what the first screen shows is built first.
TOOLS = (
    Tool("etcd", "kubernetes", "go.etcd.io/etcd/server/v3", "", version_command=("--version",)),
    Tool("kube-apiserver", "kubernetes", _K8S, "cmd/kube-apiserver", _KUBERNETES, version_command=("--version",)),
    Tool(
        "kube-controller-manager",
        "kubernetes",
        _K8S,
        "cmd/kube-controller-manager",
        _KUBERNETES,
        version_command=("--version",),
    ),
    Tool("kube-scheduler", "kubernetes", _K8S, "cmd/kube-scheduler", _KUBERNETES, version_command=("--version",)),
    Tool(
        "pulumi",
        "pulumi",
        "github.com/pulumi/pulumi/pkg/v3",
        "cmd/pulumi",
        ("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{v}",),
        version_command=("version",),
        same_parts=1,  # SDKs and plugins work with every later engine of the same major
    ),
    Tool("cilium-agent", "cilium", "github.com/cilium/cilium", "daemon", _CILIUM),
    Tool("cilium-operator", "cilium", "github.com/cilium/cilium", "operator", _CILIUM, "ipam_provider_operator"),
    Tool("cilium-cni", "cilium", "github.com/cilium/cilium", "plugins/cilium-cni", _CILIUM),
    Tool("cilium-dbg", "cilium", "github.com/cilium/cilium", "cilium-dbg", _CILIUM),
    Tool("metallb-controller", "metallb", "go.universe.tf/metallb", "controller"),
    Tool("metallb-speaker", "metallb", "go.universe.tf/metallb", "speaker"),
    Tool("traefik", "traefik", "github.com/traefik/traefik/v3", "cmd/traefik", version_command=("version",)),
)
# Only where the program makes a Helm Release and the official provider, which embeds Helm, is missing.
HELM = Tool("helm", "helm", "helm.sh/helm/v3", "cmd/helm", version_command=("version", "--short"), same_parts=1)

# Modules from which the lab reads CRDs and sources: name → (folder, module).
MODULES = {
    "cilium": ("cilium", "github.com/cilium/cilium"),
    "metallb": ("metallb", "go.universe.tf/metallb"),
    "gateway-api": ("traefik", "sigs.k8s.io/gateway-api"),
}
