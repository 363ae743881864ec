"""A registration, and the environment that it is in."""

import copy
from typing import Any

import yaml

from components.residency.model import Residency
from components.stackfile.registration import Published
from components.tenancy.registration.environment import Environment
from components.tenancy.registration.model import Registration

BUTIKK: dict[str, Any] = {
    "tenant": "butikk",
    "owner": {"groups": ["butikk-developers"], "ci": ["forge:butikk/app:main"]},
    "namespaces": {"prod": {"size": "medium"}, "staging": {"size": "small"}},
    "domains": ["butikk.example.no"],
    "egress": [
        {
            "name": "vipps",
            "hosts": ["api.vipps.no"],
            "ports": [443],
            "purpose": "payments",
            "country": "NO",
            "entity": "Vipps MobilePay AS",
            "entityCountry": "NO",
        }
    ],
    "registries": ["registry.example.no/butikk/"],
}

ENVIRONMENT: dict[str, Any] = {
    "environment": "oslo",
    "gateway": {
        "namespace": "gateway-system",
        "name": "public",
        "dataPlaneNamespace": "gateway-system",
        "address": "192.0.2.200",
        "listeners": [{"name": "https", "port": 443, "hostname": "*.example.no"}],
    },
    "canaryCeilingPercent": 50,
    "mtu": 1450,
    "cni": "cilium",
    "countries": ["NO"],
    "versions": {"kubernetes": "1.36.3", "cni": "1.20.2", "gatewayApi": "1.5.1"},
    "podNetworks": ["10.244.0.0/16"],
    "serviceNetworks": ["10.96.0.0/16"],
    "nodeNetworks": ["192.0.2.0/24"],
    "apiServer": "192.0.2.10",
    "namespaces": ["gateway-system"],
}

RESIDENCY: dict[str, Any] = {
    "allowedCountries": ["NO"],
    "places": [
        {
            "name": "registry",
            "hosts": ["registry.example.no"],
            "country": "NO",
            "entity": "Registry AS",
            "entityCountry": "NO",
            "purposes": ["image-registry"],
        },
        {
            "name": "state",
            "hosts": ["localhost"],
            "networks": ["127.0.0.0/8", "192.0.2.0/24"],
            "country": "NO",
            "entity": "Directorate",
            "entityCountry": "NO",
            "purposes": ["state", "dns", "time"],
        },
        {
            "name": "analytics",
            "hosts": ["*.analytics.example.com"],
            "country": "US",
            "entity": "Analytics Inc",
            "entityCountry": "US",
            "purposes": ["egress"],
        },
    ],
}


def data(**changes: Any) -> dict[str, Any]:
    """The registration as its file has it, with other parts."""
    return copy.deepcopy(BUTIKK) | changes


def registration(**changes: Any) -> Registration:
    """The same as a model."""
    return Registration.model_validate(data(**changes), by_alias=True, by_name=False)


def environment(**changes: Any) -> Environment:
    """What the environment publishes."""
    return Environment.model_validate(copy.deepcopy(ENVIRONMENT) | changes, by_alias=True, by_name=False)


def known(**changes: Any) -> Published:
    """The environment with its residency record."""
    residency = Residency.model_validate(copy.deepcopy(RESIDENCY) | changes, by_alias=True, by_name=False)
    return Published(environment(), residency)


def file_text(registered: dict[str, Any] | None = None, environment: str = "oslo") -> str:
    """A registration's file."""
    config = {"vds-tenants:environment": environment, "vds-tenants:registration": registered or data()}
    return yaml.safe_dump({"config": config}, sort_keys=False)
