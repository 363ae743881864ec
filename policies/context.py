"""What the engine doesn't tell a pack and its process can see: the day, and where the engine keeps its state."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pulumi_policy.proxy import UnknownValueError

TODAY = "today"
SEEN_BACKEND = "seenBackend"


def today(config: Mapping[str, Any]) -> str:
    """The ISO date to hold exceptions against. Raises UnknownValueError where nobody says which day it is."""
    if not config.get(TODAY):
        raise UnknownValueError("", [TODAY])
    return str(config[TODAY])


def surroundings() -> dict[str, str]:
    """Settings that stand behind every policy's own: read at the moment of a judgement, and only for the engine."""
    return {TODAY: datetime.now(UTC).date().isoformat(), SEEN_BACKEND: os.environ.get("PULUMI_BACKEND_URL", "")}
