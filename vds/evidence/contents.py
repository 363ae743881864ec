"""All files of the report: the cover sheet, verdict first, and the same for a program. Pure."""

import hashlib
from collections.abc import Mapping, Sequence

from vds.evidence.control_results import controls_markdown, not_declared
from vds.evidence.diagram import svg
from vds.evidence.graph import graph_of, mermaid
from vds.evidence.model import KINDS, Evidence
from vds.evidence.oscal import oscal
from vds.evidence.pdf import pdf
from vds.evidence.policy_results import policies_json, policies_markdown
from vds.evidence.record import record_json, record_markdown
from vds.evidence.signature import NAMESPACE
from vds.evidence.software import sbom
from vds.evidence.tables import bullets, document, words
from vds.shared.markdown import count, table

_SHOWN = 20
"""Violations and open points on the cover: a page that is read; summary.json has all of them."""

FILES = {
    "record-of-processing.md": "who answers for the data, where it is processed, where bytes go",
    "record-of-processing.pdf": "the same to print, with the diagram",
    "record-of-processing.json": "the same for a program",
    "residency.svg": "tenants, nodes and every other place, by country",
    "residency.mmd": "the same as Mermaid text",
    "controls.md": "controls of NSM, of the EU's framework, of the GDPR and of the CIS, and how each is proved",
    "policies.md": "every policy, what came of it, and what could not be decided",
    "policies.json": "the same for a program",
    "sbom.cdx.json": "charts and images of the stack, as CycloneDX",
    "oscal-catalog.json": "the controls of controls.md, as OSCAL",
    "oscal-component-definition.json": "how the platform meets each, as OSCAL",
    "oscal-assessment-results.json": "what was observed of this stack, as OSCAL",
    "oscal-poam.json": "exceptions with their dates, and what is open, as OSCAL; missing if there is none",
    "summary.json": "this sheet for a program, without the date",
}


def sentence(evidence: Evidence) -> str:
    """The verdict in words."""
    open_points = f"{count(len(evidence.undecided), 'thing is', 'things are')} undecided"
    if evidence.verdict == "violated":
        violations = f"{count(len(evidence.violations), 'violation')} of mandatory policies"
        return f"Violated: {violations}" + (f", and {open_points}" if evidence.undecided else "")
    if evidence.verdict == "undecided":
        return f"Not proved: no mandatory policy is violated, but {open_points}"
    held = "Holds: no mandatory policy is violated, every place that is named is declared, and nothing is undecided"
    silent = ", ".join(KINDS[kind] for kind in evidence.kinds_not_declared)
    return f"{held}. No place is named, or declared, for: {silent}" if silent else held


def summary_json(evidence: Evidence) -> bytes:
    """What the cover sheet says, without its date and digest."""
    return document(
        {
            "format": 1,
            "stack": evidence.stack,
            "environment": evidence.environment,
            "verdict": evidence.verdict,
            "says": sentence(evidence),
            "violations": evidence.violations,
            "undecided": evidence.undecided,
            "kindsNotDeclared": evidence.kinds_not_declared,
            "advice": evidence.said("advisory", decided=True),
            "stateMadeAt": evidence.state_made_at,
            "stateSha256": evidence.state_sha256,
            "versions": dict(evidence.versions),
        }
    )


def cover(evidence: Evidence, files: Mapping[str, bytes], date: str) -> bytes:
    """index.md, about `files`. `date` has a line of its own: the only one that differs for the same state."""
    versions = [(words(name), words(version)) for name, version in evidence.versions]
    parts = [
        f"# {words(sentence(evidence))}\n",
        f"Date: {date}\n",
        table(
            ("evidence of", f"stack {words(evidence.stack)}"),
            (
                ("environment", words(evidence.environment)),
                ("state written at", words(evidence.state_made_at)),
                ("SHA-256 of its resources, without secrets", f"`{evidence.state_sha256}`"),
                ("resolvers, time servers, package sources", _nodes_read(evidence)),
                ("this folder's digest", f"`{digest(files)}`"),
                *versions,
            ),
        ),
        "## What could not be decided\n",
        _first(evidence.undecided),
        "## What is not declared\n",
        bullets(not_declared(evidence)),
        "## What is violated\n",
        _first(evidence.violations),
        "## Files\n",
        table(("file", "has"), ((f"[{name}]({name})", has) for name, has in FILES.items() if name in files)),
        "## Is it what was made?\n",
        f"```\nsha256sum --check {SUMS}   # every file but this sheet is as it was\n"
        f"sha256sum {SUMS}           # is the digest above, and the one that the command printed\n```\n",
        f"{COVER} is a cover sheet: but for the date, summary.json says the same and is covered. {SIGNATURE}, if it is "
        f"there, is a signature of {SUMS} by a key of the stack. With its public key in `allowed_signers`:\n",
        f"```\nssh-keygen -Y verify -f allowed_signers -I {evidence.environment} -n {NAMESPACE} "
        f"-s {SIGNATURE} < {SUMS}\n```\n",
    ]
    return "\n".join(parts).encode()


def _nodes_read(evidence: Evidence) -> str:
    at = evidence.nodes_read_at
    return f"read of the nodes at {words(at)}" if at else "as declared: the nodes were not asked (`--facts`)"


def _first(lines: Sequence[str]) -> str:
    left = len(lines) - _SHOWN
    return bullets(lines[:_SHOWN]) + (f"- … and {left} more in [summary.json](summary.json)\n" if left > 0 else "")


SUMS = "SHA256SUMS"
COVER = "index.md"
SIGNATURE = f"{SUMS}.sig"


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
    record, picture = record_markdown(evidence), svg(graph)
    files = {
        "record-of-processing.md": record,
        "record-of-processing.pdf": pdf(record, picture),
        "record-of-processing.json": record_json(evidence),
        "residency.mmd": mermaid(graph),
        "residency.svg": picture,
        "controls.md": controls_markdown(evidence),
        "sbom.cdx.json": sbom(evidence),
        **oscal(evidence),
        "policies.md": policies_markdown(evidence),
        "policies.json": policies_json(evidence),
        "summary.json": summary_json(evidence),
    }
    files[SUMS] = sums(files)
    files[COVER] = cover(evidence, files, date)
    return files
