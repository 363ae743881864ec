"""A setting of the data path, and a change of it, as each way to write it down has them."""

from typing import Any

from components.network.cilium.chart.keys import Path
from components.network.cilium.chart.nested import Leaves, dotted
from components.network.cilium.chart.settings import (
    ACCELERATION,
    ANNOUNCEMENTS,
    AUTO_ROUTES,
    BPF_MASQUERADE,
    CIDR,
    DISPATCH,
    ENCRYPTION,
    ENCRYPTION_TYPE,
    GATEWAY,
    KPR,
    L7_PROXY,
    LB_MODE,
    PROTOCOL,
    ROUTING_MODE,
    TUNNEL,
    proxy_value,
    routing_values,
)
from components.network.cilium.constraints import Change, Constraint

_VALUES: dict[str, Path] = {
    "routing": ROUTING_MODE,
    "protocol": PROTOCOL,
    "lb_mode": LB_MODE,
    "dispatch": DISPATCH,
    "acceleration": ACCELERATION,
    "replaces_proxy": KPR,
    "direct_routes": AUTO_ROUTES,
    "bpf_masquerade": BPF_MASQUERADE,
    "native_cidr": CIDR,
    "encryption": ENCRYPTION_TYPE,
    "l7_proxy": L7_PROXY,
    "gateway_api": GATEWAY,
    "l2_announcements": ANNOUNCEMENTS,
}
_CONFIG = {
    "routing": "routing-mode",
    "protocol": "tunnel-protocol",
    "lb_mode": "bpf-lb-mode",
    "dispatch": "bpf-lb-dsr-dispatch",
    "acceleration": "bpf-lb-acceleration",
    "replaces_proxy": "kube-proxy-replacement",
    "direct_routes": "auto-direct-node-routes",
    "bpf_masquerade": "enable-bpf-masquerade",
    "native_cidr": "ipv4-native-routing-cidr",
    "l7_proxy": "enable-l7-proxy",
    "gateway_api": "enable-gateway-api",
    "l2_announcements": "enable-l2-announcements",
}
_SPEC = {
    "lb_mode": "loadBalancing.mode",
    "dispatch": "loadBalancing.dispatch",
    "encryption": "encryption",
    "l7_proxy": "l7Proxy",
    "gateway_api": "gatewayApi",
}


def values_key(field: str, found: Leaves) -> Path:
    """The key of Helm values that a setting was written in."""
    if field in ("routing", "native_cidr"):
        return ROUTING_MODE if found.get(ROUTING_MODE) else TUNNEL
    if field == "encryption" and ENCRYPTION_TYPE not in found:
        return ENCRYPTION
    return _VALUES[field]


def as_values(change: Change, release: str) -> dict[Path, Any]:
    """A change as Helm values of a release."""
    found: dict[Path, Any] = {}
    for field, value in change.items():
        if field == "routing":
            found |= routing_values(value, release)
        elif field == "replaces_proxy":
            found[KPR] = proxy_value(value, release)
        else:
            found[_VALUES[field]] = value
    return found


def config_key(field: str, value: Any) -> str:
    """The key of `cilium-config` that a setting is in."""
    if field == "encryption":
        return "enable-ipsec" if value == "ipsec" else "enable-wireguard"
    return _CONFIG[field]


def as_config(change: Change) -> str:
    """A change as entries of `cilium-config`."""
    return ", ".join(
        f'{config_key(field, value)}: "{_text(True if field == "encryption" else value)}"'
        for field, value in change.items()
    )


def spec_field(field: str) -> str:
    """The field of a stack file that a setting follows from."""
    return f"cni.{_SPEC.get(field, field).partition('.')[0]}"


def as_spec(change: Change) -> str:
    """A change as fields of a stack file's `cni`."""
    return " with ".join(
        f"serviceProxy: {'ebpf' if value else 'iptables'}"
        if field == "replaces_proxy"
        else f"{_SPEC[field]}: {_text(value)}"
        for field, value in change.items()
    )


def written(values: dict[Path, Any]) -> tuple[tuple[str, Any], ...]:
    """Keys as `--set` has them, with their values."""
    return tuple((dotted(path), value) for path, value in values.items())


def effect(row: Constraint, reason: str) -> str:
    """What a broken constraint does, as a sentence's beginning, with the reason."""
    return {"refused": f"every agent exits: {reason}", "ignored": f"does nothing: {reason}"}.get(row.effect, reason)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
