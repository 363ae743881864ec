"""Parses what `inspect.sh` printed. Pure."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from components.core.untrusted import Line, Untrusted, printable_json
from vds.shared.errors import OperationError

# --- inside a pod ------------------------------------------------------------------------------------------


class PodNetwork(NamedTuple):
    """Addresses and routes in a pod, each as `ip -j` has it."""

    addresses: list[dict[str, Any]]
    routes: list[dict[str, Any]]
    """IPv4, then IPv6."""

    @property
    def has_default(self) -> bool:
        """Whether a packet to anywhere finds a way out."""
        return any(route.get("dst") == "default" for route in self.routes)

    def lines(self) -> Iterator[str]:
        """Links with MTU and addresses, then routes as `ip route` writes them."""
        for link in self.addresses:
            own = " ".join(f"{item.get('local')}/{item.get('prefixlen')}" for item in link.get("addr_info", []))
            yield f"{link.get('ifname')}  mtu {link.get('mtu')}  {str(link.get('operstate')).lower()}  {own}".rstrip()
        for route in self.routes:
            yield route_line(route)


class _Address(TypedDict, total=False):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    local: str
    prefixlen: int


class _Link(TypedDict, total=False):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    addr_info: list[_Address]


class _Route(TypedDict, total=False):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    metrics: list[dict[str, Any]]
    flags: list[str]


_LINKS: TypeAdapter[Any] = TypeAdapter(list[_Link])
_ROUTES: TypeAdapter[Any] = TypeAdapter(list[_Route])


def pod_network(output: str) -> PodNetwork:
    """The three lines of `routes`. Raises OperationError for anything else."""
    try:
        addresses, routes, routes6 = (printable_json(line) for line in output.splitlines())
        return PodNetwork(
            _LINKS.validate_python(addresses),
            [*_ROUTES.validate_python(routes), *_ROUTES.validate_python(routes6)],
        )
    except ValueError:
        raise OperationError(
            f"`ip -j` inside the pod printed {output[:80]!r}: the node's iproute2 is older than 4.14; update it"
        ) from None


def route_line(route: Mapping[str, Any]) -> str:
    """One route of `ip -j route`, as `ip route` writes it, with the MTU that a CNI sets on it."""
    words = [str(route.get("dst"))]
    for key, word in (("gateway", "via"), ("dev", "dev"), ("prefsrc", "src"), ("metric", "metric")):
        if key in route:
            words += [word, str(route[key])]
    for metrics in route.get("metrics", []):
        words += [word for key, value in metrics.items() for word in (key, str(value))]
    return " ".join([*words, *map(str, route.get("flags", []))])


# --- Cilium's drops ----------------------------------------------------------------------------------------


class Drop(NamedTuple):
    """One packet that the CNI dropped."""

    reason: str
    source: str
    """Address, with the port where there is one; empty if the packet could not be read."""
    target: str
    protocol: str
    addresses: tuple[str, ...]
    identities: str
    """Cilium's security identities, `from->to`: `cilium-dbg identity get` says whose they are."""

    def line(self) -> str:
        """For people."""
        flow = f"{self.source} -> {self.target} {self.protocol}".rstrip() if self.source else "(unreadable packet)"
        return f"{flow}: {self.reason} (identity {self.identities})"


class _Hosts(Untrusted):
    src: Line = ""
    dst: Line = ""


class _Packet(Untrusted):
    l3: _Hosts | None = None
    l4: _Hosts | None = None
    tcp: Any = None
    udp: Any = None
    sctp: Any = None
    icmpv4: Any = None
    icmpv6: Any = None


class _DropEvent(Untrusted):
    type: Literal["drop"]
    reason: Line = "no reason given"
    summary: _Packet | None = None
    src_label: int = Field(0, alias="srcLabel")
    dst_label: int = Field(0, alias="dstLabel")


def drop(line: str) -> Drop | None:
    """A line of `cilium-dbg monitor --type drop --json`; None for any other line."""
    try:
        event = _DropEvent.model_validate_json(line)
    except ValueError:
        return None
    packet = event.summary or _Packet()
    hosts, ports = packet.l3 or _Hosts(), packet.l4 or _Hosts()
    names = {"tcp": "tcp", "udp": "udp", "sctp": "sctp", "icmpv4": "icmp", "icmpv6": "icmp6"}
    return Drop(
        reason=event.reason,
        source=_endpoint(hosts.src, ports.src),
        target=_endpoint(hosts.dst, ports.dst),
        protocol=next((name for key, name in names.items() if getattr(packet, key)), ""),
        addresses=tuple(address for address in (hosts.src, hosts.dst) if address),
        identities=f"{event.src_label}->{event.dst_label}",
    )


def _endpoint(host: str, port: str) -> str:
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# --- Calico's counters -------------------------------------------------------------------------------------


class Counted(NamedTuple):
    """A rule of the node's packet filter that dropped packets meanwhile."""

    chain: str
    rule: str
    """Its comment, in Calico's words, or the rule itself."""
    packets: int

    def line(self) -> str:
        """For people."""
        return f"{self.packets} packet{'s' if self.packets != 1 else ''} in {self.chain}: {self.rule}"


_IPTABLES = re.compile(r"\[(\d+):\d+\] -A (\S+) (.* -j (?:DROP|REJECT)\b.*)")
_NFT_CHAIN = re.compile(r"\s*chain (\S+) \{")
_NFT_RULE = re.compile(r"\s*(.*)counter packets (\d+) bytes \d+ ((?:drop|reject)\b.*)")
_COMMENT = re.compile(r'(?:--comment|comment) "([^"]*)"')


def counted(output: str) -> list[Counted]:
    """Rules whose counters rose during `calico_drops`. A new rule counts from 0."""
    before, _, later = output.partition("# later\n")
    old = _drop_counters(before)
    risen = {rule: count - old.get(rule, 0) for rule, count in _drop_counters(later).items()}
    return [Counted(chain, _comment(text), more) for (chain, text), more in risen.items() if more > 0]


def calico_interface(namespace: str, pod: str) -> str:
    """The node's end of a pod's link, which Calico's chains are named after.

    `cali` and 11 digits of the SHA-1 of `namespace.pod`: VethNameForWorkload in Calico's libcalico-go.
    """
    return "cali" + hashlib.sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()[:11]


def _drop_counters(ruleset: str) -> dict[tuple[str, str], int]:
    """(chain, rule) → packets, of `iptables-save -c` or `nft list table`; rules that are the same count together."""
    counters: dict[tuple[str, str], int] = {}
    chain = ""
    for line in ruleset.splitlines():
        if found := _NFT_CHAIN.match(line):
            chain = found[1]
            continue
        if found := _IPTABLES.match(line):
            rule, packets = (found[2], found[3]), int(found[1])
        elif found := _NFT_RULE.match(line):
            rule, packets = (chain, found[1] + found[3]), int(found[2])
        else:
            continue
        counters[rule] = counters.get(rule, 0) + packets
    return counters


def _comment(rule: str) -> str:
    # Calico's own comment beside its hash, `cali:…`; nftables has both in one text, hash first.
    comments = [re.sub(r"^cali:\S+\s*", "", text).strip() for text in _COMMENT.findall(rule)]
    return "; ".join(text for text in comments if text) or _COMMENT.sub("", rule).strip()


# --- agents ------------------------------------------------------------------------------------------------


class AgentStatus(NamedTuple):
    """The status of a node's CNI agent."""

    ready: bool
    text: str
    status: Any
    """Cilium's own status where it was asked as JSON; else None."""


def agent_status(output: str, succeeded: bool) -> AgentStatus:
    """The output of `status`. The exit code decides; with JSON the exit code is always 0, so the state decides.

    `Disabled` is ready too: an agent without health checks.
    """
    try:
        status = printable_json(output)
        state = status["cilium"]["state"]
    except (ValueError, KeyError, TypeError):
        return AgentStatus(succeeded, output.strip(), None)
    return AgentStatus(succeeded and state in ("Ok", "Disabled"), "", status)
