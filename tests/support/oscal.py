"""Validates OSCAL documents with compliance-trestle."""

import json
from pathlib import Path
from typing import Any

import trestle.core.validator_factory as factory
from trestle.oscal.assessment_results import AssessmentResults
from trestle.oscal.catalog import Catalog
from trestle.oscal.component import ComponentDefinition
from trestle.oscal.poam import PlanOfActionAndMilestones

MODELS: dict[str, Any] = {
    "oscal-catalog.json": Catalog,
    "oscal-component-definition.json": ComponentDefinition,
    "oscal-assessment-results.json": AssessmentResults,
    "oscal-poam.json": PlanOfActionAndMilestones,
}


def assert_valid(file: Path) -> None:
    """The document is of the model that its name says, passes every validator, and loses nothing when it is read."""
    model = MODELS[file.name].oscal_read(file)
    validators = factory.validator_factory.get_all()
    assert len(validators) >= 4
    for validator in validators:
        assert validator.model_is_valid(model, quiet=True), (file.name, validator.error_msg())
    [[kind, body]] = json.loads(file.read_text()).items()
    assert set(json.loads(model.oscal_serialize_json())[kind]) == set(body)
