"""Parses the facts that `survey.py` prints, and keeps them in a file for a preview.

Pure: `reading.py` asks the nodes, `verdict.py` judges.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from components.core.types import RefusedError
from components.core.untrusted import json_value

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


def parse(output: str, *, received_at: float) -> Survey:
    """The facts in a survey's output. Raises ValueError where it is not one, or was cut short."""
    facts: dict[str, Fact] = {}
    for line in (line for line in output.split("\n") if line.strip()):
        try:
            fact = json_value(line)
            facts[fact["fact"]] = fact
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"the survey printed an unknown line: {line[:80]}") from None
    if "node" not in facts or "clock" not in facts:
        raise ValueError("the survey was cut short")
    return Survey(facts["node"]["name"], facts, clock_offset=float(facts["clock"]["seconds"]) - received_at)


# --- a file of them, for a preview that must not reach the nodes ---------------------------------------------


class FactsError(RefusedError):
    """A facts file that can't be used: the reason and the remedy."""


class Kept(NamedTuple):
    """What a facts file has."""

    surveys: tuple[Survey, ...]
    cluster: Mapping[str, Any] | None
    """What was read of an existing cluster; None where it was not asked."""


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
        stated = document.pop("sha256")
        age_hours = (now - document["madeAt"]) / 3600
        kept = Kept(tuple(Survey(**survey) for survey in document["surveys"]), document["cluster"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FactsError("is not a facts file", again) from None
    found = _hash(document)
    if found != stated or (sha256 is not None and sha256 != found):
        raise FactsError(f"has the hash {found}, not {sha256 or stated}: the file was changed", again)
    if document["environment"] != environment:
        raise FactsError(f"is of {document['environment']}, this stack is {environment}", again)
    if not -1 <= age_hours <= max_hours:
        raise FactsError(f"is {age_hours:.0f} hours old, limit {max_hours} (preflight.maxFactsHours)", again)
    return kept


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
