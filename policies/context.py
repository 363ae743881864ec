"""What the engine doesn't tell a pack and its process can see: the day, where the engine keeps its state, and the
servers of its kubeconfig."""

import os
from datetime import UTC, datetime
from functools import cache
from typing import Any

from components.residency.kubeconfigs import Servers, seen_clusters
from components.residency.state_store import seen_backend

TODAY = "today"
SEEN_BACKEND = "seenBackend"
SEEN_CLUSTERS = "seenClusters"


@cache
def _seen_clusters() -> Servers | None:
    return seen_clusters(os.environ)


def surroundings() -> dict[str, Any]:
    """Settings behind every policy's own: read when the engine asks, and only for the engine."""
    return {
        TODAY: datetime.now(UTC).date().isoformat(),
        SEEN_BACKEND: seen_backend(os.environ),
        SEEN_CLUSTERS: _seen_clusters(),
    }
