"""Watches a canary: looks at its requests, and moves it to the next step or back."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from components.gateway.canary import record as records
from components.gateway.canary import weights
from components.gateway.canary.judgement import PASSED, Evidence, Outcome, overall
from components.gateway.canary.model import Plan, Source, seconds
from components.gateway.canary.record import ENDED, Held, Record
from components.gateway.canary.route import CanaryRoute, RouteError
from components.gateway.canary.traffic import FAILED, NOTHING, Seen, between
from components.kubernetes_api import ApiError, Cluster, CredentialsError, UnreachableError, get
from vds.shared.errors import OperationError
from vds.shared.lease import lives

SHORTEST_LEASE = 30
"""Seconds after which another process may watch a canary whose process does not say any more that it lives."""
SETTLED = 2
"""Seconds until every pod of the gateway has new weights, with room: Traefik takes a change 0.1 s after another one
(ADR 44). Requests before that are not counted: a window has one share only."""
_TRIES = 5
_CONFLICT = 409
_REFUSED = (403, 422)
"""Statuses of a write that the API server does not let through, however often it is repeated."""
_BY_HAND = "by hand"


class ChangedError(Exception):
    """Somebody else has changed the record since it was read."""


class Canaried(NamedTuple):
    """A route whose canary has steps, in its cluster."""

    cluster: Cluster
    route: CanaryRoute

    @property
    def item(self) -> str:
        """What messages call it."""
        return f"canary of {self.route.item}"

    @property
    def plan(self) -> Plan:
        """Its steps, as they were when the command began."""
        return self.route.plan

    def words(self, name: str) -> str:
        """A command for the same canary, as a message names it."""
        return f"vds canary {name} {self.route.name} --namespace {self.route.namespace}"

    @property
    def lease_seconds(self) -> int:
        """How long a process may be silent."""
        return max(SHORTEST_LEASE, 3 * seconds(self.plan.interval))

    @property
    def path(self) -> str:
        """Of its record."""
        return records.path(self.route.namespace, self.route.name)

    def read(self) -> Held | None:
        """The record; None before the first rollout. Raises OperationError if it can't be read."""
        try:
            found = get(self.cluster, self.path)
            return records.held(found) if found else None
        except records.RecordError as error:
            raise OperationError(f"{self.item}: {error}") from None

    def write(self, record: Record, before: Held | None, *, holder: str, now: float) -> None:
        """Write the record over the version that was read. Raises ChangedError if there is a newer one."""
        version = before.version if before else ""
        item = records.lease(record, self.route, holder=holder, now=now, seconds=self.lease_seconds, version=version)
        method, path = ("PUT", self.path) if before else ("POST", self.path.rpartition("/")[0])
        try:
            self.cluster.request(method, path, item)
        except ApiError as error:
            if error.status == _CONFLICT:
                raise ChangedError from None
            raise

    def watched(self, held: Held, now: float) -> bool:
        """Whether a process watches it. A Lease that says so of a far later time is not believed: a tenant may write
        it."""
        soon = now < held.until <= now + 2 * self.lease_seconds
        return bool(held.holder) and soon and lives(held.holder)

    def set_weights(self, percent: int) -> bool:
        """Give the canary its share. Raises OperationError if the route has changed."""
        for _ in range(_TRIES):
            try:
                return weights.put(self.cluster, self.route, percent)
            except ApiError as error:
                if error.status != _CONFLICT:
                    raise
            except RouteError as error:
                raise OperationError(str(error)) from None
        raise ApiError(_CONFLICT, f"{self.item}: others change the route all the time")

    def outcomes(self, record: Record) -> dict[str, Outcome]:
        """The judgement of each gate."""
        gates = self.plan.gates
        return {
            gate.name: record.evidence.get(gate.name, Evidence({})).outcome(
                steps=len(self.plan.steps), gates=len(gates), false_alarms=self.plan.abort.false_alarm_percent / 100
            )
            for gate in gates
        }


_REMEDIES: Mapping[Source, str] = {
    "gateway": "the gateway must be the platform's Traefik, and the kubeconfig one of the platform team",
    "prometheus": "name a Prometheus that collects from the gateway's pods, with a kubeconfig of the platform team",
    "probe": "correct canary.probe, or repair the stable version; the kubeconfig needs the rights of the guide",
}


def require_counters(canaried: Canaried, seen: Mapping[Source, Seen]) -> None:
    """Raises OperationError if a gate's requests can't be counted, so that it could never roll the canary back."""
    for source, counted in seen.items():
        pods = [one for one in counted.values() if not isinstance(one, str)]
        if source == "probe" and pods and not any(one["stable"].requests > one["stable"].failed for one in pods):
            counted, pods = {"": "the stable version answers no probe with 200"}, []
        if not pods:
            why = ", ".join(_unread(counted)) or f"no pod of Traefik runs in {canaried.route.gateway_namespace}"
            raise OperationError(
                f"{canaried.item}: requests of source {source} can't be counted ({why}), and nothing was changed: "
                f"{_REMEDIES[source]}"
            )


def _unread(counted: Seen) -> list[str]:
    return sorted(one for one in counted.values() if isinstance(one, str))


def begin(canaried: Canaried, *, holder: str, now: float, again: bool = False) -> Record:
    """Take the canary, and begin or go on; without `again`, a rollout that has ended stays so.

    Raises OperationError if another process has it.
    """
    held = canaried.read()
    if held and held.holder != holder and canaried.watched(held, now):
        raise OperationError(
            f"{canaried.item}: process {held.holder} watches it: wait {held.until - now:.0f} s if that process is dead"
        )
    if held and held.record.phase in ENDED and not again:
        return held.record
    if held and held.record.phase not in ENDED:
        record = held.record._replace(phase="running", reason="resumed")
    else:
        first = canaried.plan.steps[0]
        record = Record("running", first, now, now, f"started with {first} %")
    try:
        canaried.write(record, held, holder=holder, now=now)
    except ChangedError:
        raise OperationError(f"{canaried.item}: another process has changed it just now: run this again") from None
    return record


def observed(canaried: Canaried, record: Record, seen: Mapping[Source, Seen]) -> Record:
    """The record with the requests since the last look."""
    evidence, counters = dict(record.evidence), {}
    for source, name, now in ((source, name, now) for source, all_ in seen.items() for name, now in all_.items()):
        key = f"{source} {name}"
        before = NOTHING if source == "probe" else record.counters.get(key)  # probes are of this look only
        if isinstance(now, str):  # it is counted at a later look
            if key in record.counters:
                counters[key] = record.counters[key]
            continue
        if source != "probe":
            counters[key] = now
        counted = between(before, now) if before is not None else None
        for gate in (gate for gate in canaried.plan.gates if gate.source == source):
            bad = {kind: one for kind, one in (counted or {}).items() if (kind == FAILED) == (gate.kind == "success")}
            if bad:
                evidence[gate.name] = evidence.get(gate.name, Evidence({})).after(bad, gate.margin)
    return record._replace(evidence=evidence, counters=counters)


def decided(canaried: Canaried, record: Record, now: float, unread: Sequence[str] = ()) -> Record:
    """The record after a look: as it was, one step on, or rolled back. `unread`: why requests could not be counted."""
    plan, found = canaried.plan, canaried.outcomes(record)
    bad = [kind for kind, outcome in found.items() if outcome == "worse"]
    if bad:
        many = max(record.evidence[kind].canary for kind in bad)
        said = f"{' and '.join(bad)}: worse than stable at {record.percent} %, after {many} canary requests"
        return record.moved(0, "rolled-back", now, said)
    if record.phase == "paused" or now - record.since < seconds(plan.hold):
        return record
    if overall(list(found.values())) in PASSED:
        said = ", ".join(f"{kind}: {outcome}" for kind, outcome in found.items())
        return advanced(plan, record, now, said)
    if now - record.since >= seconds(plan.abort.inconclusive_after):
        left = ", ".join(f"{kind}: {outcome}" for kind, outcome in found.items() if outcome not in PASSED)
        left += f" ({', '.join(unread)})" if unread else ""
        return record.moved(0, "rolled-back", now, f"not decided after {plan.abort.inconclusive_after}: {left}")
    return record


def advanced(plan: Plan, record: Record, now: float, reason: str) -> Record:
    """The next step. It is the end if there is none, or if it leaves nothing to compare with (100 %)."""
    later = [step for step in plan.steps if step > record.percent]
    if not later:
        return record._replace(phase="finished", reason=reason)
    phase: records.Phase = "finished" if later[0] == 100 else record.phase
    return record.moved(later[0], phase, now, f"{later[0]} % after {reason}")


def promote(canaried: Canaried, now: float) -> Record:
    """The next step now, whatever the gates say. Raises OperationError if no rollout runs."""
    return _change(canaried, now, lambda held: advanced(canaried.plan, _going(canaried, held), now, _BY_HAND))[0]


def pause(canaried: Canaried, now: float) -> Record:
    """Stay at the present step. A bad version is rolled back all the same."""
    return _change(canaried, now, lambda held: _going(canaried, held)._replace(phase="paused", reason=_BY_HAND))[0]


def abort(canaried: Canaried, now: float) -> Record:
    """All requests to `stable`. If the rollout had ended, its record goes too, and the next `start` begins anew."""

    def aborted(held: Held | None) -> Record:
        record = held.record if held else Record("rolled-back", 0, now, now, _BY_HAND)
        return record.moved(0, "rolled-back", now, _BY_HAND)

    changed, held = _change(canaried, now, aborted)
    if held is None or held.record.phase in ENDED:
        canaried.cluster.request("DELETE", canaried.path)
    return changed


def _going(canaried: Canaried, held: Held | None) -> Record:
    if held is None or held.record.phase in ENDED:
        said = f"has ended ({held.record.reason})" if held else "has not begun"
        raise OperationError(f"{canaried.item}: {said}: run `{canaried.words('start')}`")
    return held.record


def _change(canaried: Canaried, now: float, changed: Callable[[Held | None], Record]) -> tuple[Record, Held | None]:
    """Write the record, then the weights; the new record, and what was read. The process that watches the canary goes
    on with what it finds. It writes at each look, so a change in between is tried again."""
    for _ in range(_TRIES):
        held = canaried.read()
        record = changed(held)
        left = held.until - canaried.lease_seconds if held and canaried.watched(held, now) else 0.0
        try:
            canaried.write(record, held, holder=held.holder if held else "", now=left)
        except ChangedError:
            continue
        canaried.set_weights(record.percent)
        return record, held
    raise OperationError(f"{canaried.item}: another process changes it all the time: run this again")


def watch(
    canaried: Canaried,
    holder: str,
    *,
    now: Callable[[], float],
    sleep: Callable[[float], None],
    read_counters: Callable[[float], Mapping[Source, Seen]],
    report: Callable[[Record | None, str], None],
) -> Record:
    """Watch until the rollout has ended; the last record. Its holder has begun it. `read_counters` gets the moment from
    which on a source may say what it has counted of the present step.

    Raises:
        OperationError: another process has taken it, the route has changed, or the cluster has not
            answered for as long as a step may be undecided. Its credentials may be refused for as long as a process
            may be silent: an API server that starts refuses those of ServiceAccounts.
    """
    answered, settled = now(), 0.0
    interval = seconds(canaried.plan.interval)
    while True:
        begun = now()
        try:
            held = canaried.read()
            if held is None:  # a canary without a record has no share
                canaried.set_weights(0)
                return Record("rolled-back", 0, begun, begun, "its record is gone")
            if held.holder != holder:
                other = f"process {held.holder or 'none'} has it now: run `{canaried.words('status')}`"
                raise OperationError(f"{canaried.item}: {other}")
            record = held.record
            ended = record.phase in ENDED
            try:
                if canaried.set_weights(record.percent):
                    report(record, f"set to {record.percent} %: {record.reason}")
                    record, settled = record._replace(counters={}), now() + SETTLED
            except ApiError as error:
                if error.status not in _REFUSED or not record.percent:
                    raise
                said = f"the API server refuses {record.percent} % ({error})"
                record, ended = record.moved(0, "rolled-back", now(), said), False
            if record.phase not in ENDED and now() >= settled:
                seen = read_counters(record.since + SETTLED)
                unread = [text for counted in seen.values() for text in _unread(counted)]
                for text in unread:
                    report(record, f"can't be read: {text}")
                record = decided(canaried, observed(canaried, record, seen), now(), unread)
            canaried.write(record, held, holder="" if ended else holder, now=now())
            answered = now()
            if ended:
                return record
            if record.percent != held.record.percent:
                continue  # the weights follow at once, and only then is a canary that has ended given back
            report(record, "")
        except ChangedError:
            continue
        except (ApiError, UnreachableError) as error:
            hopeless = isinstance(error, CredentialsError)  # they are read once, so others do not help
            longest = canaried.lease_seconds if hopeless else seconds(canaried.plan.abort.inconclusive_after)
            if now() - answered >= longest:
                said = f"the cluster does not answer ({error}): run `{canaried.words('start')}` when it does"
                raise OperationError(f"{canaried.item}: {said}") from None
            report(None, f"the cluster does not answer ({error})")
        until = begun + interval
        sleep(max(0.0, (min(until, settled) if settled > now() else until) - now()))
