"""Parses the facts that `survey.py` prints, and keeps them in a file for a preview.

Pure: `reading.py` asks the nodes, `verdict.py` judges.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from components.core.types import RefusedError
from components.core.untrusted import Count, Line, Number, Untrusted, json_value, printable

Fact = Mapping[str, Any]


class Survey(NamedTuple):
    """One node's facts."""

    node: str
    facts: Mapping[str, Fact]
    """By name. A fact that is not known has `unknown`, the reason."""
    clock_offset: float = 0.0
    """Seconds by which the node's clock is ahead of the machine that asked."""
    failure: str = ""
    """Why there are no facts at all; empty where there are."""

    def get(self, name: str) -> Fact:
        """A fact; one that the node did not report is unknown."""
        return self.facts.get(name, {"unknown": self.failure or "the node did not report it"})


def _form(form: str, /, **fields: Any) -> type[BaseModel]:
    """A form of these fields and no others; a name that ends in `_` may be left out."""
    given = {key.rstrip("_"): (kind, None if key.endswith("_") else ...) for key, kind in fields.items()}
    made: Any = given  # create_model's overloads want names
    return create_model(form, __config__=ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True), **made)


_COUNTS = dict[Line, Count]
_COUNTERS = _form(
    "Counters",
    uptime=Number,
    boot_=Line,
    cpu=list[Count],
    nic=_COUNTS,
    softnet=_COUNTS,
    conntrack=Count,
    listen=_COUNTS,
)
_PATH = _form("Path", mtu=Count | None, milliseconds=Number | None, mac=Line | None)
_HEARD = dict[Line, list[Line]]
_FORMS: Mapping[str, type[BaseModel]] = {
    "node": _form("Node", name=Line),
    "clock": _form("Clock", seconds=Number),
    "machine": _form("Machine", container=Line, said_by_=Line, virtual_=Line),
    "kernel": _form("Kernel", release=Line, btf=bool, options=dict[Line, Line | None]),
    "system": _form("System", name=Line, id=Line, cpus=Count),
    "memory": _form("Memory", bytes=Count, swap_bytes=Count),
    "cgroup": _form("Cgroup", version=Count),
    "time_sync": _form("TimeSync", synchronised=bool),
    "conntrack": _form("Conntrack", count=Count, max=Count),
    "window": _form("Window", since=Line, before=_COUNTERS | None, after=_COUNTERS),
    "link": _form(
        "Link", interface=Line, mtu=Count, mac=Line, speed_mbit=Count | None, driver=Line, ring=_COUNTS | None
    ),
    "paths": _form("Paths", tried=Count, peers=dict[Line, _PATH]),  # type: ignore[valid-type]
    "references": _form("References", points=dict[Line, dict[Line, Number | None]]),
    "ports": _form("Ports", peers=dict[Line, dict[Line, Line]]),
    "firewall": _form("Firewall", kind=Line),
    "api_server": _form("ApiServer", addresses=list[Line], answer=Line, reason_=Line),
    "wire": _form("Wire", heard=_HEARD, passed=_HEARD, free=list[Line]),
    "resolver": _form("Resolver", servers=list[Line], ndots=Count, search=list[Line], name=Line, milliseconds=Number),
    "dns_servers": _form("DnsServers", servers=list[Line]),
    "time_servers": _form("TimeServers", servers=list[Line]),
    "package_hosts": _form("PackageHosts", hosts=list[Line]),
    "image_hosts": _form("ImageHosts", hosts=list[Line]),
    "cluster_dns": _form("ClusterDns", milliseconds=Number, code=Count, name=Line),
    "services": _form("Services", containerd_=Line, kubelet_=Line),
    "disk": _form(
        "Disk", folder=Line, filesystem=Line, slow_=Line, p99_ns_=Count, mean_ns_=Count, writes_=Count, by_=Line
    ),
}
"""The fields of every fact that `survey.py` prints. A check reads a fact as it is here."""


class _Unknown(Untrusted):
    unknown: Line


def _fact(name: str, said: Mapping[str, Any]) -> Fact:
    """The fact, or why it is unknown. Raises ValueError; its text has the place and no value."""
    form = _Unknown if "unknown" in said else _FORMS.get(name)
    if form is None:
        raise ValueError(f"it names an unknown fact: {printable(name)[:80]}")
    try:
        return form.model_validate(said).model_dump(exclude_unset=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, (name, *first["loc"])))
        raise ValueError(f"its fact {printable(place)[:80]} is not understood ({first['msg'].lower()})") from None


def parse(output: str, *, node: str, received_at: float) -> Survey:
    """The facts in the output of a node's survey. Raises ValueError where it is not one, or was cut short."""
    facts: dict[str, Fact] = {}
    for line in (line for line in output.split("\n") if line.strip()):
        try:
            said = dict(json_value(line))
            name = str(said.pop("fact"))
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"the survey printed an unknown line: {printable(line[:80])}") from None
        facts[name] = _fact(name, said)
    if not {"node", "clock"} <= facts.keys() or "unknown" in facts["node"] or "unknown" in facts["clock"]:
        raise ValueError("the survey was cut short")
    if facts["node"]["name"] != node:
        raise ValueError(f"the survey is of another node, {facts['node']['name'][:80]}")
    return Survey(node, facts, clock_offset=facts["clock"]["seconds"] - received_at)


# --- a file of them, for a preview that must not reach the nodes ---------------------------------------------


class FactsError(RefusedError):
    """A facts file that can't be used: the reason and the remedy."""


class Kept(NamedTuple):
    """What a facts file has."""

    surveys: tuple[Survey, ...]
    cluster: Mapping[str, Any] | None
    """What was read of an existing cluster, facts and failure; None where it was not asked."""
    made_at: float = 0
    """Seconds since 1970."""


class _Survey(Untrusted):
    node: Line
    facts: dict[str, dict[str, Any]]
    clock_offset: Number
    failure: Line


class _Cluster(Untrusted):
    facts: dict[Line, dict[Line, Any]]
    failure: Line


class _File(Untrusted):
    sha256: str
    environment: Line
    madeAt: Number  # noqa: N815  the file's own word
    surveys: list[_Survey]
    cluster: _Cluster | None


def dump(
    surveys: Sequence[Survey], *, environment: str, made_at: float, cluster: Mapping[str, Any] | None = None
) -> str:
    """A facts file: the facts, their stack, when they were read (seconds since 1970), and the hash of all that."""
    content = {
        "environment": environment,
        "madeAt": int(made_at),
        "surveys": [survey._asdict() for survey in sorted(surveys)],
        "cluster": cluster,
    }
    return json.dumps({"sha256": _hash(content), **content}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def load(text: str, *, environment: str, now: float, max_hours: int, sha256: str | None = None) -> Kept:
    """The facts of a facts file.

    `sha256` is the hash that the author of the file published. Without it, the file's own hash finds damage
    only. Raises FactsError for a file that is damaged, too old, or of another stack.
    """
    again = "make it anew with `vds doctor --facts FILE`"
    try:
        document = json_value(text)
        file = _File.model_validate(document)
        surveys = tuple(
            Survey(
                one.node, {name: _fact(name, said) for name, said in one.facts.items()}, one.clock_offset, one.failure
            )
            for one in file.surveys
        )
    except ValueError:
        raise FactsError("is not a facts file", again) from None
    found = _hash({key: value for key, value in document.items() if key != "sha256"})
    if found != file.sha256 or (sha256 is not None and sha256 != found):
        raise FactsError(
            f"has the hash {found}, not {printable(sha256 or file.sha256)[:64]}: the file was changed", again
        )
    if file.environment != environment:
        raise FactsError(f"is of {file.environment}, this stack is {environment}", again)
    age_hours = (now - file.madeAt) / 3600
    if not -1 <= age_hours <= max_hours:
        raise FactsError(f"is {age_hours:.0f} hours old, limit {max_hours} (preflight.maxFactsHours)", again)
    return Kept(surveys, file.cluster.model_dump() if file.cluster else None, file.madeAt)


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
