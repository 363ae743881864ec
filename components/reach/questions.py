"""Questions about a whole state: the matrix, what a change lets through, and who reaches another tenant. Pure."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from components.core.labels import TENANT
from components.reach.evaluate import Outcome, Reach, bits_of, places
from components.reach.model import PROTOCOLS, Answer, Direction, Endpoint, Port, Span, State, Verdict

RANK = {Answer.YES: 0, Answer.UNDECIDED: 1, Answer.NO: 2}
"""Of several answers the first holds: it is enough that one pod of a workload gets through."""


class Part(NamedTuple):
    """The answer for some ports."""

    spans: tuple[Span, ...]
    verdict: Verdict


class Cell(NamedTuple):
    """Whether one workload reaches another, at every port."""

    source: str
    target: str
    parts: tuple[Part, ...]

    def spans(self, answer: Answer) -> tuple[Span, ...]:
        """The ports with this answer."""
        return tuple(span for part in self.parts if part.verdict.answer is answer for span in part.spans)


class Difference(NamedTuple):
    """Ports at which the answer for a pair of workloads changes."""

    source: str
    target: str
    spans: tuple[Span, ...]
    before: Answer
    after: Verdict


class Crossing(NamedTuple):
    """A pair of pods of different tenants of which the first reaches the second, or may."""

    source: str
    target: str
    span: Span
    verdict: Verdict


class Answers:
    """The answers for workloads by name. A workload reaches another if one of its pods reaches one of the other's."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self._outcomes: dict[tuple[int, Direction, Port], Outcome] = {}

    def cells(self, sources: Sequence[str], targets: Sequence[str], spans: Sequence[Span]) -> Iterator[Cell]:
        """The matrix, row by row."""
        for source in sources:
            for target in targets:
                yield self.cell(source, target, spans)

    def cell(self, source: str, target: str, spans: Sequence[Span]) -> Cell:
        """One pair at these ports."""
        by_verdict: dict[Verdict, list[Span]] = defaultdict(list)
        for span in spans:
            by_verdict[self.verdict(source, target, span.port)].append(span)
        return Cell(source, target, tuple(Part(merged(found), verdict) for verdict, found in by_verdict.items()))

    def verdict(self, source: str, target: str, port: Port) -> Verdict:
        """One pair at one port. Raises KeyError for a workload that is not there."""
        workloads = self.reach.state.workloads
        found = [self.pair(one, other, port) for one in workloads[source] for other in workloads[target]]
        return min(found, key=lambda verdict: RANK[verdict.answer])

    def pair(self, source: int, target: int, port: Port) -> Verdict:
        """One pair of endpoints at one port."""
        sides = ((self._outcome(source, "egress", port), target), (self._outcome(target, "ingress", port), source))
        if found := [one.reason(peer) for one, peer in sides if one.denied >> peer & 1]:
            return Verdict(Answer.NO, tuple(found))
        if found := [one.reason(peer) for one, peer in sides if one.undecided >> peer & 1]:
            return Verdict(Answer.UNDECIDED, tuple(found))
        return Verdict(Answer.YES, tuple(one.reason(peer) for one, peer in sides))

    def _outcome(self, local: int, direction: Direction, port: Port) -> Outcome:
        key = (local, direction, port)
        if key not in self._outcomes:
            self._outcomes[key] = self.reach.decide(local, direction, port, self.reach.everyone)
        return self._outcomes[key]


def differences(before: State, after: State, among: Collection[str] | None = None) -> list[Difference]:
    """What a change lets through and what it stops. A workload that is in one of the states only is reached by none in
    the other. `among`: only pairs with one of these workloads."""
    old, new = Answers(Reach(before)), Answers(Reach(after))
    spans = _common(old.reach.spans(), new.reach.spans())
    names = sorted({*before.workloads, *after.workloads})
    found = []
    for source in names:
        for target in names:
            if among is not None and source not in among and target not in among:
                continue
            changed: dict[tuple[Answer, Verdict], list[Span]] = defaultdict(list)
            for span in spans:
                was, becomes = _asked(old, source, target, span), _asked(new, source, target, span)
                if was.answer is not becomes.answer:
                    changed[was.answer, becomes].append(span)
            found += [Difference(source, target, merged(at), was, now) for (was, now), at in changed.items()]
    return found


_NOT_THERE = Verdict(Answer.NO, ())


def _asked(answers: Answers, source: str, target: str, span: Span) -> Verdict:
    workloads = answers.reach.state.workloads
    there = source in workloads and target in workloads
    return answers.verdict(source, target, span.port) if there else _NOT_THERE


def tenant_of(state: State) -> Callable[[Endpoint], str]:
    """To which tenant a pod belongs: by the label of its namespace, else its namespace alone."""
    return lambda endpoint: (state.namespaces.get(endpoint.namespace) or {}).get(TENANT, endpoint.namespace)


def crossings(reach: Reach, group: Callable[[Endpoint], str], among: Callable[[Endpoint], bool]) -> Iterator[Crossing]:
    """Pods that reach, or may reach, pods of another group; only of endpoints in `among`.

    The first one is a counter-example to "no tenant reaches another".
    """
    state, names = reach.state, _names(reach.state)
    members: dict[str, list[int]] = defaultdict(list)
    for place, endpoint in enumerate(state.endpoints):
        if endpoint.namespace and among(endpoint):
            members[group(endpoint)].append(place)
    groups = [(found, bits_of(found)) for found in members.values()]
    everyone = bits_of(place for found, _ in groups for place in found)
    for span in reach.spans():
        open_to: dict[int, Outcome] = {}
        for found, own in groups:
            others = everyone & ~own
            for place in found:
                outcome = reach.decide(place, "ingress", span.port, others)
                if outcome.allowed or outcome.undecided:
                    open_to[place] = outcome
        reachable = bits_of(open_to)
        for found, own in groups:
            others = reachable & ~own
            for place in found if others else ():
                out = reach.decide(place, "egress", span.port, others)
                for target in places(out.allowed | out.undecided):
                    side = open_to[target]
                    if (side.allowed | side.undecided) >> place & 1:
                        verdict = reach.verdict(place, target, span.port)
                        yield Crossing(names[place], names[target], span, verdict)


def _names(state: State) -> Mapping[int, str]:
    """Of each endpoint, the first workload that has it."""
    found: dict[int, str] = {}
    for name, members in state.workloads.items():
        for place in members:
            found.setdefault(place, name)
    return found


def _common(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """The parts of both together."""
    starts: dict[str, set[int]] = {protocol: set() for protocol in PROTOCOLS}
    for span in (*one, *other):
        for protocol in span.protocols:
            starts[protocol].add(span.first)
    return [
        Span((protocol,), first, after - 1)
        for protocol, begins in starts.items()
        for first, after in zip(sorted(begins), [*sorted(begins)[1:], 65536], strict=True)
    ]


def merged(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The same ports in as few spans as there can be."""
    ranges: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for span in spans:
        for protocol in span.protocols:
            ranges[protocol].append((span.first, span.last))
    by_range: dict[tuple[int, int], list[str]] = defaultdict(list)
    for protocol in PROTOCOLS:
        for whole in _joined(sorted(ranges[protocol])):
            by_range[whole].append(protocol)
    return tuple(Span(tuple(protocols), *whole) for whole, protocols in by_range.items())


def _joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for first, last in ranges:
        if found and found[-1][1] + 1 == first:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found
