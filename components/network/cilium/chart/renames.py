"""Keys of Cilium's chart that have another name on other releases, where no chart says so.

Which of the names a release honours, rendering shows.
"""

from typing import Any, NamedTuple

from components.network.cilium.chart.nested import Path, keys


class Rename(NamedTuple):
    """One setting, two names."""

    old: Path
    new: Path
    as_list: bool = False
    """The newer name takes a list."""


def _renames(*names: tuple[str, str]) -> tuple[Rename, ...]:
    return tuple(Rename(keys(old), keys(new)) for old, new in names)


RENAMES = (
    *_renames(
        ("nativeRoutingCIDR", "ipv4NativeRoutingCIDR"),
        ("bandwidthManager", "bandwidthManager.enabled"),
        ("hostFirewall", "hostFirewall.enabled"),
        ("hostServices.enabled", "socketLB.enabled"),
        ("bpf.hostRouting", "bpf.hostLegacyRouting"),
        ("enableCiliumEndpointSlice", "ciliumEndpointSlice.enabled"),
        ("clustermesh.enableMCSAPISupport", "clustermesh.mcsapi.enabled"),
        ("hubble.export.fileMaxBackups", "hubble.export.static.fileMaxBackups"),
        ("hubble.export.fileMaxSizeMb", "hubble.export.static.fileMaxSizeMb"),
        ("extraConfig.mtu", "MTU"),
        *(
            (f"encryption.{key}", f"encryption.ipsec.{key}")
            for key in ("keyFile", "mountPath", "secretName", "interface")
        ),
        *(
            (f"encryption.strictMode.{key}", f"encryption.strictMode.egress.{key}")
            for key in ("enabled", "cidr", "allowRemoteNodeIdentities")
        ),
    ),
    *(
        Rename(
            keys(f"ipam.operator.clusterPoolIPv{family}PodCIDR"),
            keys(f"ipam.operator.clusterPoolIPv{family}PodCIDRList"),
            True,
        )
        for family in (4, 6)
    ),
)


def other_names(path: Path, value: Any) -> list[dict[Path, Any]]:
    """What the setting is on releases where this name does nothing, newer names first."""
    found: list[dict[Path, Any]] = []
    for row in RENAMES:
        if row.old == path:
            found.insert(0, {row.new: [value] if row.as_list and not isinstance(value, list) else value})
        elif row.new == path and not (row.as_list and isinstance(value, list) and len(value) != 1):
            found.append({row.old: value[0] if row.as_list and isinstance(value, list) else value})
    return found


class Gone(NamedTuple):
    """A setting that later releases do not have, and of which they say nothing."""

    now: str
    """What takes its place, or why nothing has to."""
    always: Any = None
    """The value that says what later releases do anyway."""


_WITH_REPLACEMENT, _ALWAYS_ON = "kubeProxyReplacement: true brings it", "it is always on"
_NOTHING = "nothing takes its place"
GONE: dict[Path, Gone] = {
    keys("nodePort.enabled"): Gone(_WITH_REPLACEMENT),
    keys("externalIPs.enabled"): Gone(_WITH_REPLACEMENT),
    keys("hostPort.enabled"): Gone(_WITH_REPLACEMENT),
    keys("sessionAffinity"): Gone(_WITH_REPLACEMENT, True),
    keys("svcSourceRangeCheck"): Gone(_WITH_REPLACEMENT, True),
    keys("enableK8sTerminatingEndpoint"): Gone(_ALWAYS_ON, True),
    keys("enableK8sEndpointSlice"): Gone(_ALWAYS_ON, True),
    keys("enableRuntimeDeviceDetection"): Gone(_ALWAYS_ON, True),
    keys("remoteNodeIdentity"): Gone(_ALWAYS_ON, True),
    keys("bgp"): Gone("write bgpControlPlane.enabled: true and CiliumBGPClusterConfig objects"),
    keys("l2NeighDiscovery.refreshPeriod"): Gone("the kernel refreshes neighbours"),
    keys("externalWorkloads"): Gone(_NOTHING),
    keys("highScaleIPcache"): Gone(_NOTHING),
    keys("hubble.tls.ca"): Gone("write tls.ca"),
    keys("etcd.managed"): Gone("run an etcd of your own and name it in etcd.endpoints"),
    keys("ciliumEndpointSlice.sliceMode"): Gone("the agent chooses"),
    keys("sockops"): Gone(_NOTHING, False),
    keys("ipvlan"): Gone(_NOTHING),
    keys("datapathMode"): Gone("veth is what is left; netkit is bpf.datapathMode"),
}


def gone(path: Path) -> Gone | None:
    """The row of a path, or of the group it is in."""
    return next((GONE[path[:length]] for length in range(len(path), 0, -1) if path[:length] in GONE), None)
