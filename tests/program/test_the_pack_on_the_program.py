"""The program's own resources, as the engine would show them to the pack."""

import pytest

from tests.support.judged import judged
from tests.support.stacks import problems, stack_data


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_the_committed_stacks_violate_nothing(name: str) -> None:
    assert judged(name) == []


def test_a_stack_that_allows_what_the_pack_does_not_is_refused_by_the_pack() -> None:
    data = stack_data("lab")
    data["residency"]["allowedCountries"] = ["NO", "SE"]
    data["nodes"][2]["country"] = "SE"
    found = judged("lab", data)
    assert {violation.policy for violation in found} == {"residency"}
    assert len(found) == 2, "the node, and its membership of the cluster"
    assert all("node osl-w-2: the machine is in SE, allowed: NO" in violation.message for violation in found)


def test_links_that_carry_jumbo_frames_are_judged_by_their_own_mtu() -> None:
    data = stack_data("lab")
    data["network"]["underlayMtu"] = 9000
    data["cni"]["podMtu"] = 8950
    assert judged("lab", data) == []


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("https://api.pulumi.com", "bytes go to api.pulumi.com (state), which no declared place holds"),
        ("s3://state?region=eu-north-1", "bytes go to s3.eu-north-1.amazonaws.com (state)"),
        ("file:///root", "bytes go to localhost (state)"),
    ],
)
def test_a_state_backend_that_nobody_declared_is_refused_at_preview(backend: str, message: str) -> None:
    messages = [v.message for v in judged("oslo", backend=backend) if v.policy == "residency-state"]
    assert any(message in said for said in messages)


def test_a_chart_repository_that_nobody_declared_is_refused_at_preview() -> None:
    data = stack_data("oslo")
    data["cni"]["install"]["repository"] = "https://charts.mirror.example.com/cilium"
    [violation] = judged("oslo", data)
    assert "Release cni-cilium: repositoryOpts.repo: bytes go to charts.mirror.example.com" in violation.message


def test_a_provider_under_foreign_law_is_refused_although_its_place_is_at_home() -> None:
    data = stack_data("oslo")
    place = next(place for place in data["residency"]["places"] if place["name"] == "quay")
    place["country"] = "NO"
    data["residency"]["exceptions"] = [e for e in data["residency"]["exceptions"] if e["place"] != "quay"]
    [problem] = problems(data)
    assert "controlled by Red Hat Inc., under the law of US, in whichever country it is; allowed: NO" in problem


def test_an_exception_that_has_ended_lets_nothing_through() -> None:
    data = stack_data("oslo")
    for item in data["residency"]["exceptions"]:
        item["until"] = "2026-11-20"
    found = judged("oslo", data)
    assert {v.policy for v in found} == {"residency-exceptions", "residency-destinations"}
    assert any("(exception 'quay-images' ended on 2026-11-20)" in v.message for v in found)


def test_a_pool_outside_every_declared_network_is_refused() -> None:
    data = stack_data("lab")
    data["residency"]["places"][0]["networks"] = ["192.0.2.0/26"]
    [violation] = judged("lab", data)
    assert "IPAddressPool metallb-system/public: spec.addresses.0: bytes go to 192.0.2.200 (addresses)" in (
        violation.message
    )
