"""How a cluster gets from one Cilium release to another: one minor after the other, and what to know of each."""

from dataclasses import replace
from typing import NamedTuple

from components.core.versions import minor, parse
from components.network.cilium.data_path import DataPath
from components.network.cilium.releases import NEWEST, minors_between

BEFORE = {
    "1.15": ("CiliumLoadBalancerIPPool objects: spec.cidrs becomes spec.blocks",),
    "1.16": (
        "Envoy becomes a DaemonSet of its own on new clusters; upgradeCompatibility keeps it in the agent",
        "CiliumBGPPeeringPolicy is deprecated: write CiliumBGPClusterConfig, PeerConfig and Advertisement",
        "CiliumLoadBalancerIPPool: the first and the last address are given out too; allowFirstLastIPs: No keeps them "
        "back",
        "DSR connections that were made before Cilium 1.13.3 break",
        "policies with toFQDNs: run 1.15.6 or newer first, or allowed connections drop for a time",
        "Linux 6.6 and newer: programs are attached by tcx; bpf.enableTCX: false where other programs use old tc",
        "GRPCRoute moves from v1alpha2 to v1: install the new CRD",
        "node ports are answered on every address of the nodes' devices; nodePort.addresses limits them",
        "IPsec: the Secret needs per-tunnel keys ('+' after the SPI)",
    ),
    "1.17": (
        "a cluster's name has at most 32 characters, lower case, digits and '-'",
        "the detected MTU is the lowest of all external interfaces (before: the primary's), and follows changes while "
        "the agent runs: write MTU where the nodes' links differ",
        "Services are distinguished by protocol; existing ones only after they are made again",
        "IPsec takes per-tunnel keys only",
    ),
    "1.18": (
        "every node needs Linux 5.10 or newer",
        "agents no longer refresh neighbours unless l2NeighDiscovery.enabled is true",
        "IPsec: read the page on encryption first; the upgrade needs special steps",
    ),
    "1.19": (
        "CiliumBGPPeeringPolicy is gone: the v2 objects must be there first",
        "CiliumLoadBalancerIPPool: v2alpha1 is deprecated, write v2",
        "IPsec with kube-proxy replacement and bpf.masquerade switches eBPF host routing on, which needs a kernel with "
        "the fix for CVE-2025-37959",
        "ClusterMesh: policies select endpoints of their own cluster only; policy-default-local-cluster: false keeps "
        "the old way",
        "DNS patterns that begin with '**.' match several levels of subdomains",
        "mutual authentication is off unless authentication.enabled is true",
        "MTU: a user saw detection prefer the default route's interface again (hcloud-k8s/terraform-hcloud-kubernetes"
        "#450): write MTU where the nodes' links differ",
    ),
    "1.20": ("Gateway API CRDs must be 1.6.1 or newer; 1.19 works with 1.4.1 only: both change together",),
}
"""What to do or to know before a minor, beside its values: the part of Cilium's upgrade notes on networks, read in
`Documentation/operations/upgrade.rst` of 1.16.19, 1.17.1, 1.18.2 and 1.19.6."""


class Step(NamedTuple):
    """One release on the way."""

    release: str
    before: tuple[str, ...]


def upgrade_path(old: str, new: str, path: DataPath) -> list[Step]:
    """Every release on the way from `old` to `new`, `new` last; of minors between, the newest release known.

    Going down has the same steps in the other order. Within one minor there is one step. `path` is what the agents are
    told, as far as it decides pods' MTU.
    """
    way = [*(NEWEST[name] for name in minors_between(old, new)), new]
    steps: list[Step] = []
    before = old
    for release in way:
        up = parse(release) > parse(before)
        notes = BEFORE.get(minor(release), ()) if up and minor(release) != minor(before) else ()
        back = () if up or steps or len(way) == 1 else ("Cilium supports going back to the minor before, not further",)
        steps.append(Step(release, (*back, *notes, *_mtu(path, before, release))))
        before = release
    return steps


def _mtu(path: DataPath, old: str, new: str) -> tuple[str, ...]:
    paths = replace(path, release=old), replace(path, release=new)
    before, after = (sum(one.overheads.values()) for one in paths)
    if before == after:
        return ()
    measured = (
        "" if all(one.overhead_is_measured for one in paths) else " (not measured on both: prove it with DF pings)"
    )
    return (f"pods get the links' MTU − {after}, on {old} − {before}{measured}; they keep theirs until they restart",)
