"""The firewall of a node: one nftables table of our own, which closes the cluster's ports to the world.

It looks at packets to the node's own addresses before kube-proxy gives them other ones: NodePorts are forwarded, so no
input chain sees them.

It only takes ports away: what else is open stays open, and other tables, as those of ufw, keep their say.
"""

from collections.abc import Iterable

from components.nodes.model import PortNeed
from components.nodes.settings.profiles import CLUSTER_PORTS

TABLE = "inet vds_platform"
_NODE_PORTS = (30000, 32767)


def ruleset(
    *, operators: Iterable[str], inside: Iterable[str], ssh: Iterable[int], api: int, ports: Iterable[PortNeed]
) -> str:
    """What `nft -f` reads. The same for every node.

    `operators` may reach SSH and the API server; `inside`, the networks of nodes and pods, everything. `ssh` and `api`
    are ports; `ports` are those that the nodes use among themselves.
    """
    needs = list(ports)
    closed_tcp = [*CLUSTER_PORTS, *((need.port, need.port) for need in needs if need.protocol == "tcp")]
    closed_udp = [_NODE_PORTS, *((need.port, need.port) for need in needs if need.protocol == "udp")]
    allowed, within = ", ".join(sorted(set(operators))), ", ".join(sorted(set(inside)))
    open_ports = [*((port, port) for port in ssh), (api, api)]
    return f"""\
table {TABLE}
delete table {TABLE}
table {TABLE} {{
	set inside {{ type ipv4_addr; flags interval; auto-merge; elements = {{ {within} }}; }}
	set operators {{ type ipv4_addr; flags interval; auto-merge; elements = {{ {allowed} }}; }}
	chain arriving {{
		type filter hook prerouting priority mangle; policy accept;
		fib daddr type != local accept
		ct state established,related accept
		iifname "lo" accept
		ip saddr @inside accept
		tcp dport {{ {_spans(open_ports)} }} ip saddr @operators accept
		tcp dport {{ {_spans([*open_ports, *closed_tcp])} }} drop
		udp dport {{ {_spans(closed_udp)} }} drop
	}}
}}"""


def _spans(spans: Iterable[tuple[int, int]]) -> str:
    """Sorted, without those that another one holds: nft refuses overlaps."""
    kept: list[tuple[int, int]] = []
    for first, last in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or last > kept[-1][1]:
            kept.append((max(first, kept[-1][1] + 1) if kept else first, last))
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in kept)
