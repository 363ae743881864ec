"""Who reaches whom. Pure.

Sets of endpoints are whole numbers with a bit for each endpoint. For one pod and one direction all peers are decided
together: each rule takes its peers out of the set of those that are not decided yet. What may or may not match is kept
beside it, and a peer whose answer would be another one is undecided.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from ipaddress import ip_address, ip_network
from itertools import groupby
from typing import Literal, NamedTuple, TypeAlias

from components.core.endpoints import RFC_1918
from components.core.labels import NAMESPACE_NAME
from components.reach.model import (
    HIGHEST_PORT,
    PROTOCOLS,
    Action,
    Answer,
    BlockPeer,
    Clause,
    Direction,
    Endpoint,
    EntityPeer,
    Network,
    Peer,
    PodPeer,
    Policy,
    Port,
    PortMatch,
    Reason,
    Rule,
    Span,
    State,
    Tier,
    Verdict,
)
from components.tenancy.selectors import Asked

_PRIVATE: tuple[Network, ...] = tuple(ip_network(cidr) for cidr in (*RFC_1918, "100.64.0.0/10", "::/0"))
_NO_POLICY = "no policy for this direction selects the pods"
_NO_RULE = "no rule of the policies that select the pods is for it, and none of them denies the rest"
_MAY_SELECT = "whether it selects the pods is not known"


class Match(NamedTuple):
    """Endpoints that match, and those that match or may match."""

    sure: int
    possible: int


_Governing: TypeAlias = list[tuple[Tier, list[Policy]]]


class Outcome(NamedTuple):
    """The peers of one pod in one direction at one port."""

    allowed: int
    denied: int
    undecided: int
    direction: Direction
    causes: tuple[tuple[int, "_Cause"], ...]
    """For which peers; the last one of a peer holds."""

    def reason(self, peer: int) -> Reason:
        """What decides one peer."""
        cause = next(cause for bits, cause in reversed(self.causes) if bits >> peer & 1)
        names = ", ".join(dict.fromkeys(cause.policies))
        where = cause.rule.where if cause.rule else ""
        if cause.rule:
            text = f"{names}, {where}, {'allows' if cause.action == 'allow' else 'denies'} it"
        elif cause.action == "deny":
            text = f"{names}: none has a rule for it" if "," in names else f"{names} has no rule for it"
        else:
            text = f"{names}: {cause.why}" if names else cause.why
        return Reason(self.direction, cause.action, names, where, text)


class _Cause(NamedTuple):
    """A reason before its text is made: most are never shown."""

    action: Literal["allow", "deny", "undecided"]
    policies: tuple[str, ...] = ()
    rule: Rule | None = None
    why: str = ""


class Reach:
    """A state, ready to be asked."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.everyone = (1 << len(state.endpoints)) - 1
        self._by_namespace: dict[str, list[int]] = defaultdict(list)
        for place, endpoint in enumerate(state.endpoints):
            self._by_namespace[endpoint.namespace].append(place)
        self._outside = bits_of(self._by_namespace.pop("", []))
        self.pods = self.everyone & ~self._outside
        self._nodes = bits_of(place for place, one in enumerate(state.endpoints) if one.host_network)
        self._unreadable = bits_of(place for place, one in enumerate(state.endpoints) if one.unreadable)
        self._own: dict[tuple[Direction, str], list[Policy]] = defaultdict(list)
        for policy in state.policies:
            self._own[policy.direction, policy.namespace].append(policy)
        self._asked: dict[Asked, Match] = {}
        self._peers: dict[Peer, Match] = {}
        self._clauses: dict[tuple[Clause, ...], Match] = {}
        self._ports: dict[tuple[PortMatch, Port], Match] = {}
        self._selecting: dict[tuple[Direction, str], dict[int, _Governing]] = {}

    # --- questions ---------------------------------------------------------------------------------------

    def verdict(self, source: int, target: int, port: Port) -> Verdict:
        """Whether one endpoint reaches another. For an endpoint itself: two pods of it."""
        out = self.decide(source, "egress", port, 1 << target)
        back = self.decide(target, "ingress", port, 1 << source)
        reasons = (out.reason(target), back.reason(source))
        if out.denied or back.denied:
            return Verdict(Answer.NO, tuple(one for one in reasons if one.action == "deny"))
        if out.undecided or back.undecided:
            return Verdict(Answer.UNDECIDED, tuple(one for one in reasons if one.action == "undecided"))
        return Verdict(Answer.YES, reasons)

    def spans(self) -> list[Span]:
        """All ports, in parts that neither policies nor pods can tell apart."""
        starts: dict[str, set[int]] = {protocol: {1} for protocol in PROTOCOLS}
        matches = {one for policy in self.state.policies for rule in policy.rules for one in _port_matches(rule)}
        for match in matches:
            for protocol in [match.protocol] if match.protocol else PROTOCOLS:
                starts[protocol] |= set() if match.name else {match.first, match.last + 1}
        for name, protocol in {(match.name, match.protocol) for match in matches if match.name}:
            for port in {port for endpoint in self.state.endpoints for port in endpoint.ports if port.name == name}:
                if protocol in ("", port.protocol):
                    starts[port.protocol] |= {port.number, port.number + 1}
        named = {match.protocol for match in matches}
        alike = [of for of in PROTOCOLS if "" not in named and of not in named]
        parts = [*((of,) for of in PROTOCOLS if of not in alike), *([tuple(alike)] if alike else [])]
        return [span for of in parts for span in _parts(of, starts[of[0]])]

    def decide(self, local: int, direction: Direction, port: Port, universe: int) -> Outcome:
        """Which of these peers one endpoint may call (egress), or be called by (ingress)."""
        left, doubts = universe, list[tuple[int, Action | None, str, str]]()
        decided: dict[Action, int] = {"allow": 0, "deny": 0}
        causes: list[tuple[int, _Cause]] = []
        governed = False
        for tier, policies in self._of(local, direction):
            governed, passed, unmatched = True, 0, left
            for _, group in groupby(policies, key=lambda one: one.order[0] if tier.ambiguous else one.order):
                together = list(group)
                for policy in together:
                    why = policy.unreadable or ("" if self._all(policy.subject).sure >> local & 1 else _MAY_SELECT)
                    if why:
                        doubts.append((unmatched, None, policy.label, why))
                steps = self._hits(together, local, direction, port, unmatched, tier, doubts)
                for action, bits, policy, rule in steps:
                    unmatched &= ~bits
                    if action == "pass":
                        passed |= bits
                    else:
                        decided[action] |= bits
                        causes.append((bits, _Cause(action, (policy.label,), rule)))
            isolating = tuple(policy.label for policy in policies if policy.isolates and not policy.unreadable)
            if isolating:
                decided["deny"] |= unmatched
                causes.append((unmatched, _Cause("deny", isolating)))
                left = passed
            else:
                left = passed | unmatched
            if not left and not doubts:
                break
        decided["allow"] |= left
        causes.append((left, _Cause("allow", why=_NO_RULE if governed else _NO_POLICY)))
        if governed and (odd := universe & self._unreadable):
            doubts.append((odd, None, "", "the other pods can't be read"))
        return self._with_doubts(direction, universe, decided, causes, doubts)

    def changed(self, removed: Collection[str], added: Sequence[Policy]) -> "Reach":
        """The same pods with other policies in place of these. Only what they govern is computed again."""
        made = copy(self)
        made._own, made._selecting = copy(self._own), copy(self._selecting)
        gone = [policy for policy in self.state.policies if policy.label in removed]
        kept = tuple(policy for policy in self.state.policies if policy.label not in removed)
        made.state = replace(self.state, policies=(*kept, *added))
        for place in {(policy.direction, policy.namespace) for policy in (*gone, *added)}:
            own = [policy for policy in self._own.get(place, ()) if policy.label not in removed]
            made._own[place] = [*own, *(policy for policy in added if (policy.direction, policy.namespace) == place)]
            if place[1]:
                made._selecting.pop(place, None)
            else:
                made._selecting = {}
        return made

    def places_of(self, namespace: str) -> tuple[int, ...]:
        """The endpoints of a namespace."""
        return tuple(self._by_namespace.get(namespace, ()))

    def governed(self, local: int, direction: Direction) -> list[Policy]:
        """The policies that select an endpoint, or may."""
        return [policy for _, policies in self._of(local, direction) for policy in policies]

    # --- one direction -----------------------------------------------------------------------------------

    def _hits(
        self,
        policies: list[Policy],
        local: int,
        direction: Direction,
        port: Port,
        unmatched: int,
        tier: Tier,
        doubts: list[tuple[int, Action | None, str, str]],
    ) -> list[tuple[Action, int, Policy, Rule]]:
        """What the rules of policies with the same order do with peers that none before has matched."""
        found: list[tuple[Action, int, Policy, Rule]] = []
        left = unmatched
        for policy in policies:
            if policy.unreadable:
                continue
            if tier.ambiguous:
                left = unmatched  # each of them may be the first
            for rule in policy.rules:
                match = self._rule(rule, local, direction, port)
                if possible := left & match.possible & ~match.sure:
                    why = rule.unsure or "whether it matches is not known"
                    doubts.append((possible, rule.action, f"{policy.label}, {rule.where}", why))
                if bits := left & match.sure:
                    found.append((rule.action, bits, policy, rule))
                    left &= ~bits
        if tier.ambiguous and len(policies) > 1:
            by_action: dict[Action, int] = defaultdict(int)
            for action, bits, _, _ in found:
                by_action[action] |= bits
            twice = _in_two(by_action.values())
            if twice:
                names = " and ".join(policy.label for policy in policies)
                doubts.append((twice, None, names, "have the same priority and decide differently"))
        return found

    def _with_doubts(
        self,
        direction: Direction,
        universe: int,
        decided: Mapping[Action, int],
        causes: list[tuple[int, _Cause]],
        doubts: list[tuple[int, Action | None, str, str]],
    ) -> Outcome:
        # Kubernetes lets a pod's own node through, and which node that is is not known here.
        if own := decided["deny"] & self._nodes:
            doubts = [
                *doubts,
                (own, "deny", "", "the other pod uses its node's network, and a pod's own node is let in"),
            ]
            decided = {**decided, "deny": decided["deny"] & ~own}
        undecided = 0
        for bits, action, policy, why in doubts:
            unsure = bits & universe & ~(decided.get(action, 0) if action else 0)
            if unsure:
                undecided |= unsure
                causes.append((unsure, _Cause("undecided", (policy,) if policy else (), why=why)))
        kept = tuple(one for one in causes if one[0])
        if not undecided:
            return Outcome(decided["allow"], decided["deny"], 0, direction, kept)
        return Outcome(decided["allow"] & ~undecided, decided["deny"] & ~undecided, undecided, direction, kept)

    def _of(self, local: int, direction: Direction) -> "_Governing":
        """The policies that select an endpoint, or may, by tier."""
        namespace = self.state.endpoints[local].namespace
        kept = self._selecting.setdefault((direction, namespace), {})
        if local not in kept:
            found: dict[str, list[Policy]] = defaultdict(list)
            for policy in self._candidates(direction, namespace):
                if self._all(policy.subject).possible >> local & 1:
                    found[policy.tier].append(policy)
            tiers = sorted(self.state.tiers[name] for name in found)
            kept[local] = [(tier, sorted(found[tier.name], key=lambda one: one.order)) for tier in tiers]
        return kept[local]

    def _candidates(self, direction: Direction, namespace: str) -> Iterator[Policy]:
        if namespace:
            yield from self._own.get((direction, namespace), ())
            yield from self._own.get((direction, ""), ())

    def _rule(self, rule: Rule, local: int, direction: Direction, port: Port) -> Match:
        """The peers that a rule matches."""
        sure, possible = self._all(rule.peers) if rule.peers else Match(self.everyone, self.everyone)
        if rule.local:
            own = self._all(rule.local)
            sure, possible = sure * (own.sure >> local & 1), possible * (own.possible >> local & 1)
        if rule.ports is not None or rule.not_ports:
            at = self._at(rule, port)
            if direction == "egress":
                sure, possible = sure & at.sure, possible & at.possible
            else:
                sure, possible = sure * (at.sure >> local & 1), possible * (at.possible >> local & 1)
        return Match(0 if rule.unsure else sure, possible)

    # --- sets --------------------------------------------------------------------------------------------

    def _at(self, rule: Rule, port: Port) -> Match:
        """Endpoints at which this port is one of the rule's."""
        sure = possible = self.everyone if rule.ports is None else 0
        for match in rule.ports or ():
            one = self._port(match, port)
            sure, possible = sure | one.sure, possible | one.possible
        for match in rule.not_ports:
            without = self._port(match, port)
            sure, possible = sure & ~without.possible, possible & ~without.sure
        return Match(sure, possible)

    def _port(self, match: PortMatch, port: Port) -> Match:
        if match.protocol and match.protocol != port.protocol:
            return Match(0, 0)
        if not match.name:
            bits = self.everyone if match.first <= port.number <= match.last else 0
            return Match(bits, bits)
        if (match, port) not in self._ports:
            named = bits_of(
                place
                for place, endpoint in enumerate(self.state.endpoints)
                if any((one.name, one.number, one.protocol) == (match.name, *port) for one in endpoint.ports)
            )
            self._ports[match, port] = Match(named, named)
        return self._ports[match, port]

    def _all(self, clauses: tuple[Clause, ...]) -> Match:
        """Endpoints for which all conditions hold."""
        if len(clauses) == 1 and len(clauses[0].any_of) == 1 and not clauses[0].negated:
            return self._peer(clauses[0].any_of[0])
        if clauses not in self._clauses:
            sure = possible = self.everyone
            for clause in clauses:
                one, other = 0, 0
                for peer in clause.any_of:
                    match = self._peer(peer)
                    one, other = one | match.sure, other | match.possible
                if clause.negated:
                    one, other = self.everyone & ~other, self.everyone & ~one
                sure, possible = sure & one, possible & other
            self._clauses[clauses] = Match(sure, possible)
        return self._clauses[clauses]

    def _peer(self, peer: Peer) -> Match:
        if peer not in self._peers:
            if isinstance(peer, PodPeer):
                self._peers[peer] = self._pods(peer)
            elif isinstance(peer, BlockPeer):
                self._peers[peer] = self._block(peer)
            else:
                self._peers[peer] = self._entity(peer)
        return self._peers[peer]

    def _entity(self, peer: EntityPeer) -> Match:
        if peer.name == "api-servers":
            return self._api_servers()
        sets = {"everyone": self.everyone, "pods": self.pods, "outside": self._outside, "nodes": self._nodes}
        bits = sets[peer.name]
        if peer.name == "pods":
            bits &= ~self._nodes
        return Match(bits if peer.certain else 0, bits)

    def _api_servers(self) -> Match:
        """A pod in its node's network may be one."""
        known = self.state.api_servers
        if known is None:
            return Match(0, self._outside | self._nodes)
        found = bits_of(
            place for place in places(self._outside) if known.intersection(self.state.endpoints[place].addresses or ())
        )
        return Match(found, found | self._nodes)

    def _block(self, peer: BlockPeer) -> Match:
        sure = possible = 0
        for place, endpoint in enumerate(self.state.endpoints):
            inside = self._is_in(endpoint, peer)
            if inside is not False and endpoint.namespace:
                if peer.pods == "never" and not endpoint.host_network:
                    inside = False
                elif peer.pods != "address":
                    inside = None
            sure |= (inside is True) << place
            possible |= (inside is not False) << place
        return Match(sure, possible)

    def _is_in(self, endpoint: Endpoint, peer: BlockPeer) -> bool | None:
        """Whether an endpoint's address is in a block; None where that is not known."""
        if endpoint.addresses is not None:
            return any(holds(peer, address) for address in endpoint.addresses)
        if not peer.network.prefixlen and not peer.excepted:
            return True
        networks = self.state.pod_networks or _PRIVATE
        return None if any(_overlap(peer.network, one) for one in networks) else False

    def _pods(self, peer: PodPeer) -> Match:
        if peer.namespace:
            places = self._by_namespace.get(peer.namespace, [])
            sure = possible = 0
            for place in places:
                found = self._fits(self.state.endpoints[place], peer.selector)
                sure, possible = sure | (found is True) << place, possible | (found is not False) << place
        else:
            sure = possible = self.pods
            for asked in peer.selector:
                match = self._of_asked(asked)
                sure, possible = sure & match.sure, possible & match.possible
        if peer.accounts:
            chosen = bits_of(p for p, one in enumerate(self.state.endpoints) if one.account in peer.accounts)
            sure, possible = sure & chosen, possible & chosen
        if self._unreadable:
            own = self._by_namespace.get(peer.namespace, ())
            possible |= self._unreadable & (bits_of(own) if peer.namespace else self.pods)
            sure &= ~self._unreadable
        if not self._nodes:
            return Match(sure, possible)
        if self.state.cni == "cilium":  # pods in their node's network have the node's identity
            return Match(sure & ~self._nodes, possible & ~self._nodes)
        return Match(sure & ~self._nodes, possible)

    def _of_asked(self, asked: Asked) -> Match:
        """Pods of the whole cluster for which one condition holds."""
        if asked not in self._asked:
            if asked.of == "namespace":
                known = [(name, self._asks_namespace(asked, name)) for name in self._by_namespace]
                sure = bits_of(place for name, one in known if one is True for place in self._by_namespace[name])
                possible = bits_of(
                    place for name, one in known if one is not False for place in self._by_namespace[name]
                )
                self._asked[asked] = Match(sure, possible)
            elif asked.of == "other":
                bits = self.pods if asked.operator in ("NotIn", "DoesNotExist", "not global") else 0
                self._asked[asked] = Match(bits, bits)
            else:
                answers = [(place, _asks(asked, labels)) for place, labels in self._labels]
                sure = bits_of(place for place, one in answers if one is True)
                self._asked[asked] = Match(sure, bits_of(place for place, one in answers if one is not False))
        return self._asked[asked]

    def _fits(self, endpoint: Endpoint, selector: Iterable[Asked]) -> bool | None:
        result: bool | None = True
        for asked in selector:
            if asked.of == "other":
                one: bool | None = asked.operator in ("NotIn", "DoesNotExist", "not global")
            elif asked.of == "namespace":
                one = self._asks_namespace(asked, endpoint.namespace)
            else:
                one = _asks(asked, _pod_labels(endpoint, asked.label))
            if one is False:
                return False
            result = None if one is None else result
        return result

    def _asks_namespace(self, asked: Asked, name: str) -> bool | None:
        if asked.label == NAMESPACE_NAME:
            return _asks(asked, {NAMESPACE_NAME: name})
        return _asks(asked, self.state.namespaces.get(name))

    @cached_property
    def _labels(self) -> list[tuple[int, Mapping[str, str]]]:
        return [
            (place, {**one.labels, **_derived(one)}) for place, one in enumerate(self.state.endpoints) if one.namespace
        ]


def _derived(endpoint: Endpoint) -> dict[str, str]:
    """Labels that CNIs give to pods."""
    return {
        "projectcalico.org/orchestrator": "k8s",
        "projectcalico.org/serviceaccount": endpoint.account,
        "io.cilium.k8s.policy.serviceaccount": endpoint.account,
    }


def _pod_labels(endpoint: Endpoint, label: str) -> Mapping[str, str]:
    return endpoint.labels if label in endpoint.labels else _derived(endpoint)


def _asks(asked: Asked, labels: Mapping[str, str] | None) -> bool | None:
    """Whether labels fit; None where that is not known: labels that are not known, or an operator that is not."""
    if labels is None:
        return None
    value = labels.get(asked.label)
    texts = {"contains": str.__contains__, "starts with": str.startswith, "ends with": str.endswith}
    operator = asked.operator
    if operator == "In":
        return value in asked.values
    if operator == "NotIn":
        return value not in asked.values
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    if operator.removeprefix("not ") in texts and len(asked.values) == 1:
        fits = value is not None and texts[operator.removeprefix("not ")](value, asked.values[0])
        return fits is not operator.startswith("not ")
    return None


def bits_of(places: Iterable[int]) -> int:
    """A set of places as a number."""
    listed = list(places)
    if not listed:
        return 0
    if len(listed) < 64:
        return sum(1 << place for place in set(listed))
    held = bytearray(max(listed) // 8 + 1)
    for place in listed:
        held[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(held, "little")


def places(bits: int) -> Iterator[int]:
    """The places of a set."""
    place = -1
    while bits:
        step = (bits & -bits).bit_length()
        place += step
        yield place
        bits >>= step


def _parts(protocols: tuple[str, ...], starts: set[int]) -> Iterator[Span]:
    begins = sorted(start for start in starts if start <= HIGHEST_PORT)
    for first, after in zip(begins, [*begins[1:], HIGHEST_PORT + 1], strict=True):
        yield Span(protocols, first, after - 1)


def _in_two(sets: Iterable[int]) -> int:
    seen = twice = 0
    for bits in sets:
        twice |= seen & bits
        seen |= bits
    return twice


def holds(peer: BlockPeer, address: str) -> bool:
    """Whether an address is in a network, and in no part that is left out of it."""
    found = ip_address(address)
    return found in peer.network and not any(found in one for one in peer.excepted)


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _port_matches(rule: Rule) -> Iterator[PortMatch]:
    yield from rule.ports or ()
    yield from rule.not_ports
