"""The Kubernetes cluster that the nodes are: somebody has made it, or kubeadm makes it."""

import re
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from components.core.model import Spec
from components.core.types import CountryCode, DnsName, MinorVersion, Version
from components.images.model import REGISTRY, ImageMirror
from components.kubeadm import authority, signing
from components.network.model import NetworkSpec
from components.nodes.model import NodeSpec, ServiceProxy, SshSpec

_DEBIAN = re.compile(r"[0-9][A-Za-z0-9.+~:-]*")  # Debian policy 5.6.12, with epoch and revision
KUBERNETES_REGISTRY = "registry.k8s.io"
"""Where the project publishes its images, as `kubeadm config images list` says."""


def _package_version(value: str) -> str:
    if not _DEBIAN.fullmatch(value):
        raise ValueError("write a package's whole version, as `apt-cache madison` shows it: '1.36.3-1.1'")
    return value


PackageVersion = Annotated[
    str, AfterValidator(_package_version), WithJsonSchema({"type": "string", "pattern": f"^{_DEBIAN.pattern}$"})
]
"""A Debian package's whole version, with its revision."""

Certificate = Annotated[
    str, AfterValidator(authority.certificate), WithJsonSchema({"type": "string", "pattern": "BEGIN CERTIFICATE"})
]
"""A certificate authority's certificate, PEM; nothing about it is secret."""


class Existing(Spec):
    """Somebody has made the cluster; the kubeconfig is the secret `vds-platform:kubeconfig`."""

    kind: Literal["existing"]
    kubernetes_version: MinorVersion
    kernel_floor: MinorVersion | None = None
    """A newer kernel than the CNI asks for, as in "6.1"."""


class SigningKey(Spec):
    """The one key that a package repository signs with, in the stack file, so that nobody fetches another."""

    fingerprint: str = Field(pattern=r"^[0-9A-F]{40}$")
    """40 hexadecimal digits in capitals, compared with what the repository's owner publishes."""
    armoured: str
    """The public key, `-----BEGIN PGP PUBLIC KEY BLOCK-----` and what follows."""

    @model_validator(mode="after")
    def _is_what_it_says(self) -> Self:
        found = signing.fingerprint(self.armoured)
        if found != self.fingerprint:
            raise ValueError(f"the armoured key has the fingerprint {found}: write the key that you have compared")
        return self


class Packages(Spec):
    """Where Kubernetes' packages come from, and which."""

    url: str = Field(default="https://pkgs.k8s.io/core:/stable:/", pattern=r"^https://\S+/$")
    """The repository above its minor versions; `v1.36/deb/` is added. A mirror has the same folders."""
    country: CountryCode
    """Under whose law the repository is; there is no default, so that none is hidden."""
    signing_key: SigningKey
    revision: str = Field(default="1.1", pattern=r"^[0-9][0-9.]*$")
    """What follows Kubernetes' version in the packages' own, as in `1.36.3-1.1`."""
    cri_tools: PackageVersion
    kubernetes_cni: PackageVersion


class Containerd(Spec):
    """The container runtime, from the sources that the server's own system has."""

    package: Literal["containerd", "containerd.io"] = "containerd"
    """The distribution's, or the one of Docker's repository where a server has that."""
    version: PackageVersion

    @property
    def major(self) -> int:
        """1 or 2: their configurations differ. An epoch (`2:1.7.24`) is not it."""
        return int(re.split(r"[.+~-]", self.version.rpartition(":")[2])[0])


class ControlPlaneImages(Spec):
    """Where the images of the control plane and of pods' sandboxes come from."""

    registry: str | None = Field(default=None, pattern=REGISTRY)
    """A registry, or a path in one; a mirror has `coredns` beside the others, as kubeadm looks for it there.
    Left out: the stack file's `images.registry`, or registry.k8s.io without one."""
    country: CountryCode | None = None
    """Under whose law the registry is; left out: `images.country` says it."""
    pause: str = Field(pattern=r"^[0-9][0-9.]*$")
    """The sandbox image's tag, as `kubeadm config images list` prints it for this Kubernetes."""


class Kubeadm(Spec):
    """kubeadm makes the cluster of the stack's nodes, behind `network.apiServer`.

    Its secrets are `vds-platform:bootstrapToken`, `vds-platform:certificateKey` and `vds-platform:caKey`.
    """

    kind: Literal["kubeadm"]
    kubernetes_version: Version
    """All of it, as in "1.36.3": every node gets this one, and keeps it until you write another."""
    kernel_floor: MinorVersion | None = None
    """A newer kernel than the CNI asks for, as in "6.1"."""
    packages: Packages
    containerd: Containerd
    images: ControlPlaneImages
    source_countries: tuple[CountryCode, ...] = ()
    """Countries that software may come from, beside residency's: what comes in is not what must not go out."""
    ca_certificate: Certificate
    """The authority of the cluster, made beforehand: each node knows whom to trust before it asks anyone."""
    certificate_names: tuple[DnsName, ...] = ()
    """More names or addresses of the API server for its certificate; `network.apiServer` is in it."""
    cgroup_v1: bool = Field(default=False, alias="cgroupV1")
    """The nodes' systems still use cgroup v1, which a kubelet refuses unless it is told not to."""


Cluster = Annotated[Existing | Kubeadm, Field(discriminator="kind")]


class ImageSource(NamedTuple):
    """Where the control plane's images are from."""

    registry: str
    country: str | None
    """Under whose law it is; None where nobody says it."""
    field: str
    """Of the stack file, that says which registry."""


def image_source(cluster: Kubeadm, mirror: ImageMirror | None) -> ImageSource:
    """The cluster's own choice, the stack's mirror, or the project's registry."""
    own = cluster.images
    if own.registry is None and mirror is not None:
        return ImageSource(mirror.registry, own.country or mirror.country, "images")
    return ImageSource(own.registry or KUBERNETES_REGISTRY, own.country, "cluster.images")


class Bootstrap(NamedTuple):
    """Everything that is not a secret about a cluster that kubeadm makes, from all over the stack file."""

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
