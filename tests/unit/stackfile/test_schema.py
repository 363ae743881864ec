import json

import jsonschema
import pytest
import yaml

from components.stackfile.schema import FILE, text
from tests.support.stacks import ROOT


def test_the_committed_schema_is_the_models():
    assert FILE.read_text(encoding="utf-8") == text(), "run python -m components.stackfile.schema"


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_the_committed_stack_files_fit_it_and_point_to_it(name):
    path = ROOT / f"Pulumi.{name}.yaml"
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(text()))
    assert path.read_text().startswith(f"# yaml-language-server: $schema={FILE.relative_to(ROOT)}\n")


@pytest.mark.parametrize(
    "change",
    [
        {"environment": "Oslo!"},
        {"nodes": []},
        {"cni": {"kind": "flanel"}},
        {"pasword": "x"},
    ],
)
def test_an_editor_marks_what_the_program_would_refuse(change):
    content = yaml.safe_load((ROOT / "Pulumi.oslo.yaml").read_text())
    content["config"]["vds-platform:spec"].update(change)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, json.loads(text()))
