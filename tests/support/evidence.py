"""Evidence of a committed stack, from an export made under the mocks."""

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from components.nodes.preflight.facts import Kept
from components.stackfile.parsing import parse
from components.stackfile.registration import read_registration
from components.stackfile.spec import PlatformSpec
from tests.support.export import export_of, exported
from tests.support.program import run_registered
from tests.support.registrations import file_text, registration
from tests.support.stacks import ROOT, stack, stack_data
from vds.evidence.collect import collect
from vds.evidence.evaluate import results, together
from vds.evidence.model import Evidence
from vds.evidence.registered import Registered
from vds.evidence.state import read

VERSIONS = [("policy pack", "0.1.0"), ("vds-platform", "0.1.0")]
BACKEND = {"lab": "file:///srv/lab", "oslo": "s3://vds-state?endpoint=state.example.no"}
DATE = "2026-11-21 10:00:00 UTC"


@cache
def _export(name: str) -> str:
    return json.dumps(exported(name))


def export(name: str = "lab") -> dict[str, Any]:
    """The export of a committed stack, fresh for a test that bends it."""
    made: dict[str, Any] = json.loads(_export(name))
    return made


@cache
def _tenant_export(name: str) -> str:
    environment = stack(name)
    known = environment.published, environment.residency
    return json.dumps(export_of(run_registered(registration(), *known, BACKEND[name])))


def tenant_export(name: str = "lab") -> dict[str, Any]:
    """The export of the stack of the tenant butikk, fresh for a test that changes it."""
    made: dict[str, Any] = json.loads(_tenant_export(name))
    return made


def registered(
    made: dict[str, Any] | None = None, *, name: str = "lab", registered: dict[str, Any] | None = None
) -> Registered:
    """The tenant butikk with its registration and its state."""
    file = read_registration(Path("Pulumi.butikk.yaml"), file_text(registered, environment=name))
    return Registered(file, read(json.dumps(tenant_export(name) if made is None else made), "the export"))


def entry(export: dict[str, Any], name: str) -> dict[str, Any]:
    """The one resource of this name."""
    [found] = [
        item
        for item in export["deployment"]["resources"]
        if item["urn"].endswith(f"::{name}") and not item["type"].endswith(":Member")
    ]
    assert isinstance(found, dict)
    return found


def add(export: dict[str, Any], type_: str, name: str, **inputs: Any) -> None:
    """One more resource, of nobody's component."""
    urn = f"urn:pulumi:lab::vds-platform::{type_}::{name}"
    provider = "urn:pulumi:lab::vds-platform::pulumi:providers:kubernetes::cluster::id"
    made = {"urn": urn, "custom": True, "type": type_, "provider": provider, "inputs": inputs, "outputs": inputs}
    export["deployment"]["resources"].append(made)


def evidence(
    made: dict[str, Any] | None = None,
    *,
    name: str = "lab",
    data: dict[str, Any] | None = None,
    backend: str | None = None,
    config: dict[str, Any] | None = None,
    kept: Kept | None = None,
    tenants: Sequence[Registered] | None = None,
) -> Evidence:
    """What the command would find for a stack with this export, this spec and this configuration of the pack."""
    spec: PlatformSpec = parse(stack_data(name) if data is None else data, base_dir=ROOT)
    text = json.dumps(export(name) if made is None else made)
    # JSON has no infinity. A number that is too large for a float is read as one.
    # Only values: three letters of a certificate in base64 may be the same.
    state = read(re.sub(r"(?<=[\s\[])(-?)(?:Infinity|NaN)(?=[,\]}])", r"\g<1>1e999", text), "the export")
    where = BACKEND[name] if backend is None else backend
    known = [registered(name=name)] if tenants is None else tenants
    judged = [(state, where), *((one.state, one.backend) for one in known if one.state)]
    policies = together([results(one, config or {}, today=DATE[:10], backend=its) for one, its in judged])
    return collect(name, spec, state, backend=where, policies=policies, versions=VERSIONS, registered=known, kept=kept)
