"""MetalLB's configuration of releases before 0.13, a ConfigMap, as the stack file's `metallb`. Pure.

Sources: internal/config/config.go of MetalLB 0.12.1 (fields and defaults), MetalLB's release notes (what has changed).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, ValidationError

from components.core.finding import Finding
from components.core.messages import Path, Place, did_you_mean, violations
from components.core.model import Spec
from components.core.names import METALLB_SYSTEM
from components.core.types import as_label
from components.pools.addresses import address_block
from components.pools.model import BfdProfile, Peer, Pool
from components.pools.render import BGP_PORT
from components.pools.rules import Pooled, overlap_problems

RULE = "metallb-import"
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_ECHO_MILLISECONDS = 50
"""Default of `echo-interval`."""


class _Old(Spec):
    model_config = ConfigDict(alias_generator=lambda field: field.replace("_", "-"))


class OldRequirement(_Old):
    """One of `match-expressions`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class OldSelector(_Old):
    """One of `node-selectors`."""

    match_labels: dict[str, str] = Field(default_factory=dict)
    match_expressions: tuple[OldRequirement, ...] = ()


class OldPeer(_Old):
    """One of `peers`."""

    my_asn: int
    peer_asn: int
    peer_address: str
    source_address: str | None = None
    peer_port: int = BGP_PORT
    hold_time: str = ""
    keepalive_time: str = ""
    router_id: str = ""
    node_selectors: tuple[OldSelector, ...] = ()
    password: str = Field(default="", repr=False)
    bfd_profile: str = ""
    ebgp_multihop: bool = False


class OldRoute(_Old):
    """One of `bgp-advertisements`."""

    aggregation_length: int = 32
    aggregation_length_v6: int = 128
    localpref: int = 0
    communities: tuple[str, ...] = ()


class OldPool(_Old):
    """One of `address-pools`."""

    name: str
    protocol: Literal["layer2", "bgp"]
    addresses: tuple[str, ...]
    auto_assign: bool = True
    avoid_buggy_ips: bool = False
    bgp_advertisements: tuple[OldRoute, ...] = ()


class OldBfd(_Old):
    """One of `bfd-profiles`."""

    name: str
    receive_interval: int | None = None
    transmit_interval: int | None = None
    detect_multiplier: int | None = None
    echo_interval: int | None = None
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: int | None = None


class OldConfig(_Old):
    """The text `config` of the ConfigMap."""

    peers: tuple[OldPeer, ...] = ()
    bgp_communities: dict[str, str] = Field(default_factory=dict)
    address_pools: tuple[OldPool, ...] = ()
    bfd_profiles: tuple[OldBfd, ...] = ()


class Imported(NamedTuple):
    """What the configuration is today."""

    metallb: dict[str, Any]
    """Of the stack file: `pools`, `peers` and `bfdProfiles`, without what is the default."""
    changed: list[Finding]
    """What means something else today, or has to be done by hand: advice."""
    problems: list[Finding]
    """What can't be taken over."""


def import_config(data: Any, place: Place) -> Imported:
    """The configuration in today's terms. `data`: the text as YAML values. `place`: file and line of a value."""
    try:
        old = OldConfig.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        found = violations(error, data, OldConfig, place=place)
        return Imported({}, [], [one._replace(rule=RULE) for one in found])
    reading = _Reading(old, place)
    parts = {
        "pools": [reading.pool(index, one) for index, one in enumerate(old.address_pools)],
        "peers": [reading.peer(index, one) for index, one in enumerate(old.peers)],
        "bfdProfiles": [reading.bfd(index, one) for index, one in enumerate(old.bfd_profiles)],
    }
    reading.together()
    metallb = {key: value for key, value in parts.items() if value}
    return Imported(metallb, reading.changed, reading.problems)


class _Reading:
    def __init__(self, old: OldConfig, place: Place) -> None:
        self.old, self.place = old, place
        self.changed: list[Finding] = []
        self.problems: list[Finding] = []
        self.pooled: list[Pooled] = []
        """The blocks of the pools that were read so far."""
        self.peers = [f"peer{number}" for number, _ in enumerate(old.peers, 1)]

    def pool(self, index: int, old: OldPool) -> dict[str, Any]:
        path: Path = ("address-pools", index)
        name = self._name("pool", old.name, path)
        if old.protocol == "bgp":
            advertisement: dict[str, Any] = {"kind": "bgp", "peers": self.peers}
            routes = [self._route(one, name, (*path, "bgp-advertisements")) for one in old.bgp_advertisements]
            if any(routes):
                advertisement["routes"] = routes
        else:
            advertisement = {"kind": "l2"}
        made = {
            "name": name,
            "addresses": list(self._addresses(old, name, path)),
            "advertisement": advertisement,
            **({} if old.auto_assign else {"autoAssign": False}),
            **({"avoidBuggyIps": True} if old.avoid_buggy_ips else {}),
        }
        return self._checked(Pool, f"pool '{name}'", made, path)

    def _addresses(self, old: OldPool, name: str, path: Path) -> Iterator[str]:
        for number, text in enumerate(old.addresses):
            try:
                self.pooled.append(Pooled(name, address_block(text)))
            except ValueError as error:
                at = (*path, "addresses", number)
                said, _, remedy = str(error).rpartition(": ")
                said = f"{text!r} {said or 'is no range and no network'}"
                self._add(self.problems, f"pool '{name}'", said, remedy, at, value=text)
            else:
                yield text

    def _route(self, old: OldRoute, pool: str, path: Path) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if old.aggregation_length != 32:
            made["aggregationLength"] = old.aggregation_length
        item = f"pool '{pool}'"
        if old.aggregation_length_v6 != 128:
            said = f"aggregation-length-v6 {old.aggregation_length_v6} is for IPv6, and this platform has IPv4 only"
            self._add(self.changed, item, said, "it is left out", path)
        if communities := list(filter(None, (self._community(one, item, path) for one in old.communities))):
            made["communities"] = communities
        if old.localpref:
            outside = [name for name, one in zip(self.peers, self.old.peers, strict=True) if one.my_asn != one.peer_asn]
            if outside:
                said = f"localpref {old.localpref} was never sent to {', '.join(outside)}, which is of another AS"
                self._add(self.changed, item, said, "it is left out", path)
            else:
                made["localPreference"] = old.localpref
        return made

    def _community(self, text: str, item: str, path: Path) -> str:
        if re.fullmatch(r"[0-9]+:[0-9]+", text):
            return text
        known = self.old.bgp_communities
        if text not in known:
            near = did_you_mean(text, list(known)) or "write it in bgp-communities, or its two numbers"
            self._add(self.problems, item, f"bgp-communities has no {text!r}", near, path, value=text)
        return known.get(text, "")

    def peer(self, index: int, old: OldPeer) -> dict[str, Any]:
        path: Path = ("peers", index)
        name = self.peers[index]
        item = f"peer '{name}'"
        made: dict[str, Any] = {
            "name": name,
            "address": old.peer_address,
            "peerAsn": old.peer_asn,
            "myAsn": old.my_asn,
        }
        for field, text, key in (
            ("hold-time", old.hold_time, "holdSeconds"),
            ("keepalive-time", old.keepalive_time, "keepaliveSeconds"),
        ):
            if text and (found := self._seconds(text, item, (*path, field))) is not None:
                made[key] = found
        if old.peer_port != BGP_PORT:
            made["port"] = old.peer_port
        if old.source_address:
            made["sourceAddress"] = old.source_address
        if old.ebgp_multihop:
            made["multihop"] = True
        if old.bfd_profile:
            made["bfdProfile"] = as_label(old.bfd_profile)
        if old.node_selectors:
            made["nodeSelectors"] = [_selector(one) for one in old.node_selectors]
        if old.router_id:
            said = f"router-id {old.router_id}: today every node takes its highest address as its router ID"
            self._add(self.changed, item, said, "it is left out", (*path, "router-id"))
        if old.password:
            secret = made["passwordSecret"] = f"{name}-password"
            said = "its password was in the ConfigMap, where many can read it. Today it is in a Secret"
            command = f"kubectl --namespace {METALLB_SYSTEM} create secret generic {secret}"
            remedy = (
                f"run `{command} --type kubernetes.io/basic-auth --from-file=password=/dev/stdin`, and write the "
                "password to its standard input, without a line end"
            )
            self._add(self.changed, item, said, remedy, (*path, "password"))
        return self._checked(Peer, item, made, path)

    def _seconds(self, text: str, item: str, path: Path) -> int | None:
        parts = _DURATION.findall(text)
        if "".join(number + unit for number, unit in parts) != text:
            self._add(self.problems, item, f"{text!r} is no duration", "write seconds, as in 90s", path, value=text)
            return None
        return int(sum(float(number) * _SECONDS[unit] for number, unit in parts))

    def bfd(self, index: int, old: OldBfd) -> dict[str, Any]:
        path: Path = ("bfd-profiles", index)
        name = self._name("BFD profile", old.name, path)
        echo = (old.echo_interval or _ECHO_MILLISECONDS) if old.echo_mode else None
        found = {
            "name": name,
            "receiveMilliseconds": old.receive_interval,
            "transmitMilliseconds": old.transmit_interval,
            "detectMultiplier": old.detect_multiplier,
            "echoMilliseconds": echo,
            "passive": old.passive_mode or None,
            "minimumTtl": old.minimum_ttl,
        }
        made = {key: value for key, value in found.items() if value is not None}
        return self._checked(BfdProfile, f"BFD profile '{name}'", made, path)

    def together(self) -> None:
        """What concerns the whole configuration."""
        path: Path = ("address-pools",)
        self.problems += [self._located(one, path) for one in overlap_problems(self.pooled)]
        protocols = {pool.protocol for pool in self.old.address_pools}
        for wanted, said, remedy in _MEANINGS:
            if wanted in (*protocols, ""):
                self._add(self.changed, "address-pools", said, remedy, path)
        if "bgp" in protocols and not self.old.peers:
            said = "a pool is announced by BGP, and there are no peers"
            self._add(self.problems, "address-pools", said, "write them in peers", path)

    def _name(self, what: str, name: str, path: Path) -> str:
        made = as_label(name)
        if made != name:
            said = f"the name becomes '{made}', because Kubernetes takes no other"
            remedy = "change it in the Services that ask for this pool" if what == "pool" else ""
            self._add(self.changed, f"{what} {name!r}", said, remedy, (*path, "name"))
        return made

    def _checked(self, model: type[Spec], item: str, made: dict[str, Any], path: Path) -> dict[str, Any]:
        """As the stack file takes it; else what is wrong is said."""
        try:
            model.model_validate(made, by_alias=True, by_name=False)
        except ValidationError as error:
            for one in violations(error, made, model):
                if one.subject == "addresses" and not made["addresses"]:
                    continue  # each of them has a finding already
                self.problems.append(self._located(one._replace(subject=f"{item} {one.subject}"), path))
        return made

    def _add(
        self, to: list[Finding], item: str, said: str, remedy: str, path: Sequence[int | str], value: str = ""
    ) -> None:
        found = Finding(RULE, item, said, remedy, value=value, advice=to is self.changed)
        to.append(self._located(found, tuple(path)))

    def _located(self, finding: Finding, path: Path) -> Finding:
        at = self.place(path)
        return finding._replace(rule=RULE, file=at[0], lines=(at[1],)) if at else finding._replace(rule=RULE)


_MEANINGS = (
    (
        "layer2",
        "every node announced addresses by ARP. Today these are the nodes with the profile edge, if there are any, "
        "and no node with the label node.kubernetes.io/exclude-from-external-load-balancers, which kubeadm gives "
        "control planes (since MetalLB 0.14.2)",
        "write advertisement.nodeSelectors if other nodes are to announce them",
    ),
    (
        "bgp",
        "the speaker spoke BGP itself. Today FRR does, in a pod on every node (the default since MetalLB 0.16)",
        "check the routers' settings for these peers, for example their timers",
    ),
    (
        "bgp",
        "every pool was announced to every peer. Today a pool names its peers",
        "remove peers that need not know a pool",
    ),
    (
        "",
        "a Service asked for a pool by the annotation metallb.universe.tf/address-pool. Its name today is "
        "metallb.io/address-pool (since MetalLB 0.14.9; the old one is deprecated)",
        "change it in the Services that have it",
    ),
)
"""By protocol, or for both: what has changed for all pools, and what to do."""


def _selector(old: OldSelector) -> dict[str, Any]:
    conditions = {
        "matchLabels": old.match_labels,
        "matchExpressions": [
            {"key": one.key, "operator": one.operator, **({"values": list(one.values)} if one.values else {})}
            for one in old.match_expressions
        ],
    }
    return {key: value for key, value in conditions.items() if value}
