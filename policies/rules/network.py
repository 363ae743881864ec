"""Policies of the network: the CNI's configuration, and pods on the nodes' own network."""

import re
from collections.abc import Iterator

from pydantic import Field

from components.charts.helm import project_folders
from components.charts.reference import chart_name
from components.charts.render import ChartSource, UnavailableChartError
from components.core.finding import Finding
from components.core.manifests import FieldError
from components.core.names import CILIUM_CONFIG, KUBE_SYSTEM
from components.network.cilium.changes import as_config, config_key, effect
from components.network.cilium.chart.nested import dotted, flatten
from components.network.cilium.chart.trial import Trial
from components.network.cilium.constraints import broken, remedies
from components.network.cilium.data_path import from_config
from components.network.mtu_rules import ETHERNET_MTU, cilium_config_problems, installation_problems, release_problems
from policies.policy import CIS, HIGH, PLATFORM, Namespaces, Object, Settings, Stack, policy
from policies.rules.loadbalancer import announced_traffic_policy
from policies.unknowns import plain
from policies.workloads import WORKLOADS, containers, images, pod_specs


def _is_cilium_config(found: Object) -> bool:
    if (found.kind, found.metadata.text("name")) != ("ConfigMap", CILIUM_CONFIG):
        return False
    return bool(found.release) or found.namespace == KUBE_SYSTEM


def _version(found: Object, stack: Stack) -> str:
    """Of the chart that made the object; empty for an object of the program."""
    releases = (release for release in stack.objects("helm.sh:Release") if release.resource.name == found.release)
    return next((release.text("version").removeprefix("v") for release in releases), "") if found.release else ""


class MtuSettings(Settings):
    underlay_mtu: int | None = Field(default=None, ge=1280)
    """What the nodes' links carry; else what a component declares, else 1500."""


@policy(
    id="cni-mtu",
    title="The CNI's MTU is what the links and the encapsulation leave.",
    severity=HIGH,
    framework=PLATFORM,
    reference="the MTU arithmetic, components/network/mtu.py",
    why="A pod MTU above what the path carries loses large packets without an error, one below it wastes every packet.",
    remedy="Write the number that the message computes, or leave it out to have it detected.",
    kinds=("core:ConfigMap", "helm.sh:Release", "operator.tigera.io:Installation"),
)
def mtu(found: Object, settings: MtuSettings, stack: Stack) -> Iterator[Finding]:
    underlay = settings.underlay_mtu or min(stack.declared("underlayMtu"), default=ETHERNET_MTU)
    if found.kind == "Release":
        if chart_name(found.text("chart")) == "cilium":
            found.group("values").number("MTU")  # must be known; its ConfigMap is judged
        yield from release_problems(found.raw, underlay)
    elif found.kind == "Installation":
        yield from installation_problems(found.raw, underlay)
    elif _is_cilium_config(found):
        yield from cilium_config_problems(found.raw, underlay, _version(found, stack))


@policy(
    id="cni-consistent",
    title="Routing, load balancing and service proxy of Cilium go together.",
    severity=HIGH,
    framework=PLATFORM,
    reference="components/network/cilium/constraints.py, measured by rendering the charts",
    why="Helm renders combinations that every agent refuses at start, and keys that nothing reads: DSR over "
    "VXLAN is one. The cluster has no network from then on.",
    remedy="Write what the message proposes; `vds cilium-values` explains every key.",
    kinds=("core:ConfigMap",),
)
def consistent(found: Object, _: Settings, stack: Stack) -> Iterator[Finding]:
    if _is_cilium_config(found):
        yield from _config_problems(found, _version(found, stack))


@policy(
    id="cni-values-read",
    title="Every value of Cilium's chart is one that the chart reads.",
    severity=HIGH,
    framework=PLATFORM,
    reference="the chart, rendered with the value and without it",
    why="Helm ignores a value that no template reads: a misspelt or outdated key has no effect and gives no warning.",
    remedy="Write the key that the message names, or remove it; `vds cilium-values explain` explains every key.",
    kinds=("helm.sh:Release",),
    patches=False,
)
def values_read(release: Object, _: Settings) -> Iterator[Finding]:
    if chart_name(release.text("chart")) != "cilium":
        return
    repository = release.group("repositoryOpts").text("repo")
    source = ChartSource(release.text("chart"), release.text("version"), repository)
    try:
        trial = Trial(source, folders=project_folders())
        unread = trial.unread(flatten(plain(release.group("values").raw)))
    except UnavailableChartError:
        return  # which another policy says
    except ValueError as error:
        raise FieldError("values", f"cannot be read: {error}") from None
    for path, near in unread:
        yield release.finding(
            f"values.{dotted(path)} is no key of the chart of Cilium {trial.release}, which ignores it",
            f"write {dotted(near)}, or remove it" if near else "remove it",
            subject="Release of chart cilium",
        )


def _config_problems(config: Object, version: str) -> Iterator[Finding]:
    """The `cilium-config` that every agent reads: what makes it exit, or do something else than was written."""
    data = config.group("data").raw
    path = from_config(data, version)
    for row in broken(path):
        key = config_key(row.field, path.encryption)
        value = f" {data[key]}" if key in data else ""
        yield config.finding(
            f"{key}{value}: {effect(row, row.reason(path))} ({row.source})",
            f"write {' or '.join(as_config(change) for change in remedies(row, path))}",
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
    id="cni-no-flannel",
    title="No CNI that enforces no network policy.",
    severity=HIGH,
    framework=CIS,
    reference="5.3.1",
    why="With a CNI that enforces no NetworkPolicy, tenants are not isolated from each other.",
    remedy="Use Cilium or Calico.",
    kinds=("helm.sh:Release", "apps:DaemonSet", "core:Namespace", "core:ConfigMap"),
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
    id="cni-l2-not-local",
    title="No Service has externalTrafficPolicy: Local where Cilium announces by layer 2.",
    severity=HIGH,
    framework=PLATFORM,
    reference="Cilium's documentation of L2 announcements, limitations",
    why="The node that answers ARP for an address is chosen without regard to where the pods are: with Local "
    "it drops what it gets.",
    remedy="Write externalTrafficPolicy: Cluster, or announce the address by MetalLB or BGP.",
    kinds=("core:Service",),
)
def l2_not_local(service: Object, _: Settings, stack: Stack) -> Iterator[Finding]:
    if announced_traffic_policy(service, stack) == (True, True):
        yield service.finding(
            "has externalTrafficPolicy: Local, and Cilium's L2 announcements answer from nodes without its pods: "
            "traffic to it is lost",
            "write Cluster, or announce it by MetalLB or BGP",
        )


@policy(
    id="network-no-host",
    title="No pod of a tenant is on a node's own network.",
    severity=HIGH,
    framework=CIS,
    reference="5.2.5 and 5.2.13",
    why="A pod on the node's network is seen by no network policy, and a port of the node is open to the internet.",
    remedy="Leave hostNetwork and hostPort out; write a Service and a route.",
    kinds=WORKLOADS,
)
def no_host(workload: Object, settings: Namespaces) -> Iterator[Finding]:
    if not settings.may_hold_tenants(workload.namespace):
        return
    if any(spec.raw.get("hostNetwork") for spec in pod_specs(workload)):
        yield workload.finding("has hostNetwork, so no network policy sees its traffic", "leave hostNetwork out")
    for container in containers(workload):
        for port in container.groups("ports"):
            if number := port.number("hostPort"):
                yield workload.finding(
                    f"opens port {number} of the node (hostPort)", "write a Service and a route instead"
                )
