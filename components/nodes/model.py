"""A node of the stack file: where it is, how it is reached, and its kernel settings."""

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from components.core.model import Spec
from components.core.types import (
    Address,
    CountryCode,
    DnsLabel,
    DnsName,
    HostKey,
    HostName,
    LabelKey,
    LabelValue,
    Networks,
    Port,
    RefusedError,
    ServiceProxy,
)
from components.core.waivers import Waiver
from components.nodes.os_updates.model import UpdateSettings

Profile = Literal["baseline", "high-throughput", "large-cluster", "edge"]
"""Named sets of kernel settings; `components.nodes.settings.profiles` has them with their sources."""

Role = Literal["control-plane", "worker"]

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
"""One or more whole numbers. This platform does not set sysctls that hold words, such as paths and algorithms."""


def sysctl_path(key: str) -> str:
    """The file of a sysctl key."""
    return "/proc/sys/" + key.replace(".", "/")


class Sysctl(Spec):
    """One kernel setting."""

    key: SysctlKey
    """Name with dots, as `sysctl` prints it."""
    value: SysctlValue
    """The value, or the minimum, number by number."""
    how: Literal["minimum", "exact"] = "minimum"
    """`minimum` is raised where the node has less and never lowered; `exact` is set as written."""
    per_gib: int = Field(default=0, ge=0, le=2**30)
    """A minimum that grows with the node's memory: this many for each GiB, or `value` if that is more."""
    required: bool = False
    """True: a node whose kernel lacks the key, or does not let us set it, is refused before any change."""

    @model_validator(mode="after")
    def _only_one_number_grows(self) -> "Sysctl":
        if self.per_gib and (self.how == "exact" or " " in self.value):
            raise RefusedError("perGib goes with one number and how: minimum", "write these, or take perGib out")
        return self

    @property
    def path(self) -> str:
        """Its file under /proc/sys."""
        return sysctl_path(self.key)


class Provider(Spec):
    """The company that rents out the server, and the country whose law it is under."""

    name: str = Field(min_length=1)
    """The company's name."""
    country: CountryCode
    """The country whose law the company is under."""


class Taint(Spec):
    """Keeps pods without a toleration off a node."""

    key: LabelKey
    """As in `example.no/only`."""
    value: LabelValue = ""
    """What a toleration compares; it may be empty."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    """What happens to pods without a toleration: no new ones, rather no new ones, or running ones are evicted too."""


class Position(Spec):
    """A place on the earth, in degrees."""

    latitude: float = Field(ge=-90, le=90)
    """North is positive."""
    longitude: float = Field(ge=-180, le=180)
    """East is positive."""


class NodeSpec(Spec):
    """One rented server."""

    name: DnsLabel
    """Its name in Kubernetes and in every message of this platform."""
    address: Address
    """The address at which the other nodes reach it, and SSH if it has no `sshAddress`."""
    ssh_address: Address | None = None
    """The address at which SSH reaches it, if that is another one."""
    ssh_port: Port | None = None
    """The port of its SSH server; left out: `ssh.port`."""
    country: CountryCode
    """Where the machine is."""
    position: Position | None = None
    """Of its data centre. The preflight compares the distance to reference points with the round trip to them."""
    provider: Provider
    machine: Literal["server", "container"] = "server"
    """`server`: a machine with its own kernel, physical or virtual. `container`: a machine of a lab, which shares the
    kernel and the disk of its host; its checks are then accepted in `preflight.accept`, or it is refused."""
    roles: tuple[Role, ...] = Field(default=("worker",), min_length=1)
    """What it does in the cluster."""
    profiles: tuple[Profile, ...] = ("baseline",)
    """Composed in any order: the larger minimum wins, and two exact values that differ are refused."""
    sysctls: tuple[Sysctl, ...] = ()
    """Settings of this node in addition to its profiles; an exact value here replaces theirs."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels of its Node object. The profile `edge` adds `vds-platform.no/edge: "true"`."""
    taints: tuple[Taint, ...] | None = None
    """All taints of its Node object besides those that Kubernetes sets by itself. Left out: they are not managed. Write
    `[]` to take them off: a taint stays when this field leaves the stack file."""
    keep_swap: bool = False
    """True leaves swap as it is; otherwise it is switched off, and on again when the node is decommissioned."""
    host_key: HostKey | None = None
    """Its ed25519 host key. Left out, it is read from `ssh.knownHostsFile`; a node without one is refused."""
    when_unreachable: Literal["fail", "abandon"] = "fail"
    """What its removal does if it does not answer: `fail` keeps it in the stack; `abandon` warns, and leaves on it what
    we put there. Write it and deploy while the node is still in the file: a removal uses what was deployed."""
    drain_seconds: int = Field(default=300, ge=0, le=3600)
    """How long its pods may take to move when it leaves the stack file; 0 does not move them."""

    @property
    def ssh_host(self) -> str:
        """The address at which SSH reaches it."""
        return str(self.ssh_address or self.address)

    def __hash__(self) -> int:
        return hash(self.name)  # labels have no hash


UserName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]*$", max_length=32)]
"""A login name on a server."""


class Bastion(Spec):
    """A server through which all nodes are reached. It takes the same private key."""

    host: DnsName
    """Its address or name."""
    port: Port = 22
    """The port of its SSH server."""
    user: UserName = "root"
    """Who logs in there; needs no rights but to forward connections."""
    host_key: HostKey
    """Its ed25519 host key."""


class SshSpec(Spec):
    """How every node is reached. The private key is the secret `vds-platform:sshPrivateKey`."""

    user: UserName = "root"
    """root, or a user whose sudo asks for no password, as cloud images have one: `debian`, `ubuntu`."""
    port: Port = 22
    """The port of the nodes' SSH servers."""
    bastion: Bastion | None = None
    """A server through which every node is reached; left out: none."""
    known_hosts_file: str | None = None
    """OpenSSH's known_hosts, relative to the project; it has the host keys of nodes without `hostKey`."""
    dial_seconds: int = Field(default=3, ge=1, le=30)
    """Seconds for one attempt to connect."""
    dial_attempts: int = Field(default=3, ge=1, le=10)
    """Attempts before a node counts as unreachable. 3 attempts of 3 s end within 18 s, with the pauses between them."""


class NodeFirewall(Spec):
    """A firewall on every node: SSH, the API server, kubelets, etcd and NodePorts are closed to the world.

    Nodes and pods reach everything. Other ports stay as they are. A new rule set is taken back after five minutes if no
    new SSH connection comes through.
    """

    operators: Networks
    """Networks that may reach SSH and the API server: of operators, CI and the bastion. By IPv6 both are closed."""


class ReferencePoint(Spec):
    """A place outside whose round trip is measured: the internet exchange, a customer's office."""

    name: DnsLabel
    """Its name in reports."""
    address: Address
    """The address that is measured to. With a position it must be of one machine, and no anycast address."""
    position: Position | None = None
    """Where it is."""
    max_milliseconds: float = Field(default=5, gt=0, le=1000)
    """Round trip. 5 ms is what the articles of 2024 expect within Norway; 2023 expects 2 ms within Oslo."""


CheckId = Literal[
    "announcements",
    "api-server",
    "bpf",
    "cgroup",
    "cluster",
    "cluster-cni",
    "cluster-crds",
    "cluster-kube-proxy",
    "cluster-labels",
    "cluster-nodes",
    "cluster-pod-cidrs",
    "cluster-version",
    "cpus",
    "declared-packages",
    "declared-registries",
    "declared-resolvers",
    "declared-time-servers",
    "etcd-disk",
    "kernel",
    "machine",
    "memory",
    "path-mtu",
    "ports",
    "position",
    "segment",
    "source-address-filtering",
]
"""Every check that may be undecided and then stops a run: of a node, and of a cluster that exists."""


class AcceptedCheck(Waiver):
    """A check that may stay undecided: that could not be made, or not proved in a container.

    What was measured and is over its limit can't be accepted.
    """

    check: CheckId
    """The check, as `vds doctor` and the documentation name it."""
    nodes: tuple[DnsLabel, ...] = ()
    """Names of the nodes; left out: all."""


Probe = Literal["gratuitous-arp", "spoofed-sources"]


class PreflightSpec(Spec):
    """What the preflight asks of nodes, in addition to what the rest of the stack file requires."""

    reference_points: tuple[ReferencePoint, ...] = ()
    etcd_folder: str = Field(default="/var/lib/etcd", pattern=r"^/\S*$")
    """The folder whose disk is measured, on nodes where no etcd runs yet."""
    lookup: HostName = "kubernetes.io"
    """The name whose resolution is timed."""
    max_facts_hours: int = Field(default=24, ge=1, le=24 * 31)
    """The maximum age of a facts file, by which a preview judges nodes without reaching them."""
    probes: tuple[Probe, ...] = ()
    """Probes for which some providers lock a server: ask the provider first. `gratuitous-arp` announces an address of
    198.18.0.0/15, for the check `announcements`; `spoofed-sources` sends packets from addresses that the node does not
    have, for `source-address-filtering`. Without the probe the check is not known."""
    accept: tuple[AcceptedCheck, ...] = ()
    """Checks that may stay undecided until a day. Without it, a required check that can't be made stops the run."""


class PortNeed(NamedTuple):
    """A port that nodes must reach on other nodes."""

    port: int
    protocol: Literal["tcp", "udp"]
    reason: str
    on: Literal["nodes", "control-planes"] = "nodes"
    """Which nodes listen."""
    asked_by: Literal["nodes", "control-planes"] = "nodes"
    """Which nodes connect."""


class ApiEndpoint(NamedTuple):
    """The API server as every node must find it."""

    host: str
    port: int
    exists: bool = False
    """True: the cluster exists, so it must answer. False: kubeadm makes it, maybe in this run."""


class NodeRequirements(NamedTuple):
    """What the cluster requires of every node."""

    service_proxy: ServiceProxy
    kernel_floor: str
    """The oldest kernel, `major.minor`."""
    kernel_reason: str
    """The part that requires that kernel, for an operator: `Cilium 1.18.2`."""
    kubernetes: str = "1.36"
    """Minor version."""
    underlay_mtu: int = 1500
    ports: tuple[PortNeed, ...] = ()
    sysctls: tuple[Sysctl, ...] = ()
    """Kernel settings of every node, in addition to its profiles."""
    same_segment: str = ""
    """The part that needs all nodes on one layer-2 segment; empty: none."""
    source_address_filtering: str = ""
    """The part that does not work where the provider filters source addresses; empty: none."""
    announcements: str = ""
    """The part that needs gratuitous ARP to pass; empty: none."""
    pod_source: str = "10.244.255.254"
    """An address of the pod network that no pod has, to test whether the provider lets it pass."""
    preflight: PreflightSpec = PreflightSpec()
    cgroup_v1: bool = False
    """True: the stack file allows cgroup v1."""
    api_server: ApiEndpoint | None = None
    """None: not asked for."""
    cluster_dns: str = "10.96.0.10"
    """The address of the cluster's DNS Service."""
    node_cidrs: tuple[str, ...] = ("192.0.2.0/24",)
    """The nodes' networks, for remedies."""
    firewall: str = ""
    """The rule set of the nodes' firewall, for nft; empty: none is wanted."""
    os_updates: UpdateSettings | None = None
    """What unattended-upgrades does; None: it is left as it is."""
