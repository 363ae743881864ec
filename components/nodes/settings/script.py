"""The shell script that sets up a node: `node.sh` with what the stack file wants, and the kernel modules for it."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from shlex import quote

from components.core.shell import for_each, shell_script
from components.core.types import ServiceProxy
from components.nodes.model import NodeRequirements, NodeSpec, Sysctl, sysctl_path
from components.nodes.os_updates.model import UpdateSettings
from components.nodes.settings.profiles import RESERVED_PORTS, asked, compose, reserved_ports

RUN_SECONDS = 300
"""The script's own limit, kept by timeout(1) on the node: a lost connection leaves no process behind for ever.

It takes a tenth of a second; waiting for the lock of another run may take 20, loading modules some more, and where
unattended-upgrades is missing, apt's lock and a slow mirror two minutes each.
"""

_NODE_SH = (Path(__file__).parent / "node.sh").read_text(encoding="utf-8")


def command(verb: str, *words: str) -> str:
    """The command line that runs the script from standard input: `apply`, `check`, `confirm` or `remove`.

    Further words are ignored by the script; the engine sees that the command has changed.
    """
    return " ".join(["timeout", "-k", "5", str(RUN_SECONDS), "sh", "-s", quote(verb), *map(quote, words)])


def node_script(node: NodeSpec, requirements: NodeRequirements) -> str:
    """The POSIX shell text for one node; it goes in on standard input and holds no secret."""
    settings = compose((*asked(node), *requirements.sysctls))
    rows: list[tuple[str, ...]] = [
        (item.key, item.path, item.how, "required" if item.required else "optional", item.value, str(item.per_gib))
        for item in settings
    ]
    # Added to what the node reserves already.
    path = sysctl_path(RESERVED_PORTS)
    rows.append((RESERVED_PORTS, path, "ports", "optional", reserved_ports(requirements), "0"))
    wanted_modules = modules(requirements.service_proxy, settings)
    functions = for_each("settings", rows) + for_each("modules", [(name,) for name in wanted_modules])
    facts = {
        "node": node.name,
        "machine": node.machine,
        "kernel_floor": requirements.kernel_floor,
        "kernel_reason": requirements.kernel_reason,
        "keep_swap": "yes" if node.keep_swap else "no",
        "firewall": requirements.firewall,
        **_updates(requirements),
        # Shows later what was applied, and for which requirements the preflight judged the node.
        "digest": hashlib.sha256(f"{functions}{node.keep_swap}{tuple(requirements)!r}".encode()).hexdigest()[:16],
    }
    return shell_script(_NODE_SH, facts, functions)


def _updates(requirements: NodeRequirements) -> dict[str, str]:
    updates = requirements.os_updates or UpdateSettings("", (), "", "", "")
    return {
        "updates_apt": updates.apt,
        "updates_origins": "\n".join(updates.origins),
        "updates_download": updates.download,
        "updates_install": updates.install,
        "updates_timezone": updates.timezone,
    }


BRIDGED = ("br_netfilter", "overlay")
# iptables and nftables see bridged pod traffic only through br_netfilter (kube-proxy's own requirement).

BY_PROXY: dict[ServiceProxy, tuple[str, ...]] = {
    "ebpf": (),  # the CNI's programs sit at the interface: neither bridge hooks nor ip_vs are on the path
    "iptables": BRIDGED,
    "nftables": BRIDGED,
    # kube-proxy's IPVS mode (2018 article; nf_conntrack_ipv4 became nf_conntrack in kernel 4.19).
    "ipvs": (*BRIDGED, "ip_vs", "ip_vs_rr", "ip_vs_sh", "ip_vs_wrr", "nf_conntrack"),
}


def modules(proxy: ServiceProxy, settings: Iterable[Sysctl]) -> tuple[str, ...]:
    """Module names, sorted. conntrack's keys exist only while its module is loaded, so a setting of one needs it."""
    conntrack = {"nf_conntrack" for setting in settings if setting.key.startswith("net.netfilter.nf_conntrack")}
    return tuple(sorted({*BY_PROXY[proxy], *conntrack}))
