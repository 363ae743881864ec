"""What Cilium may not be on these networks, beyond its model, and what is right and will surprise."""

from collections.abc import Iterator

from components.core.finding import Finding
from components.core.versions import between, matches, minor, parse
from components.network.cilium.changes import as_spec, effect, spec_field
from components.network.cilium.constraints import broken, remedies
from components.network.cilium.data_path import DataPath
from components.network.cilium.model import Cilium, CiliumNative, DsrGeneve, DsrOption
from components.network.cilium.releases import NEWEST as NEWEST_PATCHES
from components.network.cilium.releases import SUPPORTED
from components.network.mtu import DSR_GENEVE_BYTES, DSR_OPTION_BYTES, GENEVE_OVERHEAD
from components.network.networks import NetworkSpec
from components.network.ranges import holds_nodes

NEWEST = "1.20"
"""The newest minor whose MTU arithmetic was run."""


def cilium_problems(cni: Cilium, network: NetworkSpec) -> Iterator[Finding]:
    """Everything wrong with it."""
    if between(cni.version, SUPPORTED, NEWEST):
        yield from _routing_problems(cni, network)
        yield from _data_path_problems(cni.data_path(network))
        return
    yield Finding(
        "cni-version",
        "cni.version",
        f"{cni.version} is not between {SUPPORTED} and {NEWEST}: Cilium maintains three minors, and this platform "
        "knows the chart's values and the MTU arithmetic of these",
        "choose one of these (`vds cilium-values migrate` carries the values of older releases)",
    )


def _data_path_problems(path: DataPath) -> Iterator[Finding]:
    for row in broken(path):
        upgrade = [f"version {row.fixed_in} or newer"] if row.fixed_in else []
        ways = [*upgrade, *(as_spec(change) for change in remedies(row, path))]
        value = as_spec({row.field: getattr(path, row.field)}).partition(": ")[2]
        yield Finding(
            "cni-consistent",
            spec_field(row.field),
            f"{value} on Cilium {path.release}: {effect(row, row.reason(path))} ({row.source})",
            f"write {', or '.join(ways)}",
        )


def _routing_problems(cni: Cilium, network: NetworkSpec) -> Iterator[Finding]:
    if not isinstance(cni, CiliumNative):
        return
    native = cni.routing.native_cidr
    if not network.pod_cidr.subnet_of(native):
        yield Finding(
            "cni-native-cidr",
            "cni.routing.nativeCidr",
            f"{native} does not hold podCidr {network.pod_cidr}: pods on other nodes would see masqueraded addresses",
            f"write {network.pod_cidr}",
        )
    elif not holds_nodes(network) and (held := [nodes for nodes in network.node_cidrs if nodes.subnet_of(native)]):
        yield Finding(
            "cni-native-cidr",
            "cni.routing.nativeCidr",
            f"{native} contains the nodes' network {held[0]} too: pods would reach it with addresses "
            "that a provider's reverse-path filter drops",
            f"write {network.pod_cidr}",
        )


def upgrade_problems(cni: Cilium) -> Iterator[Finding]:
    """A jump over a minor, with the path to take; and a first minor that came after the one that is written."""
    running, wanted = parse(cni.running_version or cni.version), parse(cni.version)
    step = 1 if running < wanted else -1
    skipped = [f"{running.major}.{number}" for number in range(running.minor + step, wanted.minor, step)]
    says, remedy = f"{cni.version}, but {cni.running_version} runs, and", ""
    if running.major != wanted.major:
        says += " no way over a major version is known"
        remedy = f"write {cni.running_version}, or another {running.major}.x"
    elif skipped:
        says += f" Cilium {'goes back' if step < 0 else 'goes'} one minor at a time"
        path = " → ".join(NEWEST_PATCHES.get(name, name) for name in skipped)
        remedy = (
            f"take the path {cni.running_version} → {path} → {cni.version}, one update each; use Cilium's own "
            "tools for versions that a stack file does not take (`vds cilium-values migrate --to` writes the "
            "values of each step)"
        )
    if remedy:
        yield Finding("cni-upgrade", "cni.version", says, remedy)
    limit = min((minor(version) for version in (cni.version, cni.running_version) if version), key=parse)
    if cni.upgraded_from and parse(cni.upgraded_from) > parse(limit):
        yield Finding(
            "cni-upgrade",
            "cni.upgradedFrom",
            f"{cni.upgraded_from} is newer than {limit}",
            "write the first minor that this cluster ran, or leave it out on a new one",
        )


CLIENTS_MTU = 1500
"""What clients outside send at most: Ethernet's, and the internet's."""


def cilium_advice(cni: Cilium, underlay: int) -> Iterator[Finding]:
    """Every remark, over links of `underlay` bytes."""
    if cni.hubble and cni.hubble_relay and certificates_come_late(cni.version):
        yield Finding(
            "advice",
            "cni.hubble",
            f"flows are recorded, without Hubble's relay: the chart of Cilium {cni.version} makes the relay's "
            "certificates only after a Release that waits for the relay (cilium#40381)",
            "write version 1.19 or newer to have it, or `hubbleRelay: false`; "
            "`hubble observe` in an agent's pod shows the flows of its node",
            advice=True,
        )
    yield from _host_routing_with_ipsec(cni)
    yield from _dsr(cni, underlay)
    yield from _dsr_in_geneve(cni, underlay)


def _host_routing_with_ipsec(cni: Cilium) -> Iterator[Finding]:
    """Cilium 1.19's upgrade notes: with these settings agents route in eBPF, where they did not before."""
    if cni.encryption != "ipsec" or cni.service_proxy != "ebpf" or not matches(cni.version, ">=1.19"):
        return
    said = (
        "since Cilium 1.19, IPsec without kube-proxy switches eBPF host routing on, which needs the fix for "
        "CVE-2025-37959 in the nodes' kernel: the platform can't check that"
    )
    remedy = (
        "compare your kernel with Cilium 1.19's upgrade notes, or write encryption: wireguard, or "
        "bpf.hostLegacyRouting: true in cni.install.values"
    )
    yield Finding("advice", "cni.encryption", said, remedy, advice=True)


def _dsr(cni: Cilium, underlay: int) -> Iterator[Finding]:
    """Headroom for the option of DSR (cilium#32601, #39690): no pod's MTU helps, the packets are the clients'.

    TCP carries it on its first packet only, which is small; `hybrid` is SNAT for UDP.
    """
    balancing, fits = cni.load_balancing, underlay - DSR_OPTION_BYTES
    if not isinstance(balancing, DsrOption) or balancing.mode != "dsr" or fits >= CLIENTS_MTU:
        return
    yield Finding(
        "advice",
        "cni.loadBalancing",
        f"dispatch opt adds {DSR_OPTION_BYTES} bytes to clients' UDP packets from node to node: {underlay} − "
        f"{DSR_OPTION_BYTES} (IPv4 option) = {fits} fit, and larger ones are lost unless the client reacts to "
        "ICMP. podMtu does not change this",
        f"write mode: hybrid (SNAT for UDP), or give the links between nodes {CLIENTS_MTU + DSR_OPTION_BYTES} or more",
        advice=True,
    )


def _dsr_in_geneve(cni: Cilium, underlay: int) -> Iterator[Finding]:
    """Headroom for clients' packets that a Geneve header carries from node to node (pkg/mtu: TunnelOverhead and
    DsrTunnelOverhead). Agents do not count it, with a tunnel or without one."""
    balancing, extra = cni.load_balancing, GENEVE_OVERHEAD + DSR_GENEVE_BYTES
    fits = underlay - extra
    if not isinstance(balancing, DsrGeneve) or fits >= CLIENTS_MTU:
        return
    yield Finding(
        "advice",
        "cni.loadBalancing",
        f"dispatch geneve adds {extra} bytes to clients' packets from node to node: {underlay} − {GENEVE_OVERHEAD} "
        f"(Geneve) − {DSR_GENEVE_BYTES} (its option) = {fits} fit, and larger ones are lost unless the client "
        "reacts to ICMP. podMtu does not change this",
        f"give the links between nodes {CLIENTS_MTU + extra} or more, or write mode: snat",
        advice=True,
    )


def certificates_come_late(release: str) -> bool:
    """Whether the chart's certificate Job is a Helm hook that runs after the wait.

    cilium#40381: with `method: cronJob` a Release that waits never gets to the Job, and the relay waits for its
    Secret. A hook from 1.14 (cilium#23102) to 1.18; a plain Job since 1.19 (cilium#42298).
    """
    return matches(release, "<1.19")
