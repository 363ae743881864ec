"""The preflight's checks of nodes, each limit with its source: one table for preflight, doctor and documentation."""

from collections.abc import Callable
from typing import Any, NamedTuple

from components.nodes.preflight import judges
from components.nodes.preflight.judges import Measurement


class Check(NamedTuple):
    """One check of every node, or of a cluster."""

    id: str
    """Of `CheckId` where it is required."""
    judge: Callable[[Any], Measurement]
    """Gets everything that is known, its module's Context. Raises MissingFactError where that is too little."""
    title: str
    """What is measured."""
    limit: str
    """The limit in words; empty: the value is only shown."""
    source: str
    """Where the limit comes from."""
    remedy: str
    required: bool = True
    """False: a value over the limit is reported and does not stop a run."""
    of_machine: bool = False
    """It measures the machine. A container shares that with others, so its value proves nothing."""
    known_by: str = "correct what the reason says, and run again"
    """What makes it known, if it could not be made."""
    unfit: bool = False
    """A value over the limit does not stop a run, which may be the remedy; the doctor does not call it converged."""


CHECKS = (
    Check(
        "survey",
        judges.survey,
        "survey of the node",
        limit="an answer",
        source="without facts nothing can be judged",
        remedy="correct what it reports; the survey needs python3 3.9 or newer, and a minute and a quarter at most",
    ),
    Check(
        "machine",
        judges.machine,
        "machine",
        limit="a kernel of its own",
        source="a container shares its host's kernel: no modules, kernel settings or BPF programs of its own",
        remedy="rent a virtual machine or a physical server. Only for a lab: write `machine: container` at the node",
        of_machine=True,
        known_by="mount /proc as the kernel shows it",
    ),
    Check(
        "kernel",
        judges.kernel,
        "kernel",
        limit="the CNI's oldest kernel, or cluster.kernelFloor",
        source="the CNI's system requirements",
        remedy="install a newer kernel and reboot",
    ),
    Check(
        "bpf",
        judges.bpf,
        "kernel's BPF options",
        limit="all that Cilium needs, where it carries Services",
        source="Cilium's system requirements",
        remedy="boot a distribution's own kernel: minimal and container kernels leave these out",
        known_by="boot a distribution's own kernel, which has its configuration in /boot",
    ),
    Check(
        "cpus",
        judges.cpus,
        "processors",
        limit=f"{judges.CONTROL_PLANE_CPUS} on the control plane",
        source="kubeadm's own preflight",
        remedy="rent a larger server",
    ),
    Check(
        "memory",
        judges.memory,
        "memory",
        limit=f"{judges.CONTROL_PLANE_MEMORY_MIB} MiB on the control plane",
        source="kubeadm's own preflight",
        remedy="rent a larger server",
    ),
    Check(
        "cgroup",
        judges.cgroup,
        "cgroup version",
        limit=f"2 from Kubernetes {judges.CGROUP_V2_SINCE}",
        source=f"Kubernetes {judges.CGROUP_V2_SINCE} release notes: the kubelet refuses version 1",
        remedy="boot with systemd.unified_cgroup_hierarchy=1, or write cluster.cgroupV1: true for as long as it lasts",
    ),
    Check(
        "swap",
        judges.swap,
        "swap",
        limit="none",
        source="the kubelet's failSwapOn",
        remedy="nothing to do: the first run switches it off, and decommissioning switches it on again",
        required=False,
    ),
    Check(
        "time-sync",
        judges.time_sync,
        "time service",
        limit="synchronised",
        source="certificates and etcd leases need one time",
        remedy="install systemd-timesyncd or chrony: the first run switches it on where it is installed",
        required=False,
    ),
    Check(
        "clock",
        judges.clock,
        "clock against the nodes' median",
        limit=f"{judges.CLOCK_SECONDS} s",
        source=f"k0sctl refuses more than {judges.CLOCK_SECONDS} s",
        remedy="let a time service set the clock, then run again",
    ),
    Check(
        "steal",
        judges.steal,
        "CPU steal",
        limit=f"{judges.STEAL_PERCENT} %",
        source=f"article of 2023: above {judges.STEAL_PERCENT} % the provider oversells its processors",
        remedy="ask the provider for dedicated processors, or move the node",
        required=False,
    ),
    Check(
        "etcd-disk",
        judges.etcd_disk,
        "fdatasync, 99th percentile",
        limit=f"{judges.ETCD_SYNC_MILLISECONDS} ms on the control plane",
        source=f"etcd's documentation: {judges.ETCD_SYNC_MILLISECONDS} ms; articles of 2022 and 2023: NVMe takes less "
        f"than {judges.NVME_SYNC_MILLISECONDS} ms",
        remedy="use this server's own NVMe storage for the control plane",
        of_machine=True,
        known_by="correct what the reason says, and measure with `vds doctor --disk` before etcd runs",
    ),
    Check(
        "nic-speed",
        judges.nic_speed,
        "link speed",
        limit="",
        source="shown for capacity; no limit",
        remedy="",
        required=False,
    ),
    Check(
        "nic-drops",
        judges.nic_drops,
        "packets dropped by the link",
        limit=f"{judges.LINK_DROPS_PERCENT} % of {judges.LINK_DROPS_PACKETS} packets or more",
        source="Netdata's alarm inbound_packets_dropped_ratio; article of 2023: drops mean a slow processor or a small "
        "buffer",
        remedy="raise the receive ring (ethtool -G), use profile high-throughput, and look at CPU steal",
        required=False,
    ),
    Check(
        "nic-ring",
        judges.nic_ring,
        "receive ring",
        limit="the driver's maximum",
        source="the driver's own maximum",
        remedy="raise it to the maximum: ethtool -G LINK rx MAX",
        required=False,
    ),
    Check(
        "softnet",
        judges.softnet,
        "packets dropped by the kernel's backlog",
        limit=f"{judges.SOFTNET_DROPS_PER_SECOND} per second",
        source="Netdata's alarm 1min_netdev_backlog_exceeded; article of 2024: overflowing soft-interrupt queues",
        remedy="use profile high-throughput (net.core.netdev_max_backlog)",
        required=False,
    ),
    Check(
        "listen-drops",
        judges.listen_drops,
        "connections dropped by a full queue of a listener",
        limit=f"{judges.LISTEN_DROPS_PER_SECOND} per second",
        source="Netdata's alarm 1m_tcp_accept_queue_drops; the kernel counts them as ListenDrops",
        remedy="use profile edge (net.core.somaxconn), and see whether the listener keeps up",
        required=False,
    ),
    Check(
        "conntrack",
        judges.conntrack,
        "conntrack table in use",
        limit=f"{judges.CONNTRACK_PERCENT} %",
        source="Prometheus' node-mixin: NodeHighNumberConntrackEntriesUsed alerts above "
        f"{judges.CONNTRACK_PERCENT} %; articles of 2022 and 2024: a full table drops connections",
        remedy="use profile high-throughput or large-cluster, or raise net.netfilter.nf_conntrack_max",
        required=False,
    ),
    Check(
        "conntrack-full",
        judges.conntrack_full,
        "conntrack table full",
        limit=f"{judges.CONNTRACK_FULL_PERCENT} %, or a connection dropped since an earlier survey",
        source="the kernel drops new connections when the table is full",
        remedy="use profile high-throughput or large-cluster, or raise net.netfilter.nf_conntrack_max",
        required=False,
        unfit=True,
    ),
    Check(
        "path-mtu",
        judges.path_mtu,
        "path MTU to other nodes",
        limit="network.underlayMtu",
        source="network.underlayMtu of the stack file",
        remedy="correct network.underlayMtu, or ask the provider why larger packets are lost",
        known_by="apt-get install iputils-ping, and correct what the reason says",
    ),
    Check(
        "round-trip",
        judges.round_trip,
        "round trip to other nodes",
        limit=f"{judges.NODE_ROUND_TRIP_MILLISECONDS} ms",
        source="articles of 2023 and 2024: less than 2 to 5 ms within Norway",
        remedy="put the nodes in one place, or raise etcd's heartbeat interval",
        required=False,
    ),
    Check(
        "references",
        judges.references,
        "round trip to reference points",
        limit="maxMilliseconds of each point",
        source="preflight.referencePoints of the stack file (articles: Oslo below 2 to 5 ms)",
        remedy="choose a place nearer to them, or correct maxMilliseconds",
        required=False,
    ),
    Check(
        "segment",
        judges.segment,
        "one layer-2 segment",
        limit="shared with every node, where direct routes need it",
        source="autoDirectNodeRoutes sets routes by neighbour",
        remedy="use routing over VXLAN, or routes: provider or bgp",
    ),
    Check(
        "source-address-filtering",
        judges.source_address_filtering,
        "filtering of source addresses",
        limit="none, where native routing or DSR needs it",
        source="Cilium's documentation on native routing and DSR; providers filter spoofed sources",
        remedy="ask the provider to allow the pods' network on these ports, or use a tunnel with SNAT",
    ),
    Check(
        "announcements",
        judges.announcements,
        "ARP announcements",
        limit="heard by every node, where layer-2 pools need them",
        source="MetalLB's page on clouds: layer-2 mode needs them",
        remedy="ask the provider to allow the pool's addresses, or announce the pool by BGP",
    ),
    Check(
        "ports",
        judges.ports,
        "ports between nodes",
        limit="all that Kubernetes, etcd, the CNI and MetalLB need",
        source="the documentation of Kubernetes, the CNI and MetalLB",
        remedy=judges.PROVIDERS_FIREWALL,
    ),
    Check(
        "api-server",
        judges.api_server,
        "API server's endpoint",
        limit="a name with an address; an answer, if the cluster exists",
        source="network.apiServer: without kube-proxy the CNI's agents find the API server by it",
        remedy="correct network.apiServer, or the load balancer and firewall in front of the control planes",
    ),
    Check(
        "cluster-names",
        judges.cluster_names,
        "name look-up in the cluster's DNS",
        limit=f"{judges.LOOKUP_MILLISECONDS} ms",
        source="as for `names`; asked at the address that pods ask",
        remedy="see that CoreDNS has two ready pods and no CPU limit that throttles it",
        required=False,
    ),
    Check(
        "names",
        judges.names,
        "name look-up",
        limit=f"{judges.LOOKUP_MILLISECONDS} ms",
        source=f"this project's choice: three questions of {judges.LOOKUP_MILLISECONDS} ms are the 300 ms that the "
        "article of 2023 calls broken, and ndots multiplies questions (article of 2022)",
        remedy="use a resolver in the country that is near, and ndots: 2 in pods that call the outside",
        required=False,
    ),
    Check(
        "services",
        judges.services,
        "services",
        limit="",
        source="shown for information; no limit",
        remedy="",
        required=False,
    ),
)
"""In the order of the report."""
