"""The program's own resources, judged by the policy pack."""

from typing import Any

from policies.engine import ENGINE_POLICIES
from tests.support.policy import Reported, Resource, violations
from tests.support.program import Program, run_program

RESIDENCY = ("residency-destinations", "residency-state", "residency-exceptions", "residency-record")
ALONE = {name: {"places": [], "stateBackend": "", "today": "2026-11-21"} for name in RESIDENCY}
"""The program's own record counts, and no auditor's."""


def judged(
    name: str, data: dict[str, Any] | None = None, backend: str | None = None, **config: str | None
) -> list[Reported]:
    """Inputs stand in for outputs, which hold them all; only components' own outputs add to them."""
    return violations(ENGINE_POLICIES, shown(run_program(name, data, backend=backend, **config)), ALONE)


def shown(program: Program, *, configured: bool = True) -> list[Resource]:
    """The program's resources as the engine shows them. `configured`: whether there is a cluster already, to configure
    its provider with."""
    names = {item.urn: item.name for item in program.resources.values()}
    return [
        Resource(
            item.type,
            item.inputs,
            item.name,
            names.get(item.parent),
            component=not item.provider,
            protect=item.protected,
            configured=configured or not item.type.startswith("kubernetes:"),
        )
        for item in program.resources.values()
        if not item.type.startswith("pulumi:")
    ]
