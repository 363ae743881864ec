"""Helm values of the Cilium chart, its images and its rollout, for the version of the stack file: 1.18 or newer.

Written out where a default is a trap, with the trap beside it. The charts' JSON Schemas let misspelt keys pass, so
tests render the charts and ask `explain` what each key really does there.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from components.charts.reference import Chart
from components.charts.values import merged
from components.core.labels import GATEWAY_BUNDLE
from components.core.manifests import Manifest, rollout_waits
from components.core.names import KUBE_SYSTEM
from components.core.versions import matches
from components.images.model import ImageMirror, image_at, pin_of
from components.network.cilium.changes import proxy_value, routing_values
from components.network.cilium.chart.nested import FlatValues, Path, keys, unflatten
from components.network.cilium.data_path import DataPath
from components.network.cilium.model import Cilium
from components.network.cilium.rules import certificates_come_late
from components.network.mtu import solve
from components.network.networks import ChartContext, Install, NetworkSpec, WaitAnnotation

Values = dict[str, Any]
HUBBLE_METRICS = ("drop:sourceContext=namespace|reserved-identity;destinationContext=namespace|reserved-identity",)
"""Dropped packets by reason, and by namespace or kind of peer: one series for each pair, and never one for each pod."""

_ONE_BY_ONE: Values = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}


def cilium_values(cni: Cilium, network: NetworkSpec, context: ChartContext) -> Values:
    """Values for the chart of `cni.version` (1.18 or newer): the platform's own, and those that the stack file adds."""
    return merged(platform_values(cni, network, context), cni.install.values)


def platform_values(cni: Cilium, network: NetworkSpec, context: ChartContext) -> Values:
    """The values of `cilium_values` that are the platform's own."""
    path = cni.data_path(network)
    replaces_proxy = path.replaces_proxy
    values: Values = {
        "bpf": {"masquerade": replaces_proxy},  # needs kube-proxy replacement
        "cluster": {"name": context.cluster},
        "enableIPv4Masquerade": True,  # null since 1.18: native routing without a CIDR would render, and exit
        "encryption": {"enabled": cni.encryption != "none", "type": _encryption_type(cni)},
        "endpointHealthChecking": {"enabled": cni.health_probes},
        "healthChecking": cni.health_probes,
        "hubble": _hubble(cni, context),
        "ipam": {"mode": "kubernetes"},  # pod addresses from node.spec.podCIDR, which kubeadm and k3s set
        "ipv4": {"enabled": True},
        "ipv6": {"enabled": False},
        "k8sServiceHost": network.api_server.host,  # there is no kube-proxy to find the API server by
        "k8sServicePort": str(network.api_server.port),
        "kubeProxyReplacement": proxy_value(replaces_proxy, cni.version),
        "l7Proxy": cni.l7_proxy,
        "loadBalancer": _load_balancer(path),
        # A changed value is a changed ConfigMap, which no agent reads twice: it takes other pods.
        "operator": {"replicas": context.operators, "rollOutPods": True, **_restarted_by(cni, context)},
        "rollOutCiliumPods": True,
        # Helm waits for desired − maxUnavailable pods, and the chart has 2: on two nodes, for none.
        "updateStrategy": _ONE_BY_ONE,
        **_routing(path),
        # The links' MTU, not the pods': the agent takes the overheads off.
        "MTU": solve(cni, network.underlay_mtu).configured,
        # A DaemonSet of its own, also where upgradeCompatibility would keep it in the agent.
        "envoy": {"enabled": cni.l7_proxy, "rollOutPods": True, "updateStrategy": _ONE_BY_ONE},
        # One owner of the addresses: two fight over them.
        "defaultLBServiceIPAM": "lbipam" if context.announces else "none",
        # A string: a bool is a schema error before 1.20.
        "gatewayAPI": {"enabled": cni.gateway_api, "gatewayClass": {"create": "auto"}},
    }
    if context.monitored:
        values["prometheus"] = {"enabled": True}
    if "l2" in context.announces:
        values["l2announcements"] = {"enabled": True}
    if "bgp" in context.announces:
        values["bgpControlPlane"] = {"enabled": True}
    if cni.devices and matches(cni.version, ">=1.20"):
        values["devices"] = list(cni.devices)
    elif cni.devices:
        values["devices"] = " ".join(cni.devices)  # before 1.20 the chart writes it out as it stands
    if cni.upgraded_from:
        values["upgradeCompatibility"] = cni.upgraded_from
    return merged(values, unflatten(mirrored(context.images, cni.version)))


def _routing(path: DataPath) -> Values:
    if not path.native:
        return unflatten(routing_values(path.protocol, path.release))
    values: Values = {
        "autoDirectNodeRoutes": path.direct_routes,
        "ipv4NativeRoutingCIDR": path.native_cidr,
        **unflatten(routing_values("native", path.release)),
    }
    if path.protocol == "geneve":
        values["tunnelProtocol"] = "geneve"  # of DSR
    return values


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


def _hubble(cni: Cilium, context: ChartContext) -> Values:
    if not cni.hubble:
        return {"enabled": False}
    values: Values = {"enabled": True}
    if context.monitored:
        values["metrics"] = {"enabled": list(HUBBLE_METRICS)}
    if not cni.hubble_relay or certificates_come_late(cni.version):
        # Only the relay calls agents; `hubble observe` in an agent's pod has a socket.
        return values | {"listenAddress": "", "relay": {"enabled": False}, "tls": {"enabled": False}}
    # `helm` (the default) makes new certificates at every render that has no cluster to look them up in. Agents run
    # without theirs and take them when they come; the relay's pod can't start before.
    relay = {"enabled": True, "rollOutPods": True}
    return values | {"relay": relay, "tls": {"auto": {"enabled": True, "method": "cronJob"}}}


def _encryption_type(cni: Cilium) -> str:
    return cni.encryption if cni.encryption != "none" else "ipsec"  # the chart's default, without effect while off


class ChartImage(NamedTuple):
    """An image of the chart."""

    path: Path
    """Of the group of values that has `repository`, `tag` and `digest`."""
    repository: str
    """The chart's own; the operator's gets its cloud's name behind it."""
    origin: str
    """What is pulled."""
    digest: str = "digest"
    """The key of its digest."""


def _image(path: str, repository: str) -> ChartImage:
    return ChartImage(keys(path), repository, repository)


_OPERATOR = ChartImage(
    ("operator", "image"), "quay.io/cilium/operator", "quay.io/cilium/operator-generic", "genericDigest"
)
_IMAGES = (
    _image("image", "quay.io/cilium/cilium"),
    _OPERATOR,
    _image("certgen.image", "quay.io/cilium/certgen"),
    _image("envoy.image", "quay.io/cilium/cilium-envoy"),
    _image("hubble.relay.image", "quay.io/cilium/hubble-relay"),
    _image("hubble.ui.backend.image", "quay.io/cilium/hubble-ui-backend"),
    _image("hubble.ui.frontend.image", "quay.io/cilium/hubble-ui"),
    _image("nodeinit.image", "quay.io/cilium/startup-script"),
    _image("preflight.image", "quay.io/cilium/cilium"),
    _image("preflight.envoy.image", "quay.io/cilium/cilium-envoy"),
    _image("clustermesh.apiserver.image", "quay.io/cilium/clustermesh-apiserver"),
    _image("authentication.mutual.spire.install.initImage", "docker.io/library/busybox"),
    _image("authentication.mutual.spire.install.agent.image", "ghcr.io/spiffe/spire-agent"),
    _image("authentication.mutual.spire.install.server.image", "ghcr.io/spiffe/spire-server"),
)


def chart_images(release: str) -> Iterator[ChartImage]:
    """The images of a release's chart, 1.18 or newer."""
    yield from _IMAGES
    if matches(release, ">=1.19"):
        host = "quay.io/cilium" if matches(release, ">=1.20") else "docker.io/istio"
        yield _image("encryption.ztunnel.image", f"{host}/ztunnel")


def mirrored(mirror: ImageMirror | None, release: str) -> FlatValues:
    """Values by which the chart pulls every image from the mirror, also those of features that are off.

    A digest is the chart's own where the stack file pins no other.
    """
    if mirror is None:
        return {}
    found: FlatValues = {}
    for image in chart_images(release):
        found[*image.path, "repository"] = image_at(mirror, image.repository)
        digest = pin_of(mirror, image.origin)
        if digest:
            found[*image.path, image.digest] = digest
            found[*image.path, "useDigest"] = True
    return found


def cilium_install(cni: Cilium, network: NetworkSpec, context: ChartContext) -> Install:
    """The chart, and its DaemonSets on every node."""
    name, version = cni.chart
    values = cilium_values(cni, network, context)
    return Install(
        kind="cilium",
        chart=Chart(name, KUBE_SYSTEM, version, cni.install.repository, cni.install.timeout_seconds),
        values=values,
        waits=tuple(
            WaitAnnotation(("agents", item["metadata"]["name"]), item) for item in rollout_annotations(cni, values)
        ),
    )


def rollout_annotations(cni: Cilium, values: Mapping[str, Any]) -> list[Manifest]:
    """The waits for the chart's objects that have pods."""
    objects = [("DaemonSet", "cilium"), ("Deployment", "cilium-operator")]
    if cni.l7_proxy:
        objects.append(("DaemonSet", "cilium-envoy"))
    if (values.get("hubble") or {}).get("relay", {}).get("enabled"):
        objects.append(("Deployment", "hubble-relay"))
    return rollout_waits(KUBE_SYSTEM, objects, cni.version, values)
