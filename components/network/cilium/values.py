"""Helm values of the Cilium chart, for the version of the stack file: any release from 1.11 to 1.20.

Written out where a default is a trap, with the trap beside it. The charts' JSON Schemas let misspelt keys
pass and the older charts have none, so tests look up every key in the release's own table of keys and ask `explain`
what each of them really does there.
"""

from typing import Any

from components.charts.values import merged, taken
from components.core.finding import Finding
from components.core.labels import GATEWAY_BUNDLE
from components.core.versions import matches
from components.network.cilium.advice import certificates_come_late
from components.network.cilium.chart import settings
from components.network.cilium.chart.keys import closest, has, nearest
from components.network.cilium.chart.nested import dotted, flatten, unflatten
from components.network.cilium.data_path import DataPath
from components.network.cilium.images import mirrored
from components.network.cilium.model import Cilium
from components.network.mtu import solve
from components.network.networks import ChartContext, NetworkSpec

Values = dict[str, Any]

_ONE_BY_ONE: Values = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}


def cilium_values(cni: Cilium, network: NetworkSpec, context: ChartContext) -> Values:
    """Values for the chart of `cni.version` (1.11 or newer): the platform's own, and those that the stack file adds."""
    return merged(platform_values(cni, network, context), cni.install.values)


def platform_values(cni: Cilium, network: NetworkSpec, context: ChartContext) -> Values:
    """The values of `cilium_values` that are the platform's own."""
    release, path = _release(cni), cni.data_path(network)
    replaces_proxy = path.replaces_proxy
    values: Values = {
        "bpf": {"masquerade": replaces_proxy},  # needs kube-proxy replacement
        "cluster": {"name": context.cluster},
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
        "kubeProxyReplacement": settings.proxy_value(replaces_proxy, release),
        "l7Proxy": cni.l7_proxy,
        "loadBalancer": _load_balancer(path),
        # A changed value is a changed ConfigMap, which no agent reads twice: it takes other pods.
        "operator": {"replicas": context.operators, "rollOutPods": True, **_restarted_by(cni, context)},
        "rollOutCiliumPods": True,
        # Helm waits for desired − maxUnavailable pods, and the chart has 2: on two nodes, for none.
        "updateStrategy": _ONE_BY_ONE,
        **_mtu(cni, network, release),
        **_routing(path, release),
        **_gateway(cni, release),
    }
    if matches(release, ">=1.16"):
        # A DaemonSet of its own; in the agent before.
        values["envoy"] = {"enabled": cni.l7_proxy, "rollOutPods": True, "updateStrategy": _ONE_BY_ONE}
    if matches(release, ">=1.17"):
        # One owner of the addresses: two fight over them.
        values["defaultLBServiceIPAM"] = "lbipam" if context.announces else "none"
    if "l2" in context.announces:
        values["l2announcements"] = {"enabled": True}
    if "bgp" in context.announces:
        values["bgpControlPlane"] = {"enabled": True}
    if cni.devices and matches(release, ">=1.20"):
        values["devices"] = list(cni.devices)
    elif cni.devices:
        values["devices"] = " ".join(cni.devices)  # before 1.20 the chart writes it out as it stands
    if cni.upgraded_from:
        values["upgradeCompatibility"] = cni.upgraded_from
    return merged(values, unflatten(mirrored(context.images, release)))


def extra_problems(cni: Cilium, network: NetworkSpec, context: ChartContext) -> list[Finding]:
    """What is wrong with the values that the stack file adds: the platform sets the key, or the chart has none."""
    extra, release = cni.install.values, _release(cni)
    if not extra or nearest(cni.version) is None:
        return []
    own = platform_values(cni, network, context)
    both = list(taken(own, extra))
    found = [_problem(f"{key} is set by the platform, from fields of the stack file", "take it out") for key in both]
    try:
        paths = [path for path in flatten(extra) if has(path, release) is None and dotted(path) not in both]
    except ValueError as error:
        return [_problem(str(error), "write them out")]
    for path in paths:
        near = closest(path, release)
        meant = f"write {dotted(near)}" if near else "take it out, or correct it"
        said = f"{dotted(path)} is no key of the chart of Cilium {release}, which would ignore it"
        found.append(_problem(said, meant))
    return found


def _problem(said: str, remedy: str) -> Finding:
    return Finding("cni-values", "cni.install.values", said, remedy)


def _release(cni: Cilium) -> str:
    """The release whose chart is known; rules refuse minors of which none is."""
    return nearest(cni.version) or cni.version


def _mtu(cni: Cilium, network: NetworkSpec, release: str) -> Values:
    """The link's MTU, not the pods': the agent takes the overheads off."""
    configured = solve(cni, network.underlay_mtu).configured
    if matches(release, ">=1.13"):
        return {"MTU": configured}
    # Charts before 1.13 have no key for it and drop MTU in silence; agents read it all the same (cilium#20639).
    return {"extraConfig": {"mtu": str(configured)}}


def _routing(path: DataPath, release: str) -> Values:
    if not path.native:
        return unflatten(settings.routing_values(path.protocol, release))
    values: Values = {
        "autoDirectNodeRoutes": path.direct_routes,
        "ipv4NativeRoutingCIDR": path.native_cidr,
        **unflatten(settings.routing_values("native", release)),
    }
    if path.protocol == "geneve":
        values["tunnelProtocol"] = "geneve"  # of DSR
    return values


def _gateway(cni: Cilium, release: str) -> Values:
    if not matches(release, ">=1.13"):
        return {}
    values: Values = {"enabled": cni.gateway_api}
    if matches(release, ">=1.16"):
        values["gatewayClass"] = {"create": "auto"}  # a string: a bool is a schema error before 1.20
    return {"gatewayAPI": values}


def _restarted_by(cni: Cilium, context: ChartContext) -> Values:
    """The operator looks for Gateway API's CRDs once, at start: other pods are started when there are others."""
    if not cni.gateway_api or context.gateway_bundle is None:
        return {}
    return {"podAnnotations": {GATEWAY_BUNDLE: context.gateway_bundle}}


def _load_balancer(path: DataPath) -> Values:
    values: Values = {"mode": path.lb_mode}
    if path.lb_mode != "snat":
        values["dsrDispatch"] = path.dispatch
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
