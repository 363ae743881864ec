"""What the engine doesn't tell a pack and its process can see: the day, and where the engine keeps its state."""

import os
from datetime import UTC, datetime

from components.residency.state_store import seen_backend

TODAY = "today"
SEEN_BACKEND = "seenBackend"


def surroundings() -> dict[str, str]:
    """Settings behind every policy's own: read when the engine asks, and only for the engine."""
    return {TODAY: datetime.now(UTC).date().isoformat(), SEEN_BACKEND: seen_backend(os.environ)}
