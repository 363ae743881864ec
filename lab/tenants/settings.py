"""Names of the lab's tenants, and what the agency's stack file says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from components.agency.model import App, Route
from components.agency.reading import read
from components.core.untrusted import yaml_value
from lab.layout import REGISTRY_NAME, Layout

TENANTS = ("butikk", "skjema")
AGENCY = "butikk"
"""The tenant that deploys something; also the name of its project."""
NAMESPACE = f"{AGENCY}-prod"
NEIGHBOUR = "skjema-prod"
"""Namespace of the other tenant. It is empty."""
NAMESPACES = (NAMESPACE, NEIGHBOUR)
ROUTE = "butikk-api"
APPS, ROUTES = f"{AGENCY}:apps", f"{AGENCY}:routes"
"""Keys of the agency's stack file."""
SOURCE = Path(__file__).with_name("agency.yaml")


class Wanted(NamedTuple):
    """What the agency has asked for."""

    apps: Mapping[str, App]
    route: Route
    """The one with the canary."""


def agency_folder(layout: Layout) -> Path:
    """The agency's project."""
    return layout.state / "agency"


def stack_file(layout: Layout) -> Path:
    """The agency's stack file."""
    return agency_folder(layout) / "Pulumi.prod.yaml"


def filled(images: Mapping[str, str]) -> dict[str, Any]:
    """The content of the agency's stack file, each image with its digest."""
    content: dict[str, Any] = yaml_value(SOURCE.read_text())
    for app in content["config"][APPS].values():
        for version in (app, app.get("canary", {})):
            if "image" in version:
                version["image"] = images[version["image"].removeprefix(f"{REGISTRY_NAME}/")]
    return content


def wanted(layout: Layout) -> Wanted:
    """What the agency's stack file says, as its program reads it."""
    config = yaml_value(stack_file(layout).read_text())["config"]
    apps = {name: read(App, name, given) for name, given in config[APPS].items()}
    return Wanted(apps, read(Route, ROUTE, config[ROUTES][ROUTE]))
