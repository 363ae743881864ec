"""The schema that Pulumi makes of the package. tests/program asks the real engine for it."""

import json
import tomllib

from pulumi.provider.experimental.component import ComponentProvider

from components.agency.component import PACKAGE, App, GrpcRoute, Route
from components.agency.model import App as AppSettings
from components.agency.model import GrpcRoute as GrpcRouteSettings
from components.agency.model import Route as RouteSettings
from tests.support.stacks import ROOT


def test_the_schema_has_every_setting_with_its_description_and_what_is_required() -> None:
    schema = json.loads(str(ComponentProvider([App, Route, GrpcRoute], PACKAGE, version="0.1.0").schema))
    for model in (AppSettings, RouteSettings, GrpcRouteSettings):
        component = schema["resources"][f"{PACKAGE}:index:{model.__name__}"]
        fields = {info.alias: info for name, info in model.model_fields.items() if name != "name"}
        assert set(component["inputProperties"]) == set(fields)
        assert set(component["requiredInputs"]) == {name for name, info in fields.items() if info.is_required()}
        assert all(one["description"] for one in component["inputProperties"].values())


def test_the_package_has_the_projects_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'version="{version}"' in (ROOT / "packages/agency/__main__.py").read_text()
