"""The named sets of kernel settings, with their sources, and how they compose.

They come from five articles on Kubernetes networking for Nordic operators, by year:
2018 (Kubernetes 1.10), 2022 (1.24), 2023, and two of 2024.
No profile has keys that the CNI sets: our file sorts after Cilium's, which sets `rp_filter`, and would win.
"""

from collections.abc import Iterable

from components.nodes.model import NodeRequirements, NodeSpec, Profile, Sysctl

RESERVED_PORTS = "net.ipv4.ip_local_reserved_ports"
"""The kernel takes none of these ports for a connection that a program opens: a client that happened to hold 10250
would keep the kubelet from starting again."""

CLUSTER_PORTS = (
    (2379, 2381),  # etcd: clients, peers, metrics
    (6443, 6443),  # the API server
    (10248, 10250),  # the kubelet's health, kube-proxy's metrics, the kubelet
    (10256, 10257),  # kube-proxy's health, the controller manager
    (10259, 10259),  # the scheduler
    (30000, 32767),  # NodePorts, by the API server's default
)
"""Kubernetes' own ports on a node (kubernetes.io/docs/reference/networking/ports-and-protocols), of every role."""


def _minimum(key: str, value: str) -> Sysctl:
    return Sysctl(key=key, value=value, how="minimum")


def _exact(key: str, value: str, *, required: bool = False) -> Sysctl:
    return Sysctl(key=key, value=value, how="exact", required=required)


PROFILES: dict[Profile, tuple[Sysctl, ...]] = {
    # All of them: "mandatory for K8s"; without it a node routes nothing between pods.
    "baseline": (_exact("net.ipv4.ip_forward", "1", required=True),),
    # "Surviving the Packet Storm" (2024): a saturated conntrack table, dead connections, 10 Gbit/s buffers.
    "high-throughput": (
        _minimum("net.core.netdev_max_backlog", "5000"),
        _minimum("net.core.rmem_max", "16777216"),
        _minimum("net.core.wmem_max", "16777216"),
        _exact("net.ipv4.tcp_keepalive_intvl", "60"),
        _exact("net.ipv4.tcp_keepalive_probes", "10"),
        _exact("net.ipv4.tcp_keepalive_time", "600"),
        _minimum("net.netfilter.nf_conntrack_max", "131072"),
    ),
    # "Unmasking Kubernetes Networking Performance" (2023): many connections, many open files.
    "large-cluster": (
        _minimum("fs.file-max", "2097152"),
        _minimum("net.core.rmem_max", "16777216"),
        _minimum("net.core.wmem_max", "16777216"),
        _minimum("net.ipv4.tcp_rmem", "4096 87380 16777216"),
        _minimum("net.ipv4.tcp_wmem", "4096 65536 16777216"),
        _minimum("net.netfilter.nf_conntrack_max", "262144"),
    ),
    # "Taming the Packet Storm on Bare Metal" (2018): a node that opens and accepts for the whole cluster.
    # The two queues of a listener are not the article's. Kernels have 4096 and at most 4096; listen(2) cuts the queue
    # to somaxconn, and what does not fit is dropped and counted as ListenDrops. A pod has its own somaxconn.
    "edge": (
        _minimum("net.core.somaxconn", "16384"),
        _minimum("net.ipv4.tcp_max_syn_backlog", "16384"),
        _exact("net.ipv4.ip_local_port_range", "1024 65535"),
        _exact("net.ipv4.tcp_fastopen", "3"),
    ),
}


def larger(first: str, second: str) -> str:
    """Number by number the larger one of two values: `4096 87380` and `8192 65536` → `8192 87380`.

    If one has more numbers, the rest of it is kept.
    """
    one, two = first.split(), second.split()
    rest = one[len(two) :] or two[len(one) :]
    return " ".join([max(pair, key=int) for pair in zip(one, two, strict=False)] + rest)


def conflicts(settings: Iterable[Sysctl]) -> dict[str, tuple[str, ...]]:
    """Keys that are set to several exact values, with these values."""
    exact: dict[str, dict[str, None]] = {}
    for setting in settings:
        if setting.how == "exact":
            exact.setdefault(setting.key, {})[setting.value] = None
    return {key: tuple(values) for key, values in sorted(exact.items()) if len(values) > 1}


def compose(settings: Iterable[Sysctl]) -> tuple[Sysctl, ...]:
    """One setting a key, by name: the largest minimum, or the exact value if there is one."""
    composed: dict[str, Sysctl] = {}
    for new in settings:
        old = composed.get(new.key, new)
        either = {"required": old.required or new.required, "per_gib": max(old.per_gib, new.per_gib)}
        if old.how == new.how == "minimum":
            value = larger(old.value, new.value)
            composed[new.key] = old.model_copy(update={"value": value, **either})
        else:
            exact = old if old.how == "exact" else new
            composed[new.key] = exact.model_copy(update={"required": either["required"]})
    return tuple(composed[key] for key in sorted(composed))


def asked(node: NodeSpec) -> tuple[Sysctl, ...]:
    """What a node's profiles and its own settings ask for; its own exact value replaces its profiles'."""
    own = {setting.key for setting in node.sysctls if setting.how == "exact"}
    profiles = (setting for name in node.profiles for setting in PROFILES[name] if setting.key not in own)
    return (*profiles, *node.sysctls)


def wanted(node: NodeSpec) -> tuple[Sysctl, ...]:
    """What a node should be set to: one setting a key, sorted."""
    return compose(asked(node))


def reserved_ports(requirements: NodeRequirements) -> str:
    """The ports that no client may hold, as the kernel writes them: sorted, with neighbours in one range."""
    spans = sorted((*CLUSTER_PORTS, *((need.port, need.port) for need in requirements.ports)))
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in joined)
