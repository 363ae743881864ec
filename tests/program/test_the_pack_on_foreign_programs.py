"""The programs of tests/lab/programs under mocks: what the pack says of them before the real engine is asked."""

import asyncio
import json
import runpy
from typing import Any

import pytest
import yaml

from policies.engine import ENGINE_POLICIES
from tests.support.policy import Resource, violations
from tests.support.program import run_foreign
from tests.support.stacks import ROOT

PROGRAMS = ROOT / "tests" / "lab" / "programs"
EXPECTED: dict[str, list[dict[str, str]]] = yaml.safe_load((PROGRAMS / "expected.yaml").read_text())


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {"undecided"}))  # what mocks answer is never unknown
def test_the_pack_says_of_a_foreign_program_what_is_expected_of_the_engine(name: str) -> None:
    program = asyncio.run(run_foreign(lambda: runpy.run_path(str(PROGRAMS / name / "__main__.py")) and None))
    names = {item.urn: item.name for item in program.resources.values()}
    shown = [
        Resource(item.type, item.inputs, item.name, names.get(item.parent), component=not item.custom)
        for item in program.resources.values()
        if not item.type.startswith("pulumi:")
    ]
    own = PROGRAMS / name / "pack.json"
    config: dict[str, dict[str, Any]] = json.loads((own if own.exists() else PROGRAMS / "pack.json").read_text())
    found = violations(ENGINE_POLICIES, shown, config)
    assert {v.policy for v in found} == {want["policy"] for want in EXPECTED[name]}, found
    for want in EXPECTED[name]:
        assert any(want["message"] in v.message for v in found if v.policy == want["policy"]), found
