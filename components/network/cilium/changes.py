"""A setting of the data path, and a change of it, as each way to write it down has them."""

from typing import Any, NamedTuple

from components.core.versions import matches
from components.network.cilium.chart.nested import FlatValues, dotted, keys
from components.network.cilium.constraints import Change, Constraint


class _Setting(NamedTuple):
    values: str
    """The chart's key."""
    config: str
    """The entry of `cilium-config`."""
    spec: str = ""
    """The field of a stack file's `cni`; empty: it follows from others."""


_SETTINGS = {
    "routing": _Setting("routingMode", "routing-mode", "routing"),
    "protocol": _Setting("tunnelProtocol", "tunnel-protocol", "protocol"),
    "lb_mode": _Setting("loadBalancer.mode", "bpf-lb-mode", "loadBalancing.mode"),
    "dispatch": _Setting("loadBalancer.dsrDispatch", "bpf-lb-dsr-dispatch", "loadBalancing.dispatch"),
    "acceleration": _Setting("loadBalancer.acceleration", "bpf-lb-acceleration"),
    "replaces_proxy": _Setting("kubeProxyReplacement", "kube-proxy-replacement", "serviceProxy"),
    "direct_routes": _Setting("autoDirectNodeRoutes", "auto-direct-node-routes"),
    "bpf_masquerade": _Setting("bpf.masquerade", "enable-bpf-masquerade"),
    "masquerades": _Setting("enableIPv4Masquerade", "enable-ipv4-masquerade"),
    "masquerades_ipv6": _Setting("enableIPv6Masquerade", "enable-ipv6-masquerade"),
    "ip_masq_agent": _Setting("ipMasqAgent.enabled", "enable-ip-masq-agent"),
    "egress_gateway": _Setting("egressGateway.enabled", "enable-ipv4-egress-gateway"),
    "no_conntrack": _Setting("installNoConntrackIptablesRules", "install-no-conntrack-iptables-rules"),
    "native_cidr": _Setting("ipv4NativeRoutingCIDR", "ipv4-native-routing-cidr", "routing.nativeCidr"),
    "native_cidr_ipv6": _Setting("ipv6NativeRoutingCIDR", "ipv6-native-routing-cidr"),
    "ipv4": _Setting("ipv4.enabled", "enable-ipv4"),
    "ipv6": _Setting("ipv6.enabled", "enable-ipv6"),
    "ipam": _Setting("ipam.mode", "ipam"),
    "encryption": _Setting("encryption.type", "enable-wireguard", "encryption"),
    "l7_proxy": _Setting("l7Proxy", "enable-l7-proxy", "l7Proxy"),
    "gateway_api": _Setting("gatewayAPI.enabled", "enable-gateway-api", "gatewayApi"),
    "l2_announcements": _Setting("l2announcements.enabled", "enable-l2-announcements"),
    "mtu": _Setting("MTU", "mtu"),
}


def is_setting(field: str) -> bool:
    """Whether a field of the data path is a value of its own, and does not follow from others."""
    return field in _SETTINGS


def proxy_value(replaces: bool, release: str) -> str:
    """The value of `kubeProxyReplacement` on a release: a word before 1.14."""
    if matches(release, ">=1.14"):
        return "true" if replaces else "false"
    return "strict" if replaces else "disabled"


def routing_values(meaning: str, release: str) -> FlatValues:
    """`native`, `vxlan` or `geneve` in the chart's keys.

    Charts 1.14.0 to 1.14.2 write `routing-mode` twice where `routingMode` is set.
    """
    if matches(release, "<1.14.3"):
        return {("tunnel",): "disabled" if meaning == "native" else meaning}
    if meaning == "native":
        return {("routingMode",): "native"}
    return {("routingMode",): "tunnel", ("tunnelProtocol",): meaning}


def as_values(change: Change, release: str) -> FlatValues:
    """A change as Helm values of a release."""
    found: FlatValues = {}
    for field, value in change.items():
        if field == "routing":
            found |= routing_values("vxlan" if value == "tunnel" else value, release)
        elif field == "replaces_proxy":
            found[keys("kubeProxyReplacement")] = proxy_value(value, release)
        elif field == "encryption":
            found |= {keys("encryption.enabled"): bool(value), keys("encryption.type"): value or "ipsec"}
        else:
            found[keys(_SETTINGS[field].values)] = value
    return found


def config_key(field: str, value: Any = None) -> str:
    """The key of `cilium-config` that a setting is in."""
    return "enable-ipsec" if (field, value) == ("encryption", "ipsec") else _SETTINGS[field].config


def as_config(change: Change) -> str:
    """A change as entries of `cilium-config`."""
    entries: dict[str, Any] = {}
    for field, value in change.items():
        if field == "encryption":
            entries |= {f"enable-{name}": name == value for name in ("wireguard", "ipsec")}
        else:
            entries[config_key(field)] = value
    return ", ".join(f'{key}: "{_text(value)}"' for key, value in entries.items())


def spec_field(field: str) -> str:
    """The field of a stack file that a setting follows from."""
    return f"cni.{(_SETTINGS[field].spec or field).partition('.')[0]}"


def as_spec(change: Change) -> str:
    """A change as fields of a stack file's `cni`."""
    return " with ".join(
        f"serviceProxy: {'ebpf' if value else 'iptables'}"
        if field == "replaces_proxy"
        else f"{_SETTINGS[field].spec or field}: {_text(value)}"
        for field, value in change.items()
    )


def written(values: FlatValues) -> tuple[tuple[str, Any], ...]:
    """Keys as `--set` has them, with their values."""
    return tuple((dotted(path), value) for path, value in values.items())


def effect(row: Constraint, reason: str) -> str:
    """What a broken constraint does, as a sentence's beginning, with the reason."""
    return {"refused": f"every agent exits: {reason}", "ignored": f"does nothing: {reason}"}.get(row.effect, reason)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
