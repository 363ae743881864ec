"""The preflight's checks of nodes: each one measures one thing on one node and compares it with its limit.

One declaration has the judge, the limit and its source, for preflight, doctor and documentation. Without a clock.

The articles are the five on Kubernetes networking for Nordic operators, by year: 2018, 2022, 2023 and two of 2024.
"""

from collections.abc import Callable, Sequence
from math import asin, cos, radians, sin, sqrt
from statistics import median
from typing import Any, NamedTuple

from components.core.versions import parse
from components.nodes.model import NodeRequirements, NodeSpec, PortNeed, Position, Probe
from components.nodes.preflight.facts import Fact, Survey

CONTROL_PLANE_CPUS = 2
CONTROL_PLANE_MEMORY_MIB = 1700
CLOCK_SECONDS = 30
STEAL_PERCENT = 0.5
ETCD_SYNC_MILLISECONDS = 10
NVME_SYNC_MILLISECONDS = 2
WINDOW_SECONDS = 60  # at 100 ticks a second, 0.5 % of two processors are then 60 ticks, and one tick is no alarm
LINK_DROPS_PERCENT = 2
LINK_DROPS_PACKETS = 10_000  # fewer packets give no share
SOFTNET_DROPS_PER_SECOND = 10
LISTEN_DROPS_PER_SECOND = 1
CONNTRACK_FULL_PERCENT = 99
CONNTRACK_PERCENT = 75  # node-mixin's alert NodeHighNumberConntrackEntriesUsed: 0.75
NODE_ROUND_TRIP_MILLISECONDS = 5
LOOKUP_MILLISECONDS = 100  # this project's choice: check `names` gives the reason
CGROUP_V2_SINCE = "1.35"
FIBRE_KILOMETRES = round(299.792458 / 1.468 / 2, 1)
EARTH_RADIUS_KILOMETRES = 6371  # mean radius (IUGG)
EARTH_IS_NO_BALL = 0.006  # the largest error of a great circle on a ball
PROVIDERS_FIREWALL = "open them in the provider's firewall for the nodes' network"


class Measurement(NamedTuple):
    """What a judge measured, and whether it is within the limit."""

    measured: str
    good: bool = True
    limit: str = ""
    """The limit for this node; empty where it has none."""
    remedy: str = ""
    """What to do about this value, where the check's own remedy is too general."""
    advisory: bool = False
    """True: over the limit it stops no run, because the run would not make it worse."""


class MissingFactError(Exception):
    """A fact is not known; the text gives the reason."""


class Check(NamedTuple):
    """One check of every node, or of a cluster."""

    judge: Callable[[Any], Measurement]
    """Gets everything that is known, its module's Context. Raises MissingFactError where that is too little."""
    title: str
    """What is measured."""
    source: str
    """Where the limit comes from."""
    limit: str = ""
    """The limit in words; empty: the value is only shown."""
    remedy: str = ""
    required: bool = True
    """False: a value over the limit is reported and does not stop a run."""
    of_machine: bool = False
    """It measures the machine. A container shares that with others, so its value proves nothing."""
    known_by: str = "correct what the reason says, and run again"
    """What makes it known, if it could not be made."""
    unfit: bool = False
    """A value over the limit does not stop a run, which may be the remedy; the doctor does not call it converged."""

    @property
    def id(self) -> str:
        """The judge's name, with dashes: of `CheckId` where it is required."""
        return self.judge.__name__.replace("_", "-")


def check(title: str, **about: Any) -> Callable[[Callable[[Any], Measurement]], Check]:
    """Makes a judge a check. In the order of the report."""
    return lambda judge: Check(judge, title, **about)


class Context(NamedTuple):
    """Everything that a judge may use."""

    survey: Survey
    """Facts of the node that is judged."""
    node: NodeSpec
    fleet: Sequence[Survey]
    """Facts of all nodes that answered, this one included."""
    requirements: NodeRequirements
    alone: bool = False
    """Whether the stack has no other node, so that nothing is between nodes."""

    def fact(self, name: str) -> Fact:
        """A fact of the node by its name in `survey.FACTS`. Raises MissingFactError."""
        fact = self.survey.get(name)
        if "unknown" in fact:
            raise MissingFactError(str(fact["unknown"]))
        return fact

    @property
    def is_control_plane(self) -> bool:
        """Whether the node runs the control plane, and so etcd."""
        return "control-plane" in self.node.roles

    @property
    def others(self) -> list[str]:
        """Names of the other nodes that answered. Raises MissingFactError where none of them did."""
        found = sorted(other.node for other in self.fleet if other.node != self.survey.node)
        if not found and not self.alone:
            raise MissingFactError("no other node answered")
        return found

    @property
    def in_container(self) -> bool:
        """Whether the node is a container, and the stack file says so."""
        return self.node.machine == "container" and bool(self.survey.get("machine").get("container"))

    @property
    def paths(self) -> Fact:
        """The paths to other nodes, by their names. Raises MissingFactError where there is none."""
        return _not_empty(self.fact("paths")["peers"])


def _not_empty(peers: Fact) -> Fact:
    if not peers:
        raise MissingFactError("there is no other node to ask")
    return peers


@check(
    "survey of the node",
    limit="an answer",
    source="without facts nothing can be judged",
    remedy="correct what it reports; the survey needs python3 3.9 or newer, and a minute and a quarter at most",
)
def survey(context: Context) -> Measurement:
    return Measurement(context.survey.failure or "answered", not context.survey.failure)


# --- the machine ---------------------------------------------------------------------------------------------


_VIRTUAL = {"": "its own kernel", "none": "a physical machine"}


@check(
    "machine",
    limit="a kernel of its own",
    source="a container shares its host's kernel: no modules, kernel settings or BPF programs of its own",
    remedy="rent a virtual machine or a physical server. Only for a lab: write `machine: container` at the node",
    of_machine=True,
    known_by="mount /proc as the kernel shows it",
)
def machine(context: Context) -> Measurement:
    fact = context.fact("machine")
    kind, stated = fact["container"], context.node.machine == "container"
    limit = "a kernel of its own"
    if kind:
        return Measurement(f"a container ({kind}), says {fact['said_by']}", stated, limit)
    virtual = fact["virtual"]
    measured = _VIRTUAL.get(virtual, f"a virtual machine ({virtual})")
    if stated:
        return Measurement(
            measured, good=False, limit="a container", remedy="remove `machine: container` from the node"
        )
    return Measurement(measured, limit=limit)


@check(
    "kernel",
    limit="the CNI's oldest kernel, or cluster.kernelFloor",
    source="the CNI's system requirements",
    remedy="install a newer kernel and reboot",
)
def kernel(context: Context) -> Measurement:
    release = str(context.fact("kernel")["release"])
    required = context.requirements
    good = parse(".".join(release.split(".")[:2])) >= parse(required.kernel_floor)
    return Measurement(release, good, f"{required.kernel_floor} for {required.kernel_reason}")


@check(
    "kernel's BPF options",
    limit="all that Cilium needs, where it carries Services",
    source="Cilium's system requirements",
    remedy="boot a distribution's own kernel: minimal and container kernels leave these out",
    known_by="boot a distribution's own kernel, which has its configuration in /boot",
)
def bpf(context: Context) -> Measurement:
    fact = context.fact("kernel")
    if context.requirements.service_proxy != "ebpf":
        return Measurement("not needed: kube-proxy carries Services")
    if not fact["options"]:
        raise MissingFactError("the kernel does not publish its configuration")
    missing = sorted(name for name, value in fact["options"].items() if value not in ("y", "m"))
    if missing:
        return Measurement(
            f"without {', '.join('CONFIG_' + name for name in missing)}", good=False, limit="all of them"
        )
    return Measurement(f"complete, {'BTF' if fact['btf'] else 'no BTF'}")


@check(
    "processors",
    limit=f"{CONTROL_PLANE_CPUS} on the control plane",
    source="kubeadm's own preflight",
    remedy="rent a larger server",
)
def cpus(context: Context) -> Measurement:
    fact = context.fact("system")
    count = int(fact["cpus"])
    if not context.is_control_plane:
        return Measurement(f"{count}, {fact['name']}")
    return Measurement(f"{count}", count >= CONTROL_PLANE_CPUS, f"{CONTROL_PLANE_CPUS}")


@check(
    "memory",
    limit=f"{CONTROL_PLANE_MEMORY_MIB} MiB on the control plane",
    source="kubeadm's own preflight",
    remedy="rent a larger server",
)
def memory(context: Context) -> Measurement:
    size = int(context.fact("memory")["bytes"]) // 2**20
    if not context.is_control_plane:
        return Measurement(f"{size} MiB")
    return Measurement(f"{size} MiB", size >= CONTROL_PLANE_MEMORY_MIB, f"{CONTROL_PLANE_MEMORY_MIB} MiB")


@check(
    "cgroup version",
    limit=f"2 from Kubernetes {CGROUP_V2_SINCE}",
    source=f"Kubernetes {CGROUP_V2_SINCE} release notes: the kubelet refuses version 1",
    remedy="boot with systemd.unified_cgroup_hierarchy=1, or write cluster.cgroupV1: true for as long as it lasts",
)
def cgroup(context: Context) -> Measurement:
    version = int(context.fact("cgroup")["version"])
    required = context.requirements
    needed = parse(required.kubernetes) >= parse(CGROUP_V2_SINCE) and not required.cgroup_v1
    limit = f"2 for Kubernetes {required.kubernetes}" if needed else ""
    return Measurement(f"{version}", version == 2 or not needed, limit)


@check(
    "swap",
    limit="none",
    source="the kubelet's failSwapOn",
    remedy="nothing to do: the first run switches it off, and decommissioning switches it on again",
    required=False,
)
def swap(context: Context) -> Measurement:
    size = int(context.fact("memory")["swap_bytes"]) // 2**20
    return Measurement(f"{size} MiB" if size else "none", not size, "none")


@check(
    "time service",
    limit="synchronised",
    source="certificates and etcd leases need one time",
    remedy="install systemd-timesyncd or chrony: the first run switches it on where it is installed",
    required=False,
)
def time_sync(context: Context) -> Measurement:
    good = bool(context.fact("time_sync")["synchronised"])
    return Measurement("synchronised" if good else "the kernel's clock is not synchronised", good)


@check(
    "clock against the nodes' median",
    limit=f"{CLOCK_SECONDS} s",
    source=f"k0sctl refuses more than {CLOCK_SECONDS} s",
    remedy="let a time service set the clock, then run again",
)
def clock(context: Context) -> Measurement:
    own = context.survey
    others = [other.clock_offset for other in context.fleet if other.node != own.node] or [0.0]
    offset = round(own.clock_offset - median(others), 1) + 0.0  # no minus before a zero
    return Measurement(f"{offset:+.1f} s", abs(offset) <= CLOCK_SECONDS, f"{CLOCK_SECONDS} s either way")


def steal_percent(before: Sequence[int], after: Sequence[int]) -> float:
    """The share of processor time that other machines took, from the first line of /proc/stat.

    Raises MissingFactError where a counter ran backwards, which some kernels do: an average of that is no measurement.
    """
    passed = [new - old for old, new in zip(before, after, strict=True)][:8]  # the two after it are in `user`
    if any(difference < 0 for difference in passed):
        raise MissingFactError("the kernel's counters ran backwards in the window: measure again")
    if not sum(passed):
        raise MissingFactError("no processor time passed in the window: measure longer")
    return 100 * passed[7] / sum(passed)


class Window(NamedTuple):
    """Counters over a time that is long enough to be judged."""

    seconds: float
    before: Fact | None
    """None: since the node's start, when all were 0."""
    after: Fact

    @property
    def said(self) -> str:
        """Its length, for people."""
        minutes = self.seconds / 60
        long = f"{minutes / 60 / 24:.1f} days" if minutes >= 2880 else f"{minutes / 60:.1f} hours"
        return f"in {minutes:.0f} minutes" if minutes < 120 else f"in {long}"

    def difference(self, group: str, name: str) -> int:
        """By how much a counter grew. Raises MissingFactError if it ran backwards."""
        grew = int(self.after[group][name]) - (int(self.before[group][name]) if self.before else 0)
        if grew < 0:
            raise MissingFactError("the link's or the kernel's counters were reset in the window: measure again")
        return grew


def window_of(context: Context) -> Window:
    """The node's counters. Raises MissingFactError where the time is too short to mean something."""
    fact = context.fact("window")
    before, after = fact["before"], fact["after"]
    seconds = after["uptime"] - (before["uptime"] if before else 0)
    if seconds < WINDOW_SECONDS:
        said = f"counted for {seconds:.0f} s only, and {WINDOW_SECONDS} s are needed"
        raise MissingFactError(f"{said}: run the doctor again later, or with --window {WINDOW_SECONDS}")
    return Window(seconds, before, after)


@check(
    "CPU steal",
    limit=f"{STEAL_PERCENT} %",
    source=f"article of 2023: above {STEAL_PERCENT} % the provider oversells its processors",
    remedy="ask the provider for dedicated processors, or move the node",
    required=False,
)
def steal(context: Context) -> Measurement:
    window = window_of(context)
    after = window.after["cpu"]
    share = steal_percent(window.before["cpu"] if window.before else [0] * len(after), after)
    return Measurement(f"{share:.2f} % {window.said}", share <= STEAL_PERCENT, f"{STEAL_PERCENT} %")


@check(
    "fdatasync, 99th percentile",
    limit=f"{ETCD_SYNC_MILLISECONDS} ms on the control plane",
    source=f"etcd's documentation: {ETCD_SYNC_MILLISECONDS} ms; articles of 2022 and 2023: NVMe takes less "
    f"than {NVME_SYNC_MILLISECONDS} ms",
    remedy="use this server's own NVMe storage for the control plane",
    of_machine=True,
    known_by="correct what the reason says, and measure with `vds doctor --disk` before etcd runs",
)
def etcd_disk(context: Context) -> Measurement:
    if not context.is_control_plane and "unknown" in (about := context.survey.get("disk")):
        return Measurement(f"no etcd here; not measured: {about['unknown']}")
    fact = context.fact("disk")
    limit = f"{ETCD_SYNC_MILLISECONDS} ms" if context.is_control_plane else ""
    place = f"on {fact['filesystem']} at {fact['folder']}"
    if "slow" in fact:
        return Measurement(f"not measured {place}: {fact['slow']}", not limit, limit)
    delay = fact["p99_ns"] / 1e6
    place += f", {fact['writes']} writes{' of the running etcd' if fact.get('by') == 'etcd' else ''}"
    if limit:
        # Where etcd runs already, other changes are no worse for it.
        runs = fact.get("by") == "etcd"
        return Measurement(f"{delay:.2f} ms {place}", delay <= ETCD_SYNC_MILLISECONDS, limit, advisory=runs)
    slow = "" if delay <= NVME_SYNC_MILLISECONDS else ", slower than NVMe"
    return Measurement(f"{delay:.2f} ms {place}{slow}")


# --- its link and its kernel's network -----------------------------------------------------------------------


@check(
    "link speed",
    source="shown for capacity; no limit",
    required=False,
)
def nic_speed(context: Context) -> Measurement:
    link = context.fact("link")
    speed = f"{link['speed_mbit']} Mbit/s" if link["speed_mbit"] else "speed unknown to the driver"
    return Measurement(f"{link['interface']} {speed}, MTU {link['mtu']}, driver {link['driver'] or 'none'}")


@check(
    "packets dropped by the link",
    limit=f"{LINK_DROPS_PERCENT} % of {LINK_DROPS_PACKETS} packets or more",
    source="Netdata's alarm inbound_packets_dropped_ratio; article of 2023: drops mean a slow processor or a small "
    "buffer",
    remedy="raise the receive ring (ethtool -G), use profile high-throughput, and look at CPU steal",
    required=False,
)
def nic_drops(context: Context) -> Measurement:
    window = window_of(context)
    packets, dropped = window.difference("nic", "packets"), window.difference("nic", "dropped")
    share = 100 * dropped / packets if packets >= LINK_DROPS_PACKETS else 0
    measured = f"{dropped} of {packets} packets ({share:.2f} %) {window.said}"
    return Measurement(measured, share < LINK_DROPS_PERCENT, f"{LINK_DROPS_PERCENT} %")


@check(
    "receive ring",
    limit="the driver's maximum",
    source="the driver's own maximum",
    remedy="raise it to the maximum: ethtool -G LINK rx MAX",
    required=False,
)
def nic_ring(context: Context) -> Measurement:
    ring = context.fact("link")["ring"]
    if ring is None:
        raise MissingFactError("the driver shows no ring, or ethtool is not installed")
    return Measurement(f"{ring['rx']}", ring["rx"] >= ring["rx_max"], f"{ring['rx_max']}")


@check(
    "packets dropped by the kernel's backlog",
    limit=f"{SOFTNET_DROPS_PER_SECOND} per second",
    source="Netdata's alarm 1min_netdev_backlog_exceeded; article of 2024: overflowing soft-interrupt queues",
    remedy="use profile high-throughput (net.core.netdev_max_backlog)",
    required=False,
)
def softnet(context: Context) -> Measurement:
    return _drops(context, "softnet", SOFTNET_DROPS_PER_SECOND)


@check(
    "connections dropped by a full queue of a listener",
    limit=f"{LISTEN_DROPS_PER_SECOND} per second",
    source="Netdata's alarm 1m_tcp_accept_queue_drops; the kernel counts them as ListenDrops",
    remedy="use profile edge (net.core.somaxconn), and see whether the listener keeps up",
    required=False,
)
def listen_drops(context: Context) -> Measurement:
    return _drops(context, "listen", LISTEN_DROPS_PER_SECOND)


def _drops(context: Context, queue: str, most: int) -> Measurement:
    window = window_of(context)
    dropped = window.difference(queue, "dropped")
    return Measurement(f"{dropped} {window.said}", dropped / window.seconds <= most, f"{most} per second")


@check(
    "conntrack table in use",
    limit=f"{CONNTRACK_PERCENT} %",
    source="Prometheus' node-mixin: NodeHighNumberConntrackEntriesUsed alerts above "
    f"{CONNTRACK_PERCENT} %; articles of 2022 and 2024: a full table drops connections",
    remedy="use profile high-throughput or large-cluster, or raise net.netfilter.nf_conntrack_max",
    required=False,
)
def conntrack(context: Context) -> Measurement:
    measured, share = _conntrack(context)
    return Measurement(measured, share <= CONNTRACK_PERCENT, f"{CONNTRACK_PERCENT} %")


@check(
    "conntrack table full",
    limit=f"{CONNTRACK_FULL_PERCENT} %, or a connection dropped since an earlier survey",
    source="the kernel drops new connections when the table is full",
    remedy="use profile high-throughput or large-cluster, or raise net.netfilter.nf_conntrack_max",
    required=False,
    unfit=True,
)
def conntrack_full(context: Context) -> Measurement:
    measured, share = _conntrack(context)
    good, limit = share < CONNTRACK_FULL_PERCENT, f"{CONNTRACK_FULL_PERCENT} %"
    try:
        window = window_of(context)
    except MissingFactError:
        return Measurement(measured, good, limit)
    dropped = max(0, window.after["conntrack"] - (window.before["conntrack"] if window.before else 0))
    recent = window.before is not None and dropped > 0  # since the start: maybe before the table was enlarged
    return Measurement(f"{measured}, {dropped} connections dropped {window.said}", good and not recent, limit)


def _conntrack(context: Context) -> tuple[str, float]:
    """Entries and their limit in words, and in percent."""
    fact = context.fact("conntrack")
    if not fact["max"]:  # so the kernel writes "as many as there is memory for"
        return f"{fact['count']}, no limit", 0
    share = 100 * fact["count"] / fact["max"]
    return f"{fact['count']} of {fact['max']} ({share:.0f} %)", share


# --- the network between nodes -------------------------------------------------------------------------------


NO_OTHERS = "there is no other node"


@check(
    "path MTU to other nodes",
    limit="network.underlayMtu",
    source="network.underlayMtu of the stack file",
    remedy="correct network.underlayMtu, or ask the provider why larger packets are lost",
    known_by="apt-get install iputils-ping, and correct what the reason says",
)
def path_mtu(context: Context) -> Measurement:
    if context.alone:
        return Measurement(NO_OTHERS)
    paths = context.paths
    wanted = context.requirements.underlay_mtu
    short = {name: path["mtu"] for name, path in paths.items() if (path["mtu"] or 0) < wanted}
    if short:
        measured = ", ".join(f"{name}: {mtu or 'no answer to a DF ping'}" for name, mtu in sorted(short.items()))
        return Measurement(f"to {measured}", good=False, limit=f"{wanted}")
    least = min(path["mtu"] for path in paths.values())
    spare = f"; every path carries {least}" if least > wanted else ""
    return Measurement(f"{least} to all {len(paths)} others{spare}", limit=f"{wanted}")


@check(
    "round trip to other nodes",
    limit=f"{NODE_ROUND_TRIP_MILLISECONDS} ms",
    source="articles of 2023 and 2024: less than 2 to 5 ms within Norway",
    remedy="put the nodes in one place, or raise etcd's heartbeat interval",
    required=False,
)
def round_trip(context: Context) -> Measurement:
    paths = context.paths
    delays = {name: path["milliseconds"] for name, path in paths.items() if path["milliseconds"] is not None}
    if not delays:
        raise MissingFactError("no other node answers a ping")
    farthest = max(delays, key=lambda name: delays[name])
    bound = NODE_ROUND_TRIP_MILLISECONDS
    return Measurement(f"{delays[farthest]:.2f} ms at most ({farthest})", delays[farthest] <= bound, f"{bound} ms")


@check(
    "round trip to reference points",
    limit="maxMilliseconds of each point",
    source="preflight.referencePoints of the stack file (articles: Oslo below 2 to 5 ms)",
    remedy="choose a place nearer to them, or correct maxMilliseconds",
    required=False,
)
def references(context: Context) -> Measurement:
    bounds = {point.name: point.max_milliseconds for point in context.requirements.preflight.reference_points}
    if not bounds:
        raise MissingFactError("no reference points: name some in preflight.referencePoints")
    points = context.fact("references")["points"]
    delays = {name: points.get(name, {}).get("milliseconds") for name in bounds}
    return Measurement(
        ", ".join(f"{name} {'no answer' if delay is None else f'{delay:.2f} ms'}" for name, delay in delays.items()),
        all(delay is not None and delay <= bounds[name] for name, delay in delays.items()),
        ", ".join(f"{name} {bound:g} ms" for name, bound in bounds.items()),
    )


@check(
    "distance to reference points",
    limit="no answer sooner than light in fibre",
    source=f"{FIBRE_KILOMETRES:g} km for a millisecond there and back: light in fibre (refractive index 1.468, "
    "ITU-T G.652)",
    remedy="correct the position of the node or of the reference point; else ask the provider where the machine is",
    known_by="name a reference point that answers pings",
)
def position(context: Context) -> Measurement:
    points = [point for point in context.requirements.preflight.reference_points if point.position]
    where = context.node.position
    if where is None or not points:
        return Measurement("not compared: `position` is not written at the node and at a reference point")
    answers = context.fact("references")["points"]
    found: list[str] = []
    nearer = False
    for point in points:
        delay = answers.get(point.name, {}).get("milliseconds")
        if delay is None:
            raise MissingFactError(f"the reference point {point.name} does not answer")
        written, most = _kilometres(where, point.position or where), delay * FIBRE_KILOMETRES
        found.append(f"{point.name} at most {most:.0f} km ({delay:.2f} ms), by the stack file {written:.0f} km")
        nearer |= written * (1 - EARTH_IS_NO_BALL) > most
    return Measurement(", ".join(found), not nearer, "no answer sooner than light in fibre")


def _kilometres(one: Position, other: Position) -> float:
    """The great circle between two places."""
    north, south = radians(one.latitude), radians(other.latitude)
    wide = radians(one.longitude - other.longitude)
    half = sin((north - south) / 2) ** 2 + cos(north) * cos(south) * sin(wide / 2) ** 2
    return 2 * EARTH_RADIUS_KILOMETRES * asin(min(1.0, sqrt(half)))


@check(
    "one layer-2 segment",
    limit="shared with every node, where direct routes need it",
    source="autoDirectNodeRoutes sets routes by neighbour",
    remedy="use routing over VXLAN, or routes: provider or bgp",
)
def segment(context: Context) -> Measurement:
    return _needed_by(context.requirements.same_segment, context, _segment)


def _segment(context: Context) -> tuple[str, bool]:
    macs = {other.node: mac for other in context.fleet if (mac := other.get("link").get("mac"))}
    paths = _not_empty({name: path for name, path in context.paths.items() if name in macs})
    apart = sorted(name for name, path in paths.items() if path["mac"] != macs[name])
    return f"not shared with {', '.join(apart)}" if apart else f"shared with all {len(paths)} others", not apart


@check(
    "filtering of source addresses",
    limit="none, where native routing or DSR needs it",
    source="Cilium's documentation on native routing and DSR; providers filter spoofed sources",
    remedy="ask the provider to allow the pods' network on these ports, or use a tunnel with SNAT",
    known_by="ask the provider whether it allows packets from other addresses, then write preflight.probes: "
    "[spoofed-sources]",
)
def source_address_filtering(context: Context) -> Measurement:
    # Either source proves that the network filters none; an agent that runs already may rewrite pods' addresses.
    said = "packets do not arrive from", "none from any other node"
    user = context.requirements.source_address_filtering
    proof = {"pod-source", "foreign-source"}
    return _needed_by(user, context, lambda context: _heard(context, "spoofed-sources", proof, *said))


@check(
    "ARP announcements",
    limit="heard by every node, where layer-2 pools need them",
    source="MetalLB's page on clouds: layer-2 mode needs them",
    remedy="ask the provider to allow the pool's addresses, or announce the pool by BGP",
    known_by="ask the provider whether it allows gratuitous ARP, then write preflight.probes: [gratuitous-arp]",
)
def announcements(context: Context) -> Measurement:
    said = "not heard from", "heard from every other node"
    user = context.requirements.announcements
    return _needed_by(user, context, lambda context: _heard(context, "gratuitous-arp", {"arp"}, *said))


def _heard(context: Context, probe: Probe, proof: set[str], silence: str, heard_all: str) -> tuple[str, bool]:
    heard = context.fact("wire")["heard"]
    silent = [peer for peer in context.others if not proof & set(heard.get(peer, ()))]
    if silent and probe not in context.requirements.preflight.probes:
        raise MissingFactError(f"not probed: preflight.probes does not have {probe}")
    return f"{silence} {', '.join(silent)}" if silent else heard_all, not silent


def _needed_by(user: str, context: Context, measure: Callable[[Context], tuple[str, bool]]) -> Measurement:
    """A property of the network that only some configurations need; `user` is the part that does, if any."""
    if context.alone:
        return Measurement(NO_OTHERS)
    try:
        measured, present = measure(context)
    except MissingFactError as reason:
        if user:
            raise
        return Measurement(f"not needed, and not known: {reason}")
    return Measurement(measured, present or not user, f"needed by {user}" if user else "")


@check(
    "ports between nodes",
    limit="all that Kubernetes, etcd, the CNI and MetalLB need",
    source="the documentation of Kubernetes, the CNI and MetalLB",
    remedy=PROVIDERS_FIREWALL,
)
def ports(context: Context) -> Measurement:
    if context.alone:
        return Measurement(NO_OTHERS)
    answers, wire = context.fact("ports")["peers"], context.fact("wire")
    at_link, passed, free = wire["heard"], wire["passed"], wire["free"]
    others = set(context.others)
    closed: list[str] = []
    asked: list[str] = []
    unseen: list[str] = []
    remedies: dict[str, None] = {}
    for need in context.requirements.ports:
        key = f"{need.port}/{need.protocol}"
        asked.append(key)
        if need.protocol == "tcp":
            for peer in sorted(name for name, found in answers.items() if found.get(key) == "silent"):
                closed.append(f"{key} to {peer} ({need.reason})")
                remedies[_open_port(context, peer, need)] = None
            continue
        unseen += [key] * (key not in free)
        for peer in sorted(others):
            if key not in at_link.get(peer, ()):
                closed.append(f"{key} from {peer} ({need.reason})")
                remedies[PROVIDERS_FIREWALL] = None
            elif key in free and key not in passed.get(peer, ()):
                closed.append(f"{key} from {peer} at this node's own firewall ({need.reason})")
                remedies[_open_port(context, context.node.name, need)] = None
    if closed:
        return Measurement(f"closed: {', '.join(closed)}", good=False, remedy="; ".join(remedies))
    in_use = f"; {', '.join(unseen)} in use, so seen at the link only" if unseen else ""
    return Measurement(f"{', '.join(asked) or 'none'} pass{in_use}")


_FIREWALLS = {
    "ufw": "on {node}: ufw allow proto {protocol} from {source} to any port {port}",
    "firewalld": "on {node}: firewall-cmd --permanent --zone=trusted --add-source={source} && firewall-cmd --reload",
    "nftables": "on {node}: in the nftables input chain, accept `ip saddr {source} {protocol} dport {port}`",
    "iptables": "on {node}: iptables -I INPUT -s {source} -p {protocol} --dport {port} -j ACCEPT, and keep it",
}


def _open_port(context: Context, listener: str, need: PortNeed) -> str:
    """The remedy for a port that a node does not let in: its own firewall's words, or the provider's firewall."""
    survey = next((other for other in context.fleet if other.node == listener), context.survey)
    words = _FIREWALLS.get(survey.get("firewall").get("kind", ""))
    if not words:
        return PROVIDERS_FIREWALL
    return "; ".join(
        words.format(node=listener, protocol=need.protocol, source=network, port=need.port)
        for network in context.requirements.node_cidrs
    )


@check(
    "API server's endpoint",
    limit="a name with an address; an answer, if the cluster exists",
    source="network.apiServer: without kube-proxy the CNI's agents find the API server by it",
    remedy="correct network.apiServer, or the load balancer and firewall in front of the control planes",
)
def api_server(context: Context) -> Measurement:
    endpoint = context.requirements.api_server
    if endpoint is None:
        return Measurement("not asked for")
    fact = context.fact("api_server")
    where = f"{endpoint.host} port {endpoint.port}"
    if not fact["addresses"]:
        said = f"{endpoint.host} has no address here ({fact['reason']})"
        return Measurement(
            said, good=False, limit="an answer", remedy="correct network.apiServer.host, or its DNS record"
        )
    known = ", ".join(fact["addresses"])
    measured = f"{where} ({known})" if known != endpoint.host else where
    if fact["answer"] == "open":
        return Measurement(f"{measured} answers", limit="an answer")
    answering = [other.node for other in context.fleet if other.get("api_server").get("answer") == "open"]
    if not endpoint.exists and not answering:
        return Measurement(f"nothing answers at {measured} yet: kubeadm makes the cluster")
    elsewhere = f", and it answers {', '.join(answering)}" if answering else ""
    said = {"refused": "refuses the connection"}.get(fact["answer"], "does not answer")
    return Measurement(f"{measured} {said}{elsewhere}", good=False, limit="an answer")


@check(
    "name look-up in the cluster's DNS",
    limit=f"{LOOKUP_MILLISECONDS} ms",
    source="as for `names`; asked at the address that pods ask",
    remedy="see that CoreDNS has two ready pods and no CPU limit that throttles it",
    required=False,
)
def cluster_names(context: Context) -> Measurement:
    fact = context.fact("cluster_dns")
    if fact["code"]:
        return Measurement(f"{fact['name']}: error {fact['code']}", good=False, limit=f"{LOOKUP_MILLISECONDS} ms")
    delay = fact["milliseconds"]
    return Measurement(f"{fact['name']} in {delay:.0f} ms", delay <= LOOKUP_MILLISECONDS, f"{LOOKUP_MILLISECONDS} ms")


@check(
    "name look-up",
    limit=f"{LOOKUP_MILLISECONDS} ms",
    source=f"this project's choice: three questions of {LOOKUP_MILLISECONDS} ms are the 300 ms that the "
    "article of 2023 calls broken, and ndots multiplies questions (article of 2022)",
    remedy="use a resolver in the country that is near, and ndots: 2 in pods that call the outside",
    required=False,
)
def names(context: Context) -> Measurement:
    fact = context.fact("resolver")
    asks = len(fact["search"]) + 1 if fact["ndots"] > fact["name"].count(".") else 1
    measured = f"{fact['name']} in {fact['milliseconds']:.0f} ms, {asks} questions a name (ndots:{fact['ndots']})"
    return Measurement(measured, fact["milliseconds"] <= LOOKUP_MILLISECONDS, f"{LOOKUP_MILLISECONDS} ms")


@check(
    "services",
    source="shown for information; no limit",
    required=False,
)
def services(context: Context) -> Measurement:
    states = context.fact("services")
    return Measurement(", ".join(f"{name} {state or 'unknown'}" for name, state in states.items()))


CHECKS = tuple(found for found in list(vars().values()) if isinstance(found, Check))
"""In the order of the report."""
