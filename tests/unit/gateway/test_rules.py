"""What a gateway and anyone's routes may not be."""

from typing import Any

import pytest

from components.gateway.model import GatewaySpec, shared
from components.gateway.rules import Claim, gateway_problems, ownership_problems, weight_problems


def listener(**fields: Any) -> dict[str, Any]:
    plain = {"plainText": {"until": "2027-12-31", "reason": "a test has no certificates"}}
    plain = {} if fields.get("protocol") == "HTTPS" else plain
    return {"name": "http", "port": 80, "protocol": "HTTP", **plain, **fields}


def problems(listeners: list[dict[str, Any]], **fields: Any) -> list[str]:
    spec = GatewaySpec.model_validate({"install": {"kind": "existing"}, "listeners": listeners, **fields})
    return [str(problem) for problem in gateway_problems(spec)]


def test_weights_that_are_all_zero_are_refused() -> None:
    [problem] = weight_problems("route 'api'", [0, 0])
    assert "all weights are zero (0, 0), so every request fails" in str(problem)


def test_a_host_has_one_owner_and_a_wildcard_does_not_reach_over_anothers() -> None:
    first = Claim("butikk", "api", "butikk.example.no")
    [same] = ownership_problems([first, Claim("skjema", "web", "butikk.example.no")])
    assert str(same).startswith("route 'web' of skjema: butikk.example.no belongs to butikk too:")
    [over] = ownership_problems([first, Claim("skjema", "all", "*.example.no")])
    assert str(over) == (
        "route 'all' of skjema: *.example.no belongs to butikk too (as butikk.example.no): a host name has one owner; "
        "remove it from one of them"
    )


def test_listeners_are_told_apart() -> None:
    assert "occurs twice" in problems(listeners=[listener(), listener(port=8080)])[0]
    [same] = problems(listeners=[listener(), listener(name="other")])
    assert "can't tell them apart" in same
    https = listener(name="https", protocol="HTTPS", hostname="a.example.no", certificateSecret="a")
    [mixed] = problems(listeners=[listener(), https])
    assert "HTTPS on port 80, where another listener has HTTP" in mixed


def test_a_listener_whose_certificate_is_made_needs_a_name() -> None:
    https = listener(name="https", port=443, protocol="HTTPS", certificateSecret="a")
    assert problems(listeners=[https]) == []
    [problem] = problems(listeners=[https], issuer={"kind": "cluster-issuer", "name": "letsencrypt"})
    assert "has no hostname, and cluster-issuer makes certificates for names" in problem


@pytest.mark.parametrize(
    ("listening", "asked", "meet"),
    [
        (None, "a.example.no", True),
        ("a.example.no", "a.example.no", True),
        ("*.example.no", "a.example.no", True),
        ("*.example.no", "a.b.example.no", True),
        ("*.example.no", "example.no", False),
        ("a.example.no", "*.example.no", True),
        ("*.example.no", "*.b.example.no", True),
        ("*.a.example.no", "*.b.example.no", False),
        ("a.example.no", "b.example.no", False),
    ],
)
def test_hosts_meet_as_gateway_api_says(listening: str | None, asked: str, meet: bool) -> None:
    assert shared(listening, asked) is meet
