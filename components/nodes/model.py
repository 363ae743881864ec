"""What a node of the stack file is: where it stands, how it is reached, and what its kernel should be set to."""

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from components.core.model import Spec
from components.core.types import Address, CountryCode, DnsLabel, HostKey, HostName, Port

Profile = Literal["baseline", "high-throughput", "large-cluster", "edge"]
"""Named sets of kernel settings; `components.nodes.settings.profiles` has them with their sources."""

Role = Literal["control-plane", "worker"]

ServiceProxy = Literal["ebpf", "iptables", "ipvs", "nftables"]
"""Who carries Service traffic: the CNI's eBPF programs, or kube-proxy in one of its modes."""

_KEY = re.compile(r"[a-z0-9_]+(\.[A-Za-z0-9_-]+)+")
_WORDS = re.compile(r"-?[0-9]+( -?[0-9]+)*")


def _key(value: str) -> str:
    if not _KEY.fullmatch(value):
        raise ValueError("write a sysctl key, as in 'net.core.somaxconn'")
    return value


def _numbers(value: str) -> str:
    if not _WORDS.fullmatch(value):
        raise ValueError("write whole numbers with one blank between, in quotes, as in '4096 87380 16777216'")
    return value


SysctlKey = Annotated[str, AfterValidator(_key), WithJsonSchema({"type": "string", "pattern": _KEY.pattern})]
SysctlValue = Annotated[
    str, AfterValidator(_numbers), WithJsonSchema({"type": "string", "pattern": f"^{_WORDS.pattern}$"})
]
"""One or more whole numbers. Sysctls that hold words (paths, algorithms) are not this platform's to set."""


class Sysctl(Spec):
    """One kernel setting and what it means to have it."""

    key: SysctlKey
    """Name with dots, as `sysctl` prints it."""
    value: SysctlValue
    """The value wanted, or the least one, number by number."""
    how: Literal["minimum", "exact"] = "minimum"
    """`minimum` is raised where the node has less and never lowered; `exact` is set as written."""
    per_gib: int = Field(default=0, ge=0, le=2**30)
    """A minimum that follows the node's memory: at least this many for each GiB, or `value` where that is more."""
    required: bool = False
    """True: a node whose kernel lacks the key, or keeps it from us, is refused before any change."""

    @model_validator(mode="after")
    def _only_one_number_grows(self) -> "Sysctl":
        if self.per_gib and (self.how == "exact" or " " in self.value):
            raise ValueError("perGib goes with one number and how: minimum")
        return self

    @property
    def path(self) -> str:
        """Where the kernel shows it."""
        return "/proc/sys/" + self.key.replace(".", "/")


class Provider(Spec):
    """Who rents the server out, and under which country's law that company stands."""

    name: str = Field(min_length=1)
    country: CountryCode


class NodeSpec(Spec):
    """One rented server."""

    name: DnsLabel
    """Its name in Kubernetes and in every message of this platform."""
    address: Address
    """The address at which SSH and the other nodes reach it."""
    country: CountryCode
    """Where the machine stands."""
    provider: Provider
    roles: tuple[Role, ...] = Field(default=("worker",), min_length=1)
    profiles: tuple[Profile, ...] = ("baseline",)
    """Composed in any order: the larger minimum wins, and two exact values that differ are refused."""
    sysctls: tuple[Sysctl, ...] = ()
    """Settings of this node beside its profiles; an exact value here stands for theirs."""
    keep_swap: bool = False
    """True leaves swap as it is; otherwise it is switched off, and on again when the node is decommissioned."""
    host_key: HostKey | None = None
    """Its ed25519 host key. Left out, it is read from `ssh.knownHostsFile`; a node without one is refused."""
    when_unreachable: Literal["fail", "abandon"] = "fail"
    """What its removal does if it does not answer: `fail` keeps it in the stack; `abandon` warns, and leaves on it what
    we put there. Write it and deploy while the node is still in the file: a removal uses what was deployed."""
    drain_seconds: int = Field(default=300, ge=0, le=3600)
    """How long its pods may take to move when it leaves the stack file; 0 does not move them."""


class SshSpec(Spec):
    """How every node is reached. The private key is a secret of its own: `vds-platform:sshPrivateKey`."""

    user: str = Field(default="root", pattern=r"^[a-z_][a-z0-9_-]*$")
    """root: the node script sets kernel values and refuses to run as anyone else."""
    port: Port = 22
    known_hosts_file: str | None = None
    """OpenSSH's known_hosts, relative to the project; supplies host keys that nodes do not carry inline."""
    dial_seconds: int = Field(default=3, ge=1, le=30)
    """Seconds for one attempt to connect."""
    dial_attempts: int = Field(default=3, ge=1, le=10)
    """Attempts before a node counts as unreachable. 3 of 3 s end within 18 s, the waits between included."""


class ReferencePoint(Spec):
    """A place outside whose distance matters: the exchange, a customer's office."""

    name: DnsLabel
    address: Address
    max_milliseconds: float = Field(default=5, gt=0, le=1000)
    """Round trip. 5 ms is what the articles of 2024 expect within Norway; 2023 expects 2 ms within Oslo."""


class PreflightSpec(Spec):
    """What nodes are asked before their first change, beside what the rest of the stack file needs of them."""

    reference_points: tuple[ReferencePoint, ...] = ()
    etcd_folder: str = Field(default="/var/lib/etcd", pattern=r"^/\S*$")
    """Whose disk is measured, on nodes that no etcd runs on yet."""
    lookup: HostName = "kubernetes.io"
    """The name whose resolution is timed."""
    max_facts_hours: int = Field(default=24, ge=1, le=24 * 31)
    """How old a facts file may be that a preview judges without reaching the nodes."""


class PortNeed(NamedTuple):
    """A port that every node must reach on every other one."""

    port: int
    protocol: Literal["tcp", "udp"]
    reason: str


class NodeRequirements(NamedTuple):
    """What the cluster asks of every node, whoever decided it."""

    service_proxy: ServiceProxy
    kernel_floor: str
    """The oldest kernel, `major.minor`."""
    kernel_reason: str
    """Who asks for that kernel, in an operator's words: `Cilium 1.18.2`."""
    kubernetes: str = "1.36"
    """Minor version."""
    underlay_mtu: int = 1500
    ports: tuple[PortNeed, ...] = ()
    same_segment: str = ""
    """Who needs all nodes on one layer-2 segment; empty: nobody."""
    source_address_filtering: str = ""
    """The part that does not work where the provider filters source addresses; empty: none."""
    announcements: str = ""
    """Who needs gratuitous ARP to pass; empty: nobody."""
    pod_source: str = "10.244.255.254"
    """An address of the pod network that no pod has: to ask whether the provider lets it pass."""
    preflight: PreflightSpec = PreflightSpec()
    cgroup_v1: bool = False
    """The stack file says that nodes may still have it."""
