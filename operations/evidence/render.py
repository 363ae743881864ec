"""From evidence to the files of its folder. Pure: the same evidence, the same bytes but for the date's line."""

from __future__ import annotations

from operations.evidence.cover import cover, summary_json
from operations.evidence.graph import graph_of, mermaid
from operations.evidence.judged import policies_json, policies_markdown
from operations.evidence.model import Evidence
from operations.evidence.picture import svg
from operations.evidence.record import record_json, record_markdown
from operations.evidence.seal import COVER, SUMS, digest, sums


def render(evidence: Evidence, *, date: str) -> dict[str, bytes]:
    """Every file by name, SHA256SUMS and the cover sheet among them."""
    graph = graph_of(evidence)
    files = {
        "record-of-processing.md": record_markdown(evidence),
        "record-of-processing.json": record_json(evidence),
        "residency.mmd": mermaid(graph),
        "residency.svg": svg(graph),
        "policies.md": policies_markdown(evidence),
        "policies.json": policies_json(evidence),
        "summary.json": summary_json(evidence),
    }
    files[SUMS] = sums(files)
    files[COVER] = cover(evidence, digest(files), date)
    return files
