"""What became of the Cilium chart's keys from 1.11 to 1.20: renamed, removed, refused; with the exact releases.

Bounds of renames and refusals were found by rendering the released charts with Helm and reading the
`cilium-config` that came out; those of removals by looking which charts still have the key. Both bounds of a
span count. What has no row here, `keys` knows from the charts themselves.
"""

from enum import StrEnum
from typing import Literal, NamedTuple

from components.core.versions import between
from components.network.cilium.chart.keys import Path, has
from components.network.cilium.chart.nested import keys


class Verdict(StrEnum):
    """What a key really does."""

    HONOURED = "honoured"
    KNOWN = "known"  # the chart reads it; what its value does is not judged here
    OTHERWISE = "otherwise"  # it does something, but hardly what was meant
    IGNORED = "ignored"
    FAILS = "fails"  # Helm renders nothing
    REFUSED = "refused"  # it renders, and the agent exits


class Era(NamedTuple):
    """What a span of releases does with a key."""

    since: str
    until: str
    verdict: Verdict


class Renamed(NamedTuple):
    """One setting, two names."""

    old: Path
    new: Path
    new_since: str
    """The first release that honours the new name by itself."""
    old_until: str
    """The last release that honours the old one; empty: it still does."""
    after: tuple[Era, ...] = ()
    """What later releases do with the old one where they do not simply ignore it."""
    convert: Literal["same", "list"] = "same"
    """`list`: one value became a list of values."""
    note: str = ""
    """What else to know about the pair."""


class Removed(NamedTuple):
    """A setting that later releases do not have."""

    path: Path
    """The key, or the group it is in."""
    until: str
    """The last release that honours it."""
    now: str
    """What takes its place, or why nothing has to."""
    after: tuple[Era, ...] = ()
    default: object = None
    """The value that says what later releases do anyway: it is lost without a loss."""
    only_set: bool = True
    """Whether a later release fails only on a value that is set and not false."""


_1_15_8 = (
    Era("1.15.0", "1.15.7", Verdict.IGNORED),
    Era("1.15.8", "1.15.19", Verdict.FAILS),
    Era("1.16.0", "1.16.1", Verdict.IGNORED),
    Era("1.16.2", "", Verdict.FAILS),
)
_1_16_2 = (Era("1.16.0", "1.16.1", Verdict.IGNORED), Era("1.16.2", "", Verdict.FAILS))
_FAILS_UNTIL_1_18 = (Era("1.14.0", "1.18.12", Verdict.FAILS),)
_FAILS_FROM_1_18 = (Era("1.18.0", "", Verdict.FAILS),)


def _renamed(old: str, new: str, new_since: str, old_until: str, *after: Era, note: str = "") -> Renamed:
    return Renamed(keys(old), keys(new), new_since, old_until, after, note=note)


RENAMED = (
    _renamed("nativeRoutingCIDR", "ipv4NativeRoutingCIDR", "1.11.0", "1.11.20"),
    _renamed("bandwidthManager", "bandwidthManager.enabled", "1.12.0", "1.12.19", Era("1.13.0", "", Verdict.FAILS)),
    _renamed("hostServices.enabled", "socketLB.enabled", "1.12.0", "1.11.20"),
    _renamed(
        "bpf.hostRouting",
        "bpf.hostLegacyRouting",
        "1.12.0",
        "1.12.19",
        note="the old name said the opposite: bpf.hostRouting: true switched routing by the host's stack on",
    ),
    _renamed("encryption.keyFile", "encryption.ipsec.keyFile", "1.16.0", "1.15.19", *_1_16_2),
    _renamed("encryption.mountPath", "encryption.ipsec.mountPath", "1.16.0", "1.15.19", *_1_16_2),
    _renamed("encryption.secretName", "encryption.ipsec.secretName", "1.11.0", "1.15.19", *_1_16_2),
    _renamed("encryption.interface", "encryption.ipsec.interface", "1.11.0", "1.15.19", *_1_16_2),
    *(
        _renamed(f"encryption.strictMode.{key}", f"encryption.strictMode.egress.{key}", "1.19.0", "1.19.6")
        for key in ("enabled", "cidr", "allowRemoteNodeIdentities")
    ),
    *(
        Renamed(keys(f"{pool}PodCIDR"), keys(f"{pool}PodCIDRList"), "1.11.0", "1.13.18", _FAILS_UNTIL_1_18, "list")
        for pool in ("ipam.operator.clusterPoolIPv4", "ipam.operator.clusterPoolIPv6")
    ),
    _renamed("enableCiliumEndpointSlice", "ciliumEndpointSlice.enabled", "1.16.0", "1.17.18", *_FAILS_FROM_1_18),
    _renamed("clustermesh.enableMCSAPISupport", "clustermesh.mcsapi.enabled", "1.19.0", "1.19.6"),
    _renamed("hubble.export.fileMaxBackups", "hubble.export.static.fileMaxBackups", "1.18.0", ""),
    _renamed("hubble.export.fileMaxSizeMb", "hubble.export.static.fileMaxSizeMb", "1.18.0", ""),
)

_WITH_KPR = 'kubeProxyReplacement: "true" brings it'
REMOVED = (
    Removed(keys("nodePort.enabled"), "1.18.12", _WITH_KPR),
    Removed(keys("externalIPs.enabled"), "1.17.5", _WITH_KPR),
    Removed(keys("hostPort.enabled"), "1.17.18", _WITH_KPR),
    Removed(keys("sessionAffinity"), "1.18.12", _WITH_KPR, default=True),
    Removed(keys("svcSourceRangeCheck"), "1.18.12", _WITH_KPR, default=True),
    Removed(keys("enableK8sTerminatingEndpoint"), "1.17.18", "it is always on", default=True),
    Removed(keys("enableK8sEndpointSlice"), "1.18.12", "it is always on", default=True),
    Removed(keys("enableRuntimeDeviceDetection"), "1.17.18", "it is always on", default=True),
    Removed(keys("remoteNodeIdentity"), "1.15.19", "it is always on", _1_16_2, default=True),
    Removed(keys("endpointStatus"), "1.15.19", "nothing takes its place", _1_16_2, only_set=False),
    Removed(keys("containerRuntime.integration"), "1.15.19", "the agent finds it", _1_16_2),
    Removed(keys("etcd.managed"), "1.15.19", "run an own etcd and name it in etcd.endpoints", _1_16_2),
    Removed(keys("etcd"), "1.15.19", "the etcd operator is gone; an own etcd stays in etcd.endpoints"),
    Removed(keys("proxy.prometheus"), "1.15.19", "write envoy.prometheus", _1_16_2, only_set=False),
    Removed(keys("enableCnpStatusUpdates"), "1.14.19", "policies have no status per node", _1_15_8, default=False),
    Removed(keys("enableK8sEventHandover"), "1.14.19", "nothing takes its place", _1_15_8, default=False),
    Removed(keys("clustermesh.apiserver.tls.ca"), "1.14.19", "write tls.ca", _1_15_8),
    Removed(keys("hubble.tls.ca"), "1.13.18", "write tls.ca"),
    Removed(keys("ciliumEndpointSlice.sliceMode"), "1.17.18", "the agent chooses", _FAILS_FROM_1_18),
    Removed(keys("bgp"), "1.16.19", "write bgpControlPlane.enabled: true and CiliumBGPClusterConfig objects"),
    Removed(keys("l2NeighDiscovery.refreshPeriod"), "1.17.18", "the kernel refreshes neighbours"),
    Removed(keys("encryption.wireguard.userspaceFallback"), "1.16.19", "WireGuard is in every kernel since 5.6"),
    Removed(keys("externalWorkloads"), "1.17.18", "nothing takes its place"),
    Removed(keys("highScaleIPcache"), "1.17.18", "nothing takes its place"),
    Removed(keys("sockops"), "1.13.18", "nothing takes its place", default=False),
    Removed(keys("ipvlan"), "1.12.0", "nothing takes its place"),
    Removed(keys("datapathMode"), "1.12.0", "veth is what is left; netkit is bpf.datapathMode"),
    Removed(keys("tunnel"), "1.14.19", "write routingMode and tunnelProtocol", _1_15_8),
)


def rename_of(path: Path) -> Renamed | None:
    """The row whose old name the path is."""
    return next((row for row in RENAMED if row.old == path), None)


def renamed_from(path: Path) -> Renamed | None:
    """The row whose new name the path is."""
    return next((row for row in RENAMED if row.new == path), None)


def removal_of(path: Path, release: str) -> Removed | None:
    """The row of a path, or of the group it is in, if it is gone on that release."""
    row = next((row for row in REMOVED if row.path == path[: len(row.path)]), None)
    if row is None or fate(row, release) is Verdict.HONOURED:
        return None
    return row if fate(row, release) is Verdict.FAILS or has(path, release) is None else None


def fate(row: Renamed | Removed, release: str) -> Verdict:
    """What a release does with the row's old name; meaningful from the first release that has it."""
    until = row.old_until if isinstance(row, Renamed) else row.until
    if between(release, "", until):
        return Verdict.HONOURED
    return next((era.verdict for era in row.after if between(release, era.since, era.until)), Verdict.IGNORED)
