"""What can't be written at all, and how it is said."""

from typing import Any

import pytest

from components.agency.args import AppArgs
from components.agency.model import App, Route
from components.agency.reading import AgencyError, read, read_contract, read_parts
from components.agency.schema import FILE, source
from tests.support.agency import CONTRACT, IMAGE, NAMESPACE, contract

APP: dict[str, Any] = {"namespace": NAMESPACE, "image": IMAGE}
ROUTE: dict[str, Any] = {"namespace": NAMESPACE, "hostnames": ["butikk.example.no"], "app": "api"}


def refused(model: type[App] | type[Route], name: str, **settings: Any) -> str:
    with pytest.raises(AgencyError) as error:
        read(model, name, settings)
    return str(error.value)


def test_numbers_of_pulumi_are_whole_numbers() -> None:
    canary = {"image": IMAGE, "replicas": 2.0}
    assert read(App, "api", {**APP, "port": 8080.0, "canary": canary}).port == 8080


@pytest.mark.parametrize(
    ("message", "name", "settings"),
    [
        ("app 'api' replica: is not a setting here: did you mean replicas?", "api", {**APP, "replica": 3}),
        ("app 'api' port: '8080' is not a whole number: write one, without quotes", "api", {**APP, "port": "8080"}),
        ("app 'api' image: is missing: add it (image of the stable version", "api", {"namespace": NAMESPACE}),
        ("app 'Api' name: 'Api' is refused", "Api", APP),
        ("'api-canary' ends with -canary, which is the name of an app's new version", "api-canary", APP),
        ("'gateway' is the name of the platform's gateway in callers: rename the app", "gateway", APP),
        (
            "app 'api': has A in env and secretEnv: remove one",
            "api",
            {**APP, "env": {"A": "1"}, "secretEnv": {"A": {"secret": "s", "key": "k"}}},
        ),
    ],
)
def test_a_wrong_app_is_refused_in_words(message: str, name: str, settings: dict[str, Any]) -> None:
    assert message in refused(App, name, **settings)


@pytest.mark.parametrize(
    ("message", "settings"),
    [
        ("route 'shop': has neither app nor redirect", {"app": None}),
        ("route 'shop': has redirect and an app", {"redirect": {"path": "/x"}}),
        (
            "route 'shop': replaces a pathPrefix, and has several matches: write one route for each match",
            {"rewrite": {"pathPrefix": "/"}, "matches": [{"pathPrefix": "/a"}, {"pathPrefix": "/b"}]},
        ),
    ],
)
def test_a_wrong_route_is_refused_as_in_the_platforms_own_file(message: str, settings: dict[str, Any]) -> None:
    assert message in refused(Route, "shop", **{key: value for key, value in {**ROUTE, **settings}.items() if value})


def test_a_value_that_was_not_asked_for_is_not_repeated() -> None:
    assert "hunter2" not in refused(App, "api", **APP, password="hunter2")


def test_the_settings_that_are_right_are_judged_all_the_same() -> None:
    item, found = read_parts(App, "api", {**APP, "egress": ["altinn"], "replica": 3})
    assert item is not None
    assert item.egress == ("altinn",)
    assert len(found) == 1


def test_the_contract_of_a_newer_platform_is_read_and_a_broken_one_says_what_to_do() -> None:
    assert read_contract({**CONTRACT, "mtu": 1450.0, "wholeNew": {"a": 1}}) == contract()
    with pytest.raises(AgencyError, match=r"\(mtu\): use the version of the package that the platform team names"):
        read_contract({**CONTRACT, "mtu": None})


def test_the_types_for_pulumi_are_those_of_the_models() -> None:
    assert FILE.read_text() == source(), "run make schemas"
    assert set(AppArgs.__annotations__) == set(App.model_fields) - {"name"}


@pytest.mark.parametrize(
    ("canary", "said"),
    [
        ({}, "route 'shop' canary: has neither percent nor steps: write percent, or steps: [1, 5, 25, 50, 100]"),
        ({"steps": [5, 50], "percent": 10}, "has steps and percent 10: remove one: `vds canary` sets the share"),
        ({"steps": [], "percent": 10}, "has steps and percent 10"),
        ({"steps": []}, "has neither percent nor steps"),
        ({"percent": 10, "hold": "1m"}, "has hold and no steps"),
        ({"steps": [50, 5]}, "steps 50, 5 do not increase"),
        ({"steps": [5, 50], "hold": "1m", "interval": "1h"}, "interval 1h is longer than hold 1m"),
    ],
)
def test_a_canary_has_a_share_or_steps_as_in_the_platforms_own_file(canary: dict[str, Any], said: str) -> None:
    assert said in refused(Route, "shop", **ROUTE, canary=canary)


def test_steps_of_pulumi_are_whole_numbers() -> None:
    found = read(Route, "shop", {**ROUTE, "canary": {"steps": [5.0, 50.0], "gates": [{"kind": "success"}]}})
    assert found.canary is not None
    assert found.canary.steps == (5, 50)
