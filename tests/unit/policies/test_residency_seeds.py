"""The 20 seeded faults are found, and good manifests of every kind of sink raise no alarm."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import PLACE, kube
from tests.support.policy import Resource, of_manifest, violations

HERE = Path(__file__).parent
HOME = {
    **PLACE,
    "hosts": ["*.example.no", "localhost"],
    "networks": ["198.51.100.0/24"],
    "purposes": [
        *("acme", "addresses", "backup", "chart-repository", "dns", "egress", "image-registry", "secrets", "state"),
        *("storage", "telemetry", "time"),
    ],
}
"""One place in the country, with every purpose."""

FAULTS = yaml.safe_load((HERE / "residency_faults.yaml").read_text())
GOOD = yaml.safe_load((HERE / "residency_good.yaml").read_text())


def said(*resources: Resource) -> list[str]:
    found = violations(ENGINE_POLICIES, list(resources), {"residency-destinations": {"places": [HOME]}})
    return [violation.message for violation in found if violation.policy == "residency-destinations"]


def test_there_are_20_faults_with_their_sources() -> None:
    assert len(FAULTS) == len({one["name"] for one in FAULTS}) == 20
    assert all(one["source"] for one in FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["name"])
def test_a_seeded_fault_is_found(fault: dict[str, Any]) -> None:
    messages = said(of_manifest(fault["object"]))
    assert any(fault["to"] in message.partition(", which no declared")[0] for message in messages)


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good["kind of sink"])
def test_a_plain_good_manifest_raises_no_alarm(good: dict[str, Any]) -> None:
    namespaces = [kube("v1", "Namespace", name) for name in ("monitoring", "storage", "db")]
    assert said(*namespaces, *(of_manifest(one, index) for index, one in enumerate(good["objects"]))) == []


def test_every_kind_of_sink_has_a_good_manifest() -> None:
    assert len({good["kind of sink"] for good in GOOD}) == 26
