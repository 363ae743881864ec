"""Whole objects of an agency's app and route, with every setting."""

from components.agency.render import app_manifests, route_manifest
from tests.support.agency import FULL_APP, FULL_ROUTE, app, contract, route
from tests.support.golden import assert_golden
from tests.support.manifests import to_yaml


def test_an_app_and_its_route_are_what_they_were() -> None:
    made = [*app_manifests(app(**FULL_APP), contract()), route_manifest(route(**FULL_ROUTE), contract())]
    assert_golden("agency.yaml", to_yaml(made))
