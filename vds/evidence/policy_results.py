"""The results of the policies, as Markdown and JSON. Pure."""

from dataclasses import asdict

from vds.evidence.model import Evidence, PolicyResult
from vds.evidence.tables import bullets, document, words
from vds.shared.markdown import table


def policies_json(evidence: Evidence) -> bytes:
    """Every policy with its outcome, and what could not be decided."""
    return document(
        {
            "format": 1,
            "stack": evidence.stack,
            "versions": dict(evidence.versions),
            "policies": [
                {
                    **asdict(policy),
                    "findings": [finding._asdict() for finding in policy.findings],
                    "outcome": policy.outcome,
                }
                for policy in evidence.policies
            ],
            "exceptions": [asdict(exempt) for exempt in evidence.exempt],
            "undecided": evidence.undecided,
        }
    )


def policies_markdown(evidence: Evidence) -> bytes:
    """The same for a reader."""
    rows = [
        (policy.name, words(policy.description), policy.level, _outcome(policy), words(policy.reference))
        for policy in evidence.policies
    ]
    parts = [
        f"# Policies: stack {words(evidence.stack)}\n",
        f"Policy pack vds-platform {words(dict(evidence.versions).get('policy pack'))}, asked about the state that the "
        f"engine wrote at {words(evidence.state_made_at)}. SSH connections are encrypted in a state, so machines are "
        "judged by the address that their component declares.\n",
        "## What could not be decided\n",
        bullets(evidence.undecided),
        "## Every policy\n",
        table(("policy", "says", "level", "outcome", "ground"), rows),
    ]
    for policy in evidence.policies:
        found = [f"- {words(str(finding))} ({policy.severity})\n" for finding in policy.findings if finding.decided]
        if found:
            parts += [f"## {policy.name} is violated\n", "".join(found)]
    if evidence.exempt:
        dated = [(words(one.item), words(one.until), words(one.reason)) for one in evidence.exempt]
        parts += ["## Exceptions, with their last day\n", table(("exception from", "last day", "because"), dated)]
    return "\n".join(parts).encode()


def _outcome(policy: PolicyResult) -> str:
    return policy.outcome if policy.outcome == "passed" else f"**{policy.outcome}**"
