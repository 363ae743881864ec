"""A setting of the data path, and a change of it, as each way to write it down has them."""

from typing import Any

from components.network.cilium.chart import settings
from components.network.cilium.chart.keys import Path
from components.network.cilium.chart.nested import Leaves, dotted
from components.network.cilium.constraints import Change, Constraint

_VALUES: dict[str, Path] = {
    "routing": settings.ROUTING_MODE,
    "protocol": settings.PROTOCOL,
    "lb_mode": settings.LB_MODE,
    "dispatch": settings.DISPATCH,
    "acceleration": settings.ACCELERATION,
    "replaces_proxy": settings.KPR,
    "direct_routes": settings.AUTO_ROUTES,
    "bpf_masquerade": settings.BPF_MASQUERADE,
    "native_cidr": settings.CIDR,
    "encryption": settings.ENCRYPTION_TYPE,
    "l7_proxy": settings.L7_PROXY,
    "gateway_api": settings.GATEWAY,
    "l2_announcements": settings.ANNOUNCEMENTS,
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
        return settings.ROUTING_MODE if found.get(settings.ROUTING_MODE) else settings.TUNNEL
    if field == "encryption" and settings.ENCRYPTION_TYPE not in found:
        return settings.ENCRYPTION
    return _VALUES[field]


def as_values(change: Change, release: str) -> dict[Path, Any]:
    """A change as Helm values of a release."""
    found: dict[Path, Any] = {}
    for field, value in change.items():
        if field == "routing":
            found |= settings.routing_values(value, release)
        elif field == "replaces_proxy":
            found[settings.KPR] = settings.proxy_value(value, release)
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
    entries: dict[str, Any] = {}
    for field, value in change.items():
        if field == "encryption":
            entries |= {f"enable-{name}": name == value for name in ("wireguard", "ipsec")}
        else:
            entries[config_key(field, value)] = value
    return ", ".join(f'{key}: "{_text(value)}"' for key, value in entries.items())


def spec_field(field: str) -> str:
    """The field of a stack file that a setting follows from."""
    return f"cni.{_SPEC.get(field, field).partition('.')[0]}"


def as_spec(change: Change) -> str:
    """A change as fields of a stack file's `cni`."""
    return " with ".join(
        f"serviceProxy: {'ebpf' if value else 'iptables'}"
        if field == "replaces_proxy"
        else f"{_SPEC.get(field, field)}: {_text(value)}"
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
