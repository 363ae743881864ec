"""docs/howto/use-a-tenant.md describes what the platform accepts and renders."""

import re

import pytest
import yaml

from components.core.labels import TIER
from components.tenancy.render import tenant_manifests
from tests.support.stacks import ROOT, problems, stack, stack_data

GUIDE = (ROOT / "docs/howto/use-a-tenant.md").read_text()


def block(start: str):
    (text,) = re.findall(rf"```yaml\n( *{start}.*?)```", GUIDE, re.DOTALL)
    return yaml.safe_load(text)


def test_the_tenant_and_the_route_of_the_guide_are_accepted():
    data = stack_data("oslo") | block("tenants:")
    data["gateway"]["routes"] = block("- name: butikk-api")
    assert problems(data) == []


def test_the_label_of_the_guide_is_the_one_that_network_policies_select():
    assert list(block("metadata:")["metadata"]["labels"]) == [TIER]


@pytest.mark.parametrize("kind", ["Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "Role", "RoleBinding"])
def test_a_tenant_gets_what_the_guide_lists(kind):
    bundle = tenant_manifests(stack("oslo").tenants[0], gateway_namespace="gateway")
    made = {item["kind"]: item for item in bundle}
    assert kind in made
    hard = {
        key: most for item in bundle if item["kind"] == "ResourceQuota" for key, most in item["spec"]["hard"].items()
    }
    assert hard["services.nodeports"] == hard["services.loadbalancers"] == "0"
    assert hard["count/secrets"] == "100"
    assert made["Role"]["metadata"]["name"] in GUIDE


def test_the_ceiling_of_a_canary_is_the_default():
    assert f"({stack('oslo').gateway.canary_ceiling_percent} by default)" in GUIDE
