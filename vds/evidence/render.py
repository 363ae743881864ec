"""From evidence to the files of its folder. Pure: the same evidence, the same bytes but for the date's line."""

from vds.evidence.contents import COVER, SUMS, cover, digest, summary_json, sums
from vds.evidence.diagram import svg
from vds.evidence.graph import graph_of, mermaid
from vds.evidence.model import Evidence
from vds.evidence.policy_results import policies_json, policies_markdown
from vds.evidence.record import record_json, record_markdown


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
