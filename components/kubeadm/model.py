"""The Kubernetes cluster of the nodes: one that exists, or one that kubeadm makes."""

import re
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from components.core.authority import AuthorityCertificate
from components.core.model import Spec
from components.core.types import CountryCode, DnsName, MinorVersion, RefusedError, ServiceProxy, Version
from components.images.model import REGISTRY, ImageMirror
from components.kubeadm import signing
from components.kubeadm.backup.model import BackupSpec
from components.kubeadm.security.model import SecuritySpec
from components.network.model import NetworkSpec
from components.nodes.model import NodeSpec, SshSpec

_DEBIAN = re.compile(r"[0-9][A-Za-z0-9.+~:-]*")  # Debian policy 5.6.12, with epoch and revision
KUBERNETES_REGISTRY = "registry.k8s.io"
"""The registry of Kubernetes' own images, as `kubeadm config images list` prints it."""


def _package_version(value: str) -> str:
    if not _DEBIAN.fullmatch(value):
        raise ValueError("write a package's whole version, as `apt-cache madison` shows it: '1.36.3-1.1'")
    return value


PackageVersion = Annotated[
    str, AfterValidator(_package_version), WithJsonSchema({"type": "string", "pattern": f"^{_DEBIAN.pattern}$"})
]
"""A Debian package's whole version, with its revision."""


class Existing(Spec):
    """A cluster that exists already; its kubeconfig is the secret `vds-platform:kubeconfig`."""

    kind: Literal["existing"]
    kubernetes_version: MinorVersion
    """Its minor version, as in "1.36"."""
    kernel_floor: MinorVersion | None = None
    """A newer kernel than the CNI asks for, as in "6.1"."""


class SigningKey(Spec):
    """The key that a package repository signs with. It is in the stack file, so that no other key is downloaded."""

    fingerprint: str = Field(pattern=r"^[0-9A-F]{40}$")
    """40 hexadecimal digits in capitals, compared with what the repository's owner publishes."""
    armoured: Annotated[str, AfterValidator(signing.normal)]
    """The public key, `-----BEGIN PGP PUBLIC KEY BLOCK-----` and what follows."""

    @model_validator(mode="after")
    def _is_what_it_says(self) -> Self:
        found = signing.fingerprint(self.armoured)
        if found != self.fingerprint:
            raise RefusedError(f"the armoured key has the fingerprint {found}", "write the key that you have compared")
        return self


class Packages(Spec):
    """Kubernetes' packages: their repository and versions."""

    url: str = Field(default="https://pkgs.k8s.io/core:/stable:/", pattern=r"^https://\S+/$")
    """The repository above its minor versions; `v1.36/deb/` is added. A mirror has the same folders."""
    country: CountryCode
    """The country whose law the repository is under. It has no default, so that it is always stated."""
    signing_key: SigningKey
    revision: str = Field(default="1.1", pattern=r"^[0-9][0-9.]*$")
    """The packages' revision after Kubernetes' version, as in `1.36.3-1.1`."""
    cri_tools: PackageVersion
    """Version of the package `cri-tools`, as `apt-cache madison` shows it."""
    kubernetes_cni: PackageVersion
    """Version of the package `kubernetes-cni`, as `apt-cache madison` shows it."""


class Containerd(Spec):
    """The container runtime, from the package sources that the server already has."""

    package: Literal["containerd", "containerd.io"] = "containerd"
    """The distribution's package, or that of Docker's repository if the server has it."""
    version: PackageVersion
    """Version of that package, as `apt-cache madison` shows it."""

    @property
    def major(self) -> int:
        """1 or 2: their configurations differ. The epoch in `2:1.7.24` is not the version."""
        return int(re.split(r"[.+~-]", self.version.rpartition(":")[2])[0])


class ControlPlaneImages(Spec):
    """Where the images of the control plane and of pods' sandboxes come from."""

    registry: str | None = Field(default=None, pattern=REGISTRY)
    """A registry, or a path in one; a mirror has `coredns` beside the others, as kubeadm looks for it there.
    Left out: the stack file's `images.registry`, or registry.k8s.io without one."""
    country: CountryCode | None = None
    """The country whose law the registry is under; left out: `images.country`."""
    pause: str = Field(pattern=r"^[0-9][0-9.]*$")
    """The sandbox image's tag, as `kubeadm config images list` prints it for this Kubernetes."""


class Kubeadm(Spec):
    """kubeadm makes the cluster of the stack's nodes, behind `network.apiServer`.

    Every run needs the secret `vds-platform:encryptionKeys`, and the one that makes it `vds-platform:caKey`.
    """

    kind: Literal["kubeadm"]
    kubernetes_version: Version
    """The whole version, as in "1.36.3". Every node gets it, and keeps it until you write another."""
    kernel_floor: MinorVersion | None = None
    """A newer kernel than the CNI asks for, as in "6.1"."""
    packages: Packages
    containerd: Containerd
    images: ControlPlaneImages
    source_countries: tuple[CountryCode, ...] = ()
    """More countries that software may come from, in addition to residency's: downloading it sends no data out."""
    ca_certificate: AuthorityCertificate
    """The cluster's certificate authority, made beforehand, so that each node knows it before it joins."""
    certificate_names: tuple[DnsName, ...] = ()
    """More names or addresses of the API server for its certificate; `network.apiServer` is in it."""
    security: SecuritySpec = SecuritySpec()
    """Security settings, all of them on."""
    backup: BackupSpec | None = None
    """Snapshots of etcd in a bucket; left out: none are taken."""
    cgroup_v1: bool = Field(default=False, alias="cgroupV1")
    """True: the nodes still use cgroup v1, which a kubelet refuses by default."""


Cluster = Annotated[Existing | Kubeadm, Field(discriminator="kind")]


class ImageSource(NamedTuple):
    """Where the control plane's images come from."""

    registry: str
    country: str | None
    """The country whose law it is under; None: not stated."""
    field: str
    """The field of the stack file that has the registry."""


def image_source(cluster: Kubeadm, mirror: ImageMirror | None) -> ImageSource:
    """The cluster's own choice, the stack's mirror, or the project's registry."""
    own = cluster.images
    if own.registry is None and mirror is not None:
        return ImageSource(mirror.registry, own.country or mirror.country, "images")
    return ImageSource(own.registry or KUBERNETES_REGISTRY, own.country, "cluster.images")


class Bootstrap(NamedTuple):
    """Everything that is not secret about a cluster that kubeadm makes, from several parts of the stack file."""

    cluster: Kubeadm
    environment: str
    network: NetworkSpec
    service_proxy: ServiceProxy
    nodes: tuple[NodeSpec, ...]
    ssh: SshSpec
    mirror: ImageMirror | None = None

    @property
    def registry(self) -> str:
        """Where kubeadm and containerd find their images."""
        return image_source(self.cluster, self.mirror).registry

    @property
    def control_planes(self) -> tuple[NodeSpec, ...]:
        """In the order of the file: the first one makes the cluster."""
        return tuple(node for node in self.nodes if "control-plane" in node.roles)

    @property
    def workers(self) -> tuple[NodeSpec, ...]:
        """Nodes that only run pods."""
        return tuple(node for node in self.nodes if "control-plane" not in node.roles)
