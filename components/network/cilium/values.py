"""Helm values of the Cilium chart, spelled for the version asked for: any release from 1.11 to 1.20.

Written out where a default is a trap, with the trap beside it. The charts' JSON Schemas let misspelt keys
pass and the older charts have none, so tests hold every key against the release's own table of keys and ask
`explain` what each of them really does there.
"""

from collections.abc import Collection
from typing import Any

from components.charts.values import merged, taken
from components.core.finding import Finding
from components.core.labels import GATEWAY_BUNDLE
from components.images.model import ImageMirror
from components.network.advice import certificates_come_late
from components.network.cilium.chart.keys import closest, has, nearest, within
from components.network.cilium.chart.nested import dotted, leaves, tree
from components.network.cilium.effective import spell_proxy
from components.network.cilium.images import mirrored
from components.network.cilium.routing_values import spell_routing
from components.network.model import Cilium, CiliumNative, DsrGeneve, DsrOption, NetworkSpec
from components.network.mtu import solve

Values = dict[str, Any]

_ONE_BY_ONE: Values = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}


def cilium_values(
    cni: Cilium,
    network: NetworkSpec,
    *,
    cluster: str,
    operators: int = 2,
    announces: Collection[str] = (),
    gateway_bundle: str | None = None,
    images: ImageMirror | None = None,
) -> Values:
    """Values for the chart of `cni.version` (1.11 or newer).

    `cluster` names the cluster to its peers; `operators` is how many replicas of the operator to run,
    which must not exceed the number of nodes; `announces` (`l2`, `bgp`) is how Cilium announces LoadBalancer
    addresses: empty where they are MetalLB's. `gateway_bundle`: the release of Gateway API's CRDs, where it is known.
    `images`: where images come from, if not from their makers. What the stack file adds is beside all this.
    """
    own = platform_values(
        cni,
        network,
        cluster=cluster,
        operators=operators,
        announces=announces,
        gateway_bundle=gateway_bundle,
        images=images,
    )
    return merged(own, cni.install.values)


def platform_values(
    cni: Cilium,
    network: NetworkSpec,
    *,
    cluster: str,
    operators: int = 2,
    announces: Collection[str] = (),
    gateway_bundle: str | None = None,
    images: ImageMirror | None = None,
) -> Values:
    """The values of `cilium_values` that are the platform's own."""
    release = _release(cni)
    replaces_proxy = cni.service_proxy == "ebpf"
    values: Values = {
        "bpf": {"masquerade": replaces_proxy},  # needs kube-proxy replacement
        "cluster": {"name": cluster},
        "enableIPv4Masquerade": True,  # null since 1.18: native routing without a CIDR would render, and exit
        "encryption": {"enabled": cni.encryption != "none", "type": _encryption_type(cni)},
        "endpointHealthChecking": {"enabled": cni.health_probes},
        "healthChecking": cni.health_probes,
        "hubble": _hubble(cni, release),
        "ipam": {"mode": "kubernetes"},  # pod addresses from node.spec.podCIDR, which kubeadm and k3s set
        "ipv4": {"enabled": True},
        "ipv6": {"enabled": False},
        "k8sServiceHost": network.api_server.host,  # there is no kube-proxy to find the API server by
        "k8sServicePort": str(network.api_server.port),
        # A word before 1.14, and a string ever since: 1.16 and later fail on the words of before.
        "kubeProxyReplacement": spell_proxy(replaces_proxy, release),
        "l7Proxy": cni.l7_proxy,
        "loadBalancer": _load_balancer(cni),
        # A changed value is a changed ConfigMap, which no agent reads twice: it takes other pods.
        "operator": {"replicas": operators, "rollOutPods": True, **_restarted_by(cni, gateway_bundle)},
        "rollOutCiliumPods": True,
        # Helm waits for desired − maxUnavailable pods, and the chart has 2: on two nodes, for none.
        "updateStrategy": _ONE_BY_ONE,
        **_mtu(cni, network, release),
        **_routing(cni, release),
        **_gateway(cni, release),
    }
    if within(release, "1.16.0", ""):
        # A DaemonSet of its own; in the agent before.
        values["envoy"] = {"enabled": cni.l7_proxy, "rollOutPods": True, "updateStrategy": _ONE_BY_ONE}
    if within(release, "1.17.0", ""):
        # One owner of the addresses: two fight over them.
        values["defaultLBServiceIPAM"] = "lbipam" if announces else "none"
    if "l2" in announces:
        values["l2announcements"] = {"enabled": True}
    if "bgp" in announces:
        values["bgpControlPlane"] = {"enabled": True}
    if cni.devices and within(release, "1.20.0", ""):
        values["devices"] = list(cni.devices)
    elif cni.devices:
        values["devices"] = " ".join(cni.devices)  # before 1.20 the chart writes it out as it stands
    if cni.upgraded_from:
        values["upgradeCompatibility"] = cni.upgraded_from
    return merged(values, tree(mirrored(images, release)))


def extra_problems(cni: Cilium, network: NetworkSpec, *, cluster: str, images: ImageMirror | None) -> list[Finding]:
    """What is wrong with the values that the stack file adds: keys of the platform's own, and keys of nobody's."""
    extra, release = cni.install.values, _release(cni)
    if not extra or nearest(cni.version) is None:
        return []
    own = platform_values(cni, network, cluster=cluster, images=images)
    both = list(taken(own, extra))
    found = [f"{key} is set by the platform, from fields of the stack file: take it out" for key in both]
    try:
        paths = [path for path in leaves(extra) if has(path, release) is None and dotted(path) not in both]
    except ValueError as error:
        return [Finding("cni-values", "cni.install.values", f"{error}: write them out")]
    for path in paths:
        near = closest(path, release)
        meant = f"write {dotted(near)}" if near else "take it out, or correct it"
        found.append(f"{dotted(path)} is no key of the chart of Cilium {release}, which would ignore it: {meant}")
    return [Finding("cni-values", "cni.install.values", said) for said in found]


def _release(cni: Cilium) -> str:
    """The release whose chart is known; rules refuse minors of which none is."""
    return nearest(cni.version) or cni.version


def _mtu(cni: Cilium, network: NetworkSpec, release: str) -> Values:
    """The link's MTU, not the pods': the agent takes the overheads off."""
    configured = solve(cni, network.underlay_mtu).configured
    if within(release, "1.13.0", ""):
        return {"MTU": configured}
    # Charts before 1.13 have no key for it and drop MTU in silence; agents read it all the same (cilium#20639).
    return {"extraConfig": {"mtu": str(configured)}}


def _routing(cni: Cilium, release: str) -> Values:
    if not isinstance(cni, CiliumNative):
        return tree(spell_routing(cni.routing.protocol, release))
    values: Values = {
        "autoDirectNodeRoutes": cni.routing.routes == "same-l2",
        "ipv4NativeRoutingCIDR": str(cni.routing.native_cidr),
        **tree(spell_routing("native", release)),
    }
    if isinstance(cni.load_balancing, DsrGeneve) and within(release, "1.14.3", ""):
        values["tunnelProtocol"] = "geneve"  # needed since 1.15, also without a tunnel
    return values


def _gateway(cni: Cilium, release: str) -> Values:
    if not within(release, "1.13.0", ""):
        return {}
    values: Values = {"enabled": cni.gateway_api}
    if within(release, "1.16.0", ""):
        values["gatewayClass"] = {"create": "auto"}  # a string: a bool is a schema error before 1.20
    return {"gatewayAPI": values}


def _restarted_by(cni: Cilium, gateway_bundle: str | None) -> Values:
    """The operator looks for Gateway API's CRDs once, at start: other pods are started when there are others."""
    if not cni.gateway_api or gateway_bundle is None:
        return {}
    return {"podAnnotations": {GATEWAY_BUNDLE: gateway_bundle}}


def _load_balancer(cni: Cilium) -> Values:
    values: Values = {"mode": cni.load_balancing.mode}
    if isinstance(cni.load_balancing, DsrOption | DsrGeneve):
        values["dsrDispatch"] = cni.load_balancing.dispatch
    return values


def _hubble(cni: Cilium, release: str) -> Values:
    if not cni.hubble:
        return {"enabled": False}
    # `helm` (the default) makes new certificates at every render that has no cluster to look them up in. Agents run
    # without theirs and take them when they come; the relay's pod can't start before.
    return {
        "enabled": True,
        "relay": {"enabled": not certificates_come_late(release), "rollOutPods": True},
        "tls": {"auto": {"enabled": True, "method": "cronJob"}},
    }


def _encryption_type(cni: Cilium) -> str:
    return cni.encryption if cni.encryption != "none" else "ipsec"  # the chart's default, without effect while off
