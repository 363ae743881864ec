"""What a node must be, every number with its source: one table for preflight, doctor and documentation.

The articles are the five on Kubernetes networking for Nordic operators, by year: 2018, 2022, 2023 and two of 2024.
"""

from typing import NamedTuple


class Limit(NamedTuple):
    """One check's limit."""

    title: str
    """What is measured."""
    source: str
    remedy: str
    required: bool = True
    """False: what is over the limit is said, and nothing is stopped by it."""
    shared: bool = False
    """A container shares it with whatever else its machine runs at the moment, and proves nothing by it."""


CONTROL_PLANE_CPUS = 2
CONTROL_PLANE_MEMORY_MIB = 1700
CLOCK_SECONDS = 30
STEAL_PERCENT = 0.5
ETCD_SYNC_MILLISECONDS = 10
NVME_SYNC_MILLISECONDS = 2
CONNTRACK_PERCENT = 75  # node-mixin's alert NodeHighNumberConntrackEntriesUsed: 0.75
NODE_ROUND_TRIP_MILLISECONDS = 5
LOOKUP_MILLISECONDS = 100  # this project's choice: `LIMITS["names"]` says why
CGROUP_V2_SINCE = "1.35"

LIMITS: dict[str, Limit] = {
    "survey": Limit(
        "survey of the node",
        "what was not asked can't be judged",
        "put right what it says; the survey needs python3 3.9 or newer, and a minute and a quarter at most",
    ),
    "kernel": Limit("kernel", "the CNI's system requirements", "install a newer kernel and reboot"),
    "bpf": Limit(
        "kernel's BPF abilities",
        "Cilium's system requirements",
        "boot a distribution's own kernel: minimal and container kernels leave these out",
    ),
    "cpus": Limit(
        "processors",
        "kubeadm's own preflight: 2 on the control plane",
        "rent a larger server",
    ),
    "memory": Limit(
        "memory",
        "kubeadm's own preflight: 1700 MB on the control plane",
        "rent a larger server",
    ),
    "cgroup": Limit(
        "cgroup version",
        "Kubernetes 1.35 release notes: the kubelet refuses version 1",
        "boot with systemd.unified_cgroup_hierarchy=1, or write cluster.cgroupV1: true for as long as it lasts",
    ),
    "swap": Limit(
        "swap",
        "the kubelet's failSwapOn",
        "nothing to do: the first run switches it off, and back on when the node is given back",
        required=False,
    ),
    "time-sync": Limit(
        "time service",
        "certificates and etcd leases need one time",
        "install systemd-timesyncd or chrony: the first run switches it on where it is installed",
        required=False,
    ),
    "clock": Limit(
        "clock against the nodes' median",
        "k0sctl refuses more than 30 s",
        "let a time service set the clock, then run again",
    ),
    "steal": Limit(
        "CPU steal",
        "article of 2023: above 0.5 % the provider oversells its processors",
        "ask the provider for dedicated processors, or move the node",
        required=False,
    ),
    "etcd-disk": Limit(
        "fdatasync, 99th percentile",
        "etcd's documentation: 10 ms; articles of 2022 and 2023: NVMe takes less than 2 ms",
        "use NVMe storage of this server's own for the control plane",
        shared=True,
    ),
    "nic-speed": Limit(
        "link speed",
        "shown for capacity; no limit",
        "",
        required=False,
    ),
    "nic-drops": Limit(
        "packets dropped by the link",
        "article of 2023: a drop is a processor or a buffer that is late",
        "raise the receive ring (ethtool -G), use profile high-throughput, and look at CPU steal",
        required=False,
    ),
    "nic-ring": Limit(
        "receive ring",
        "the driver's own maximum",
        "raise it to the maximum: ethtool -G LINK rx MAX",
        required=False,
    ),
    "softnet": Limit(
        "packets dropped by the kernel's backlog",
        "article of 2024: overflowing soft-interrupt queues",
        "use profile high-throughput (net.core.netdev_max_backlog)",
        required=False,
    ),
    "conntrack": Limit(
        "conntrack table in use",
        "Prometheus' node-mixin: NodeHighNumberConntrackEntriesUsed alerts above 75 %; articles of 2022 and 2024: a "
        "full table drops connections",
        "use profile high-throughput or large-cluster, or raise net.netfilter.nf_conntrack_max",
        required=False,
    ),
    "path-mtu": Limit(
        "path MTU to other nodes",
        "network.underlayMtu of the stack file",
        "correct network.underlayMtu, or ask the provider why larger packets are lost",
    ),
    "round-trip": Limit(
        "round trip to other nodes",
        "articles of 2023 and 2024: less than 2 to 5 ms within Norway",
        "put the nodes in one place, or raise etcd's heartbeat interval",
        required=False,
    ),
    "references": Limit(
        "round trip to reference points",
        "preflight.referencePoints of the stack file (articles: Oslo below 2 to 5 ms)",
        "choose a place nearer to them, or correct maxMilliseconds",
        required=False,
    ),
    "segment": Limit(
        "one layer-2 segment",
        "autoDirectNodeRoutes sets routes by neighbour",
        "use routing over VXLAN, or routes: provider or bgp",
    ),
    "foreign-sources": Limit(
        "packets with foreign source addresses",
        "Cilium's documentation on native routing and DSR; providers filter spoofed sources",
        "ask the provider to allow the pods' network on these ports, or use a tunnel with SNAT",
    ),
    "announcements": Limit(
        "ARP announcements",
        "MetalLB's page on clouds: layer-2 mode needs them",
        "ask the provider to allow the pool's addresses, or announce the pool by BGP",
    ),
    "ports": Limit(
        "ports between nodes (UDP at the link: the node's own firewall is not asked)",
        "the CNI's, MetalLB's and the kubelet's documentation",
        "open them in the provider's firewall for the nodes' network",
    ),
    "names": Limit(
        "name look-up",
        "this project's choice: three questions of 100 ms are the 300 ms that the article of 2023 calls broken, and "
        "ndots multiplies questions (article of 2022)",
        "use a resolver in the country that is near, and ndots: 2 in pods that call the outside",
        required=False,
    ),
    "services": Limit("services", "shown for what is known of them; no limit", "", required=False),
}
