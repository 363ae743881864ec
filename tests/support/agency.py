"""A contract and apps of an agency, for tests."""

from typing import Any

import yaml

from components.agency.model import App, Route
from components.agency.project import File, check
from components.agency.template import Language, project_files
from components.tenancy.registration.contract import ContractSpec
from components.tenancy.registration.contract import contract as registered
from tests.support.registrations import environment, registration

PYTHON_PROJECT = File("Pulumi.yaml", "name: butikk\nruntime: python\n")


def guide_problems(settings: dict[str, Any]) -> list[str]:
    """What is wrong with the settings of an agency's stack in a guide, by the contract of butikk-prod."""
    stack = File("Pulumi.prod.yaml", yaml.safe_dump({"config": settings}))
    made = registered(registration(registries=["registry.example.no/"]), NAMESPACE, environment())
    return [str(one) for one in check(PYTHON_PROJECT, stack, File("contract.yaml", yaml.safe_dump(made)))]


DIGEST = f"sha256:{'a' * 64}"
IMAGE = f"registry.example.no/butikk/api@{DIGEST}"
NAMESPACE = "butikk-prod"

CONTRACT: dict[str, Any] = registered(registration(), NAMESPACE, environment())["spec"]
"""What the registration of butikk in environment oslo gives."""


def contract(**changed: Any) -> ContractSpec:
    """The contract of butikk-prod."""
    return ContractSpec.model_validate({**CONTRACT, **changed})


def app(**changed: Any) -> App:
    """An app that keeps the contract."""
    return App.model_validate({"name": "api", "namespace": NAMESPACE, "image": IMAGE, **changed})


def route(**changed: Any) -> Route:
    """A route that keeps the contract."""
    hosts = ["butikk.example.no"]
    return Route.model_validate({"name": "shop", "namespace": NAMESPACE, "hostnames": hosts, "app": "api", **changed})


FULL_APP: dict[str, Any] = {
    "canary": {"image": IMAGE.replace("a" * 64, "b" * 64), "env": {"MODE": "new"}},
    "env": {"MODE": "old", "LEVEL": "info"},
    "secretEnv": {"PASSWORD": {"secret": "database", "key": "password"}},
    "healthPath": "/healthz",
    "command": ["/api"],
    "args": ["--fast"],
    "callers": ["gateway", "frontend"],
    "calls": [{"app": "database", "port": 5432}],
    "egress": ["vipps"],
    "user": 65532,
}
"""Every setting of an app."""

FULL_ROUTE: dict[str, Any] = {
    "canary": {"percent": 10},
    "matches": [{"pathPrefix": "/api", "method": "GET"}],
    "requestHeaders": {"set": {"X-Shop": "1"}},
    "responseHeaders": {"remove": ["Server"]},
    "rewrite": {"pathPrefix": "/"},
    "addHeaders": {"X-Region-Context": "no-osl-1"},
    "listener": "https",
}
"""Every setting of a route with an app, where Traefik is the gateway."""
ON_CILIUM: dict[str, Any] = {"mirror": {"app": "frontend", "percent": 5}, "timeouts": {"requestSeconds": 10}}
"""What only Cilium's gateway has."""


def project(language: Language = "yaml", **changed: str) -> dict[str, str]:
    """The files of a new project of butikk."""
    given = {"repository": "https://git.example.no/platform/vds-platform.git", "version": "0.1.0", **changed}
    return project_files(
        language,
        tenant="butikk",
        namespaces=["butikk-prod", "butikk-staging"],
        domain="butikk.example.no",
        registry="registry.example.no/butikk/",
        **given,
    )
