"""The record of processing, after Article 30 of Regulation (EU) 2016/679, as Markdown and JSON. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from pydantic.alias_generators import to_camel

from components.residency.processing import Party, Purpose
from vds.evidence.data_flows import DECLARED_IN
from vds.evidence.model import KINDS, NOT_DECLARED, Evidence, Place
from vds.evidence.tables import bullets, document, several, words
from vds.shared.markdown import table

_STATUSES = {
    "allowed": "allowed",
    "excepted": "excepted",
    "no data": "only pinged",
    "own": "on the stack's own nodes",
    "refused": "**not allowed**",
    "undeclared": f"**{NOT_DECLARED}**",
}

_LIMITS = """\
- Secrets are encrypted in the state and were not decrypted: what only a secret names is not here.
- A pod that no resource of this stack declares, and a program that picks its own peers, are not here. Agencies deploy
  with stacks of their own. Network policies limit what their pods call to the places of their registration.
- Tenants whose registration was not read are not here. `vds tenant list` has all tenants of the cluster.
"""
_NOT_ASKED = """\
- The nodes were not asked: their resolvers, time servers and package repositories are as the stack file declares them.
"""


def record_json(evidence: Evidence) -> bytes:
    """The whole record; null and [] were not declared."""
    processing = evidence.processing.model_dump(mode="json", by_alias=True)
    return document(
        {
            "format": 1,
            "stack": evidence.stack,
            "environment": evidence.environment,
            "stateMadeAt": evidence.state_made_at,
            "nodesReadAt": evidence.nodes_read_at or None,
            "allowedCountries": evidence.allowed_countries,
            "processing": processing,
            "tenants": [{to_camel(name): value for name, value in asdict(one).items()} for one in evidence.tenants],
            "places": [{**_place(place), "thirdCountry": place.third_country} for place in evidence.places],
            "kindsNotDeclared": evidence.kinds_not_declared,
            "kindsWithoutPlace": evidence.kinds_without_place,
            "openPoints": evidence.open_points,
            "secretsProvider": evidence.secrets_provider,
        }
    )


def record_markdown(evidence: Evidence) -> bytes:
    """The same for a reader."""
    parts = [
        f"# Record of processing: stack {words(evidence.stack)}\n",
        f"Of the stack file, the state that the engine wrote at {words(evidence.state_made_at)}, and the registrations "
        "of tenants with their states. Articles are those of Regulation (EU) 2016/679 (GDPR). A value that these files "
        f"do not have is “{NOT_DECLARED}”.\n",
        "## What could not be decided\n",
        bullets(evidence.undecided),
        "## Who answers for it\n",
        _parties(evidence),
        "## Purposes and categories\n",
        _purpose(evidence.processing),
        "## Tenants\n",
        _tenants(evidence),
        "## Where it is processed\n",
        f"Allowed countries: {several(evidence.allowed_countries)}. Place and owner are judged apart: both must be.\n",
        _nodes(evidence),
        "## Every other place that bytes go to\n",
        _others(evidence),
        "## Transfers to third countries\n",
        _transfers(evidence),
        "## Measures\n",
        _measures(evidence),
        "## What this record does not cover\n",
        _LIMITS + ("" if evidence.nodes_read_at else _NOT_ASKED),
    ]
    return "\n".join(parts).encode()


def _place(place: Place) -> dict[str, Any]:
    fields = {to_camel(name): value or None for name, value in asdict(place).items() if name != "excepted"}
    return {**fields, "exception": place.excepted or None, "seenIn": place.seen_in}


def _parties(evidence: Evidence) -> str:
    processing = evidence.processing
    joint = "; ".join(_party(party) for party in processing.joint_controllers) or NOT_DECLARED
    return table(
        ("what", "article", "declared"),
        (
            ("Operator of the platform", "30(1)(a), 30(2)(a)", _party(processing.operator)),
            ("The operator is the data's", "30(1), 30(2)", words(processing.role)),
            ("Joint controllers", "30(1)(a)", joint),
            ("Representative in the Union", "30(1)(a), 30(2)(a)", _party(processing.representative)),
            ("Data protection officer", "30(1)(a), 30(2)(a)", _party(processing.data_protection_officer)),
        ),
    )


def _party(party: Party | None) -> str:
    if party is None:
        return NOT_DECLARED
    return f"{words(party.name)}, {words(party.contact)}, country {words(party.country)}"


def _purpose(purpose: Purpose) -> str:
    return table(
        ("what", "article", "declared"),
        (
            ("Purposes", "30(1)(b), 30(2)(b)", several(purpose.purposes)),
            ("Categories of data subjects", "30(1)(c)", several(purpose.data_subjects)),
            ("Categories of personal data", "30(1)(c)", several(purpose.data_categories)),
            ("Categories of recipients", "30(1)(d)", several(purpose.recipients)),
            ("Time limits for erasure", "30(1)(f)", words(purpose.erasure)),
        ),
    )


def _tenants(evidence: Evidence) -> str:
    if not evidence.tenants:
        return "None.\n"
    by_tenant = {controller.tenant: controller for controller in evidence.processing.controllers}
    rows = []
    for tenant in evidence.tenants:
        declared = by_tenant.get(tenant.name)
        purpose = declared or Purpose()
        rows.append(
            (
                words(tenant.name),
                several(tenant.namespaces),
                several(tenant.groups),
                _party(declared.controller if declared else None),
                several(purpose.purposes),
                several(purpose.data_subjects),
                several(purpose.data_categories),
                words(purpose.erasure),
                words(tenant.state_made_at) if tenant.state_made_at else "**not read**",
            )
        )
    head = (
        *("tenant", "namespaces", "owner groups", "controller, 30(2)(a)", "purposes", "subjects", "data", "erasure"),
        "state written at",
    )
    return table(head, rows)


def _nodes(evidence: Evidence) -> str:
    rows = [
        (
            *map(words, (place.name, place.location, place.country, place.entity, place.entity_country)),
            _STATUSES[place.status],
        )
        for place in evidence.places
        if place.kind == "node"
    ]
    return (
        table(("node", "address", "country", "provider", "provider's country", "result"), rows)
        if rows
        else "No node.\n"
    )


def _others(evidence: Evidence) -> str:
    parts = []
    for kind, title in KINDS.items():
        rows = [
            (
                words(place.location or place.name),
                *(
                    words(value) if place.status != "own" else "as the nodes"
                    for value in (place.country, place.entity, place.entity_country)
                ),
                _result(place),
                words(place.tenant) if place.tenant else "",
                several(_sources(place.seen_in)),
            )
            for place in evidence.places
            if place.kind == kind and kind != "node"
        ]
        if rows:
            head = ("place", "country", "controlled by", "its country", "result", "tenant", "named in")
            parts.append(f"### {title}\n\n{table(head, rows)}")
    if silent := evidence.kinds_not_declared:
        said = "Neither stack file nor state names one. Whether the cluster uses one is not known.\n\n"
        parts.append(f"### Kinds of places that are {NOT_DECLARED}\n\n{said}{bullets(KINDS[kind] for kind in silent)}")
    if none := evidence.kinds_without_place:
        parts.append(f"### Kinds of which the stack file has no place\n\n{bullets(KINDS[kind] for kind in none)}")
    if evidence.secrets_provider == "passphrase":
        parts.append("The key to the stack's secrets is a passphrase of the operators, which is at no place.\n")
    return "\n".join(parts)


def _sources(seen_in: Sequence[str]) -> Iterator[str]:
    """Where it is named. A resource of the state that names it in many fields is one source; the JSON has them all."""
    for resource, group in groupby(seen_in, key=lambda source: source.split(": ")[:2]):
        fields = list(group)
        many = len(fields) > 1 and resource[0] == "state"
        yield from [f"{': '.join(resource)} ({len(fields)} fields)"] if many else fields


def _result(place: Place) -> str:
    result = f"excepted: {words(place.excepted)}" if place.excepted else _STATUSES[place.status]
    only_declared = all(source.startswith(DECLARED_IN) for source in place.seen_in)
    return f"{result}; only declared: nothing that was read names it" if only_declared else result


def _transfers(evidence: Evidence) -> str:
    third = [place for place in evidence.places if place.third_country]
    unknown = sum(place.status == "undeclared" for place in evidence.places)
    lines = [
        f"- {words(place.title)}: in {words(place.country)}, controlled from {words(place.entity_country)}"
        f"{f', excepted: {words(place.excepted)}' if place.excepted else ''}\n"
        for place in third
    ]
    if not third:
        lines.append("- None among the places with a declared country, 30(1)(e).\n")
    if unknown:
        lines.append(f"- {unknown} {'place has' if unknown == 1 else 'places have'} no declared country or owner.\n")
    return "".join([*lines, f"- Safeguards, 30(1)(e): {several(evidence.processing.safeguards)}\n"])


def _measures(evidence: Evidence) -> str:
    held = [policy for policy in evidence.policies if policy.outcome == "passed"]
    return "".join(
        [
            f"Declared, 30(1)(g): {several(evidence.processing.measures)}.\n\n",
            "Judged on this state and held (`policies.md` has all of them):\n\n" if held else "No policy holds.\n",
            *(f"- {words(policy.description)} ({policy.name})\n" for policy in held),
        ]
    )
