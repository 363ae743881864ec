"""Whole manifests and values of pools, gateway and tenants, as the committed stacks render them."""

import pytest
import yaml

from components.core.manifests import secured_namespace
from components.gateway.model import Traefik
from components.gateway.render import gateway_policies
from components.gateway.traefik import traefik_manifests
from components.images.model import ImageMirror
from components.monitoring.render import monitoring_manifests
from components.pools.model import Helm
from components.pools.render import metallb_manifests, metallb_namespace, metallb_values, network_policies
from components.tenancy.admission_policies import admission_manifests
from components.tenancy.bundle import namespace_manifests
from components.tenancy.network import floor_manifests
from tests.support.golden import assert_golden
from tests.support.manifests import gateway_manifests, to_yaml
from tests.support.monitoring import parts, watched
from tests.support.registrations import environment, registration
from tests.support.stacks import stack

PINNED = ImageMirror(
    registry="registry.lab.example.no",
    pins=dict.fromkeys(("library/traefik", "metallb/controller", "metallb/speaker"), f"sha256:{'a' * 64}"),
)
"""As the lab's copy of its stack file has it."""


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_pools_and_advertisements_are_what_they_were(name: str) -> None:
    platform = stack(name)
    made = metallb_manifests(platform.metallb, platform.metallb_context)
    assert_golden(f"{name}-metallb.yaml", to_yaml([*network_policies(platform.metallb_context), *made]))


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_gateway_and_redirects_are_what_they_were(name: str) -> None:
    platform = stack(name)
    policies = gateway_policies(platform.gateway, platform.gateway_context)
    assert_golden(f"{name}-gateway.yaml", to_yaml([*policies, *gateway_manifests(platform)]))


def test_what_is_refused_of_registered_tenants_is_what_it_was() -> None:
    assert_golden("registered-admission.yaml", to_yaml(admission_manifests("1.36.3")))


def test_what_isolates_a_registered_namespace_is_what_it_was() -> None:
    published = environment()
    made = [*namespace_manifests(registration(), "butikk-prod", published), *floor_manifests(published)]
    assert_golden("registered-cilium.yaml", to_yaml(made))


def test_what_is_installed_from_mirrors_is_what_it_was() -> None:
    lab = stack("lab")
    assert isinstance(lab.gateway.install, Traefik)
    assert isinstance(lab.metallb.install, Helm)
    pinned = lab.gateway_context._replace(images=PINNED)
    assert_golden("lab-traefik.yaml", to_yaml(traefik_manifests(lab.gateway, lab.gateway.install, pinned)))
    around = lab.metallb_context._replace(images=PINNED)
    assert_golden("lab-metallb-values.yaml", yaml.safe_dump(metallb_values(lab.metallb, lab.metallb.install, around)))


def test_what_goes_with_a_chart_is_what_it_was() -> None:
    oslo = stack("oslo")
    assert isinstance(oslo.metallb.install, Helm)
    values = metallb_values(oslo.metallb, oslo.metallb.install, oslo.metallb_context)
    assert_golden("oslo-metallb-values.yaml", yaml.safe_dump(values))
    assert isinstance(oslo.gateway.install, Traefik)
    assert_golden(
        "oslo-traefik.yaml", to_yaml(traefik_manifests(oslo.gateway, oslo.gateway.install, oslo.gateway_context))
    )
    around = [metallb_namespace(), secured_namespace(oslo.gateway.namespace)]
    assert_golden("oslo-around-charts.yaml", to_yaml(around))


def test_what_watches_a_cluster_is_what_it_was() -> None:
    assert_golden("oslo-monitoring.yaml", to_yaml(monitoring_manifests(*parts(watched()))))
