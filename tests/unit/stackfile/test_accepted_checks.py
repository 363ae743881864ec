"""`preflight.accept`: only checks that exist, of nodes that exist, until a day, with a reason."""

from typing import Any

import pytest

from tests.support.stacks import problems, stack_data


def accepted(**entry: Any) -> list[str]:
    data = stack_data("oslo")
    data["preflight"]["accept"] = [
        {"check": "path-mtu", "until": "2027-01-31", "reason": "the provider answers no ping yet"} | entry
    ]
    return problems(data)


def test_a_check_is_accepted_until_a_day():
    assert accepted() == []
    assert accepted(nodes=["osl-w-3"]) == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"check": "swap"}, "preflight.accept[1].check"),  # advice, which stops nothing
        ({"nodes": ["osl-w-9"]}, "preflight.accept[1].nodes: osl-w-9 is no node: write one of osl-cp-1"),
        ({"until": "2027-02-31"}, "February 2027 has 28 days"),
        ({"reason": "later"}, "preflight.accept[1].reason"),
    ],
)
def test_what_accepts_nothing_is_refused(entry, said):
    [found] = accepted(**entry)
    assert said in found


def test_a_machine_is_a_server_or_a_container():
    data = stack_data("oslo")
    data["nodes"][0]["machine"] = "lxc"
    [found] = problems(data)
    assert "nodes[osl-cp-1].machine" in found
    assert "container" in found
