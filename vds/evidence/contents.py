"""All files of the report: the cover sheet, verdict first, and the same for a program. Pure."""

import hashlib
from collections.abc import Mapping

from vds.evidence.diagram import svg
from vds.evidence.graph import graph_of, mermaid
from vds.evidence.model import Evidence
from vds.evidence.policy_results import policies_json, policies_markdown, undecided
from vds.evidence.record import place_words, record_json, record_markdown
from vds.evidence.tables import document, words
from vds.shared.markdown import count, table

_SHOWN = 20
"""Violations and open points on the cover: a page that is read; summary.json has all of them."""

FILES = {
    "record-of-processing.md": "who answers for the data, where it is processed, where bytes go",
    "record-of-processing.json": "the same for a program",
    "residency.svg": "tenants, nodes and every other place, by country",
    "residency.mmd": "the same as Mermaid text",
    "policies.md": "every policy, what came of it, and what could not be decided",
    "policies.json": "the same for a program",
    "summary.json": "this sheet for a program, without the date",
}


def sentence(evidence: Evidence) -> str:
    """The verdict in words."""
    open_points = f"{count(evidence.undecided, 'thing is', 'things are')} undecided"
    if evidence.verdict == "violated":
        violations = f"{count(evidence.violations, 'violation')} of mandatory policies"
        return f"Violated: {violations}" + (f", and {open_points}" if evidence.undecided else "")
    if evidence.verdict == "undecided":
        return f"Not proved: no mandatory policy is violated, but {open_points}"
    return "Holds: every mandatory policy holds, every place is declared, and nothing is undecided"


def summary_json(evidence: Evidence) -> bytes:
    """What the cover sheet says, without its date and digest."""
    return document(
        {
            "format": 1,
            "stack": evidence.stack,
            "environment": evidence.environment,
            "verdict": evidence.verdict,
            "says": sentence(evidence),
            "violations": violated(evidence),
            "undecided": undecided(evidence),
            "advice": evidence.said("advisory", decided=True),
            "stateMadeAt": evidence.state_made_at,
            "versions": dict(evidence.versions),
        }
    )


def cover(evidence: Evidence, digest: str, date: str) -> bytes:
    """index.md. `date` is on a line of its own: the only one that two runs on the same state do not share."""
    lines = [
        *(f"- ✗ {words(line)}\n" for line in violated(evidence)),
        *(f"- ? {words(line)}\n" for line in undecided(evidence)),
    ]
    more = f"- … and {len(lines) - _SHOWN} more in [summary.json](summary.json)\n" if len(lines) > _SHOWN else ""
    versions = [(words(name), words(version)) for name, version in evidence.versions]
    parts = [
        f"# {words(sentence(evidence))}\n",
        f"Date: {date}\n",
        table(
            ("evidence of", f"stack {words(evidence.stack)}"),
            (
                ("environment", words(evidence.environment)),
                ("state written at", words(evidence.state_made_at)),
                ("this folder's digest", f"`{digest}`"),
                *versions,
            ),
        ),
        "".join(lines[:_SHOWN]) + more,
        table(("file", "has"), ((f"[{name}]({name})", has) for name, has in FILES.items())),
        "## Is it what was made?\n",
        f"```\nsha256sum --check {SUMS}   # every file but this sheet is as it was\n"
        f"sha256sum {SUMS}           # is the digest above, and the one that the command printed\n```\n",
        f"{COVER} is a cover sheet: but for the date, summary.json says the same and is covered. To sign with a key, "
        f"sign {SUMS}.\n",
    ]
    return "\n".join(part for part in parts if part).encode()


def violated(evidence: Evidence) -> list[str]:
    """Every violation of a mandatory policy, a line each."""
    allowed = ", ".join(evidence.allowed_countries)
    places = [
        f"{place_words(place)}: is in {place.country or 'no declared country'}, controlled from "
        f"{place.entity_country or 'no declared country'}, allowed: {allowed}"
        for place in evidence.places
        if place.status == "refused"
    ]
    return [*evidence.said("mandatory", decided=True), *places]


SUMS = "SHA256SUMS"
COVER = "index.md"


def sums(files: Mapping[str, bytes]) -> bytes:
    """What `sha256sum` prints for these files, sorted by name."""
    covered = sorted(name for name in files if name not in (SUMS, COVER))
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in covered).encode()


def digest(files: Mapping[str, bytes]) -> str:
    """The folder's digest: `sha256sum SHA256SUMS`."""
    return hashlib.sha256(files[SUMS]).hexdigest()


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
