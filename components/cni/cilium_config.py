"""The `cilium-config` ConfigMap as the chart would render it, from the same model.

Settings of the data path only. Where an agent keeps its files on a machine (state, sockets, BPF file
systems) is the business of whoever runs it, given as flags beside `--config-dir`.
"""

from components.cni.model import Cilium, CiliumNative, DsrGeneve, DsrOption, NetworkSpec
from components.cni.mtu import solve
from components.manifests import Manifest, manifest
from components.names import CILIUM_CONFIG, KUBE_SYSTEM


def cilium_config(cni: Cilium, network: NetworkSpec, *, cluster: str) -> dict[str, str]:
    """The ConfigMap's data for agents and operator: every value a string, keys sorted.

    The keys are the agent's own option names (`cilium-agent --help` of 1.18); agent and operator skip
    each other's.
    """
    replaces_proxy = cni.service_proxy == "ebpf"
    data = {
        "bpf-lb-mode": cni.load_balancing.mode,
        "cluster-id": "0",
        "cluster-name": cluster,
        "default-lb-service-ipam": "none",
        "enable-bpf-masquerade": _bool(replaces_proxy),
        "enable-endpoint-health-checking": _bool(cni.health_probes),
        "enable-envoy-config": _bool(cni.gateway_api),
        "enable-gateway-api": _bool(cni.gateway_api),
        "enable-health-checking": _bool(cni.health_probes),
        "enable-hubble": _bool(cni.hubble),
        "enable-ipv4": "true",
        "enable-ipv4-masquerade": "true",
        "enable-ipv6": "false",
        "enable-ipv6-masquerade": "false",
        "enable-l7-proxy": _bool(cni.l7_proxy),
        "enable-wireguard": _bool(cni.encryption == "wireguard"),
        "identity-allocation-mode": "crd",
        "ipam": "kubernetes",
        "kube-proxy-replacement": _bool(replaces_proxy),
        "mtu": str(solve(cni, network.underlay_mtu).configured),
        **_routing(cni),
    }
    if isinstance(cni.load_balancing, DsrOption | DsrGeneve):
        data["bpf-lb-dsr-dispatch"] = cni.load_balancing.dispatch
    if cni.devices:
        data["devices"] = " ".join(cni.devices)
    return dict(sorted(data.items()))


def cilium_config_map(cni: Cilium, network: NetworkSpec, *, cluster: str) -> Manifest:
    """The ConfigMap itself, in kube-system, under the name every agent looks for."""
    data = cilium_config(cni, network, cluster=cluster)
    return manifest("v1", "ConfigMap", CILIUM_CONFIG, namespace=KUBE_SYSTEM, data=data)


def _routing(cni: Cilium) -> dict[str, str]:
    if not isinstance(cni, CiliumNative):
        return {"routing-mode": "tunnel", "tunnel-protocol": cni.routing.protocol}
    return {
        "auto-direct-node-routes": _bool(cni.routing.routes == "same-l2"),
        "ipv4-native-routing-cidr": str(cni.routing.native_cidr),
        "routing-mode": "native",
        # Without a tunnel the protocol only says how DSR packs the client's address.
        "tunnel-protocol": "geneve" if isinstance(cni.load_balancing, DsrGeneve) else "vxlan",
    }


def _bool(value: bool) -> str:
    return "true" if value else "false"
