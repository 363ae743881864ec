"""The record of a canary: where it is on its way, since when, why, and what its requests have shown.

It is one Lease in the route's namespace, which its tenant may write, so it is read within limits. The Lease's own
fields say which process watches the canary; an annotation has the rest. Both are written at once, and only over the
version that was read. So there is always one wanted share, whichever process is killed at whatever moment.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from components.core.labels import PREFIX
from components.core.manifests import Manifest
from components.core.names import CANARY_RECORD
from components.core.untrusted import printable, printable_json
from components.gateway.canary.judgement import Evidence, evidence_of
from components.gateway.canary.route import CanaryRoute
from components.gateway.canary.traffic import Pod, as_json, pod_of
from components.gateway.waits import API as GATEWAY_API

API = "coordination.k8s.io/v1"
PROGRESS = f"{PREFIX}canary-progress"
"""Annotation of the Lease: the record, as JSON."""
_LONGEST = 262_144
"""Characters of it. All annotations of an object have that many bytes at most (TotalAnnotationSizeLimitB)."""
Phase = Literal["running", "paused", "finished", "rolled-back"]
ENDED: tuple[Phase, ...] = ("finished", "rolled-back")


class RecordError(ValueError):
    """A record that can't be read; the text says what to do."""


class Record(NamedTuple):
    """Where a canary is. Times are in seconds since 1970."""

    phase: Phase
    percent: int
    """The share of the requests that the canary has, or is about to have."""
    began: float
    """When the rollout began."""
    since: float
    """When the present share was set."""
    reason: str
    """Why the phase or the share was last changed."""
    evidence: Mapping[str, Evidence] = {}
    """By name of a gate."""
    counters: Mapping[str, Pod] = {}
    """By source, and pod of Traefik: its counters at the last look. Empty when the share has changed since."""

    def moved(self, percent: int, phase: Phase, now: float, reason: str) -> "Record":
        """With another share. The evidence of the step begins anew, and so do the counters."""
        evidence = {kind: one.next_step() for kind, one in self.evidence.items()}
        return Record(phase, percent, self.began, now, reason, evidence)


class Held(NamedTuple):
    """A record and who watches the canary."""

    record: Record
    holder: str
    """The process that watches it; empty if none does."""
    until: float
    """When its right to do so ends unless it says again that it lives."""
    version: str
    """The resourceVersion that was read."""


def path(namespace: str, route: str) -> str:
    """Where the API server has it."""
    return f"/apis/{API}/namespaces/{namespace}/leases/{CANARY_RECORD}{route}"


def lease(record: Record, route: CanaryRoute, *, holder: str, now: float, seconds: int, version: str) -> Manifest:
    """The Lease. `holder`: empty gives it back. `version`: of the one that was read; empty makes a new one."""
    metadata: dict[str, Any] = {
        "name": f"{CANARY_RECORD}{route.name}",
        "namespace": route.namespace,
        "annotations": {PROGRESS: _text(record)},
    }
    if route.uid:  # the record goes with the route
        owner = {"apiVersion": GATEWAY_API, "kind": "HTTPRoute", "name": route.name, "uid": route.uid}
        metadata["ownerReferences"] = [owner]
    if version:
        metadata["resourceVersion"] = version
    spec: dict[str, Any] = {"leaseDurationSeconds": seconds}
    if holder:
        renewed = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec |= {"holderIdentity": holder, "renewTime": renewed}
    return {"apiVersion": API, "kind": "Lease", "metadata": metadata, "spec": spec}


def held(item: Mapping[str, Any]) -> Held:
    """What a Lease says. Raises RecordError if it is none of ours."""
    spec = item.get("spec") or {}
    try:
        data = printable_json(str((item["metadata"].get("annotations") or {})[PROGRESS]), most=_LONGEST)
        record = Record(
            phase=_phase(data["phase"]),
            percent=_percent(data["percent"]),
            began=float(data["began"]),
            since=float(data["since"]),
            reason=printable(str(data["reason"])),
            evidence={str(kind): evidence_of(one) for kind, one in data["evidence"].items()},
            counters={str(uid): pod_of(one) for uid, one in data["counters"].items()},
        )
        renewed = spec.get("renewTime")
        until = 0.0
        if renewed:
            until = datetime.fromisoformat(str(renewed)).timestamp() + int(spec["leaseDurationSeconds"])
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
        raise RecordError(
            f"Lease {name} is damaged, or of another version of vds: run `kubectl delete lease {name} --namespace "
            f"{namespace}`, then `vds canary abort {name.removeprefix(CANARY_RECORD)} --namespace {namespace}`"
        ) from None
    holder, version = spec.get("holderIdentity") or "", item["metadata"].get("resourceVersion") or ""
    return Held(record, str(holder), until, str(version))


def _phase(text: str) -> Phase:
    for one in ("running", "paused", *ENDED):
        if text == one:
            return one
    raise ValueError(text)


def _percent(value: Any) -> int:
    if isinstance(value, int) and 0 <= value <= 100:
        return value
    raise ValueError(value)


def _text(record: Record) -> str:
    data = {
        **record._asdict(),
        "evidence": {kind: one.as_json() for kind, one in record.evidence.items()},
        "counters": {uid: as_json(one) for uid, one in record.counters.items()},
    }
    return json.dumps(data, sort_keys=True, separators=(",", ":"))
