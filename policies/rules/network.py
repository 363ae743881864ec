"""Policies of the network: the CNI's configuration, and pods on the nodes' own network."""

import re
from collections.abc import Iterator

from pydantic import Field

from components.charts.reference import chart_name
from components.core.finding import Finding
from components.core.manifests import FieldError
from components.core.names import CILIUM_CONFIG, KUBE_SYSTEM
from components.network.cilium.changes import as_config, config_key, effect
from components.network.cilium.chart.explain import explain
from components.network.cilium.chart.history import Verdict
from components.network.cilium.chart.nested import flatten
from components.network.cilium.constraints import broken
from components.network.cilium.data_path import from_config, known_release
from components.network.mtu_rules import ETHERNET_MTU, cilium_config_problems, installation_problems, release_problems
from policies.policy import CIS, HIGH, PLATFORM, Namespaces, Object, Settings, Stack, policy
from policies.rules.loadbalancer import announced_traffic_policy
from policies.unknowns import known_where
from policies.workloads import WORKLOADS, containers, images, pod_spec

_DATA_PATH_KEYS = {
    *("routingMode", "tunnel", "tunnelProtocol", "kubeProxyReplacement", "loadBalancer", "mode", "dsrDispatch"),
    *("autoDirectNodeRoutes", "ipv4NativeRoutingCIDR", "enableIPv4Masquerade", "bpf", "masquerade", "l7Proxy"),
    *("gatewayAPI", "enabled", "encryption", "type"),
}
"""Values by which the data path is decided: an unknown value anywhere else does not matter to it."""


def _is_cilium_config(found: Object) -> bool:
    return (found.kind, found.namespace, found.metadata.text("name")) == ("ConfigMap", KUBE_SYSTEM, CILIUM_CONFIG)


class MtuSettings(Settings):
    underlay_mtu: int | None = Field(default=None, ge=1280)
    """What the nodes' links carry; else what a component declares, else 1500."""


@policy(
    "object in stack",
    id="cni-mtu",
    title="The CNI's MTU is what the links and the encapsulation leave.",
    severity=HIGH,
    framework=PLATFORM,
    reference="the MTU arithmetic, components/network/mtu.py",
    why="A pod MTU above what the path carries loses large packets without an error, one below it wastes every packet.",
    remedy="Write the number that the message computes, or leave it out to have it detected.",
    kinds=("core:ConfigMap", "helm.sh:Release", "operator.tigera.io:Installation"),
    patches=True,
    settings=MtuSettings,
)
def mtu(found: Object, settings: MtuSettings, stack: Stack) -> Iterator[Finding]:
    underlay = settings.underlay_mtu or min(stack.declared("underlayMtu"), default=ETHERNET_MTU)
    if found.kind == "Release":
        yield from release_problems(found.raw, underlay)
    elif found.kind == "Installation":
        yield from installation_problems(found.raw, underlay)
    elif _is_cilium_config(found):
        yield from cilium_config_problems(found.raw, underlay)


@policy(
    "object in stack",
    id="cni-consistent",
    title="Routing, load balancing and service proxy of Cilium go together.",
    severity=HIGH,
    framework=PLATFORM,
    reference="components/network/cilium/constraints.py, measured by rendering the charts",
    why="Helm renders combinations that every agent refuses at start, and keys that nothing reads: DSR over "
    "VXLAN is one. The cluster has no network from then on.",
    remedy="Write what the message proposes; `vds cilium-values` explains every key.",
    kinds=("core:ConfigMap", "helm.sh:Release"),
    patches=True,
)
def consistent(found: Object, _: Settings, __: Stack) -> Iterator[Finding]:
    if found.kind == "Release" and chart_name(found.text("chart")) == "cilium":
        yield from _chart_problems(found)
    elif _is_cilium_config(found):
        yield from _config_problems(found)


_WRONG = (Verdict.FAILS, Verdict.REFUSED, Verdict.IGNORED)


def _chart_problems(chart: Object) -> Iterator[Finding]:
    """Values that Helm or the agent refuses, or that nothing reads, on this release of Cilium's chart."""
    release = known_release(chart.text("version"))
    try:
        values = flatten(known_where(chart.group("values").raw, _DATA_PATH_KEYS))
    except ValueError as error:
        raise FieldError("values", f"cannot be read: {error}") from None
    for found in explain(values, release):
        if not found.as_meant and found.verdict in _WRONG:
            instead = ", ".join(f"{key}: {value}" for key, value in found.instead)
            yield chart.finding(
                f"values.{found.key} on {release}: {found.says}",
                f"write {instead}" if instead else "remove it",
                subject="Release of chart cilium",
            )


def _config_problems(config: Object) -> Iterator[Finding]:
    """The `cilium-config` that every agent reads: what makes it exit, or do something else than was written."""
    data = config.group("data").raw
    path = from_config(data)
    for row in broken(path):
        key = config_key(row.field, path.encryption)
        value = f" {data[key]}" if key in data else ""
        yield config.finding(
            f"{key}{value}: {effect(row, row.reason(path))} ({row.source})",
            f"write {' or '.join(as_config(change) for change in row.remedies(path))}",
            subject="ConfigMap cilium-config",
        )


_FLANNEL_CHART = re.compile(r"(kube-|rke2-)?flannel")
_FLANNEL_OBJECT = re.compile(r"kube-flannel(-ds.*|-cfg)?")
_FLANNEL_IMAGE = re.compile(
    r"(^|/)(flanneld?|(mirrored-)?flannel(cni)?-(flannel|cni-plugin)(-cni-plugin)?)(-[a-z0-9]+)?([:@]|$)"
)
"""Names in flannel-io's own manifest and chart, and in Rancher's mirrors. A tenant may be called flannel for another
reason, so no other name counts."""


@policy(
    "object in stack",
    id="cni-no-flannel",
    title="No CNI that enforces no network policy.",
    severity=HIGH,
    framework=CIS,
    reference="5.3.1",
    why="With a CNI that enforces no NetworkPolicy, tenants are not isolated from each other.",
    remedy="Use Cilium or Calico.",
    kinds=("helm.sh:Release", "apps:DaemonSet", "core:Namespace", "core:ConfigMap"),
    patches=True,
)
def no_flannel(found: Object, _: Settings, __: Stack) -> Iterator[Finding]:
    if found.kind == "Release":
        name = chart_name(found.text("chart"))
        subject, is_flannel = f"Release of chart {name}", _FLANNEL_CHART.fullmatch(name) is not None
    else:
        subject = found.label
        used = list(images(found)) if found.kind == "DaemonSet" else []
        named = _FLANNEL_OBJECT.fullmatch(found.metadata.text("name")) is not None
        is_flannel = named or any(_FLANNEL_IMAGE.search(image) for image in used)
    if is_flannel:
        yield found.finding(
            "is Flannel, which enforces no NetworkPolicy, so no tenant is isolated",
            "use Cilium or Calico",
            subject=subject,
        )


@policy(
    "object in stack",
    id="cni-l2-not-local",
    title="No Service has externalTrafficPolicy: Local where Cilium announces by layer 2.",
    severity=HIGH,
    framework=PLATFORM,
    reference="Cilium's documentation of L2 announcements, limitations",
    why="The node that answers ARP for an address is chosen without regard to where the pods are: with Local "
    "it drops what it gets.",
    remedy="Write externalTrafficPolicy: Cluster, or announce the address by MetalLB or BGP.",
    kinds=("core:Service",),
    patches=True,
)
def l2_not_local(service: Object, _: Settings, stack: Stack) -> Iterator[Finding]:
    if announced_traffic_policy(service, stack) == (True, True):
        yield service.finding(
            "has externalTrafficPolicy: Local, and Cilium's L2 announcements answer from nodes without its pods: "
            "traffic to it is lost",
            "write Cluster, or announce it by MetalLB or BGP",
        )


@policy(
    "object",
    id="network-no-host",
    title="No pod of a tenant is on a node's own network.",
    severity=HIGH,
    framework=CIS,
    reference="5.2.5 and 5.2.13",
    why="A pod on the node's network is seen by no network policy, and a port of the node is open to the internet.",
    remedy="Leave hostNetwork and hostPort out; write a Service and a route.",
    kinds=WORKLOADS,
    patches=True,
    settings=Namespaces,
)
def no_host(workload: Object, settings: Namespaces) -> Iterator[Finding]:
    if not settings.may_hold_tenants(workload.namespace):
        return
    if pod_spec(workload).raw.get("hostNetwork"):
        yield workload.finding("has hostNetwork, so no network policy sees its traffic", "leave hostNetwork out")
    for container in containers(workload):
        for port in container.groups("ports"):
            if number := port.number("hostPort"):
                yield workload.finding(
                    f"opens port {number} of the node (hostPort)", "write a Service and a route instead"
                )
