"""An MTU that somebody has written is judged by the arithmetic that also renders ours."""

import pytest

from components.network.mtu_rules import cilium_config_problems, release_problems


def messages(version, values, underlay=1500):
    found = release_problems({"chart": "cilium", "version": version, "values": values}, underlay)
    return [problem.message for problem in found]


IPSEC = {"encryption": {"enabled": True, "type": "ipsec"}}
WIREGUARD = {"encryption": {"enabled": True, "type": "wireguard"}}


@pytest.mark.parametrize(
    ("version", "values", "gets"),
    [
        ("1.13.18", {"tunnel": "disabled"}, "1450 − 0 (native routing) = 1450 where 1500 − 0 (native routing) = 1500"),
        ("1.13.18", {"tunnel": "geneve"}, "1450 − 50 (Geneve) = 1400"),
        ("1.18.12", IPSEC, "1450 − 50 (VXLAN) − 77 (IPsec; not measured: prove it with DF pings) = 1323"),
        ("1.18.2", WIREGUARD, "1450 − 50 (VXLAN) − 80 (WireGuard) = 1320"),
        ("1.14.4", WIREGUARD, "1450 − 80 (WireGuard, the tunnel not counted up to 1.14.5) = 1370"),
    ],
)
def test_the_data_path_of_the_release_is_counted(version, values, gets):
    [message] = messages(version, {"MTU": 1450, **values})
    assert gets in message


@pytest.mark.parametrize(
    ("data", "gets"),
    [
        ({"tunnel": "disabled"}, "1450 − 0 (native routing) = 1450"),
        ({"enable-ipsec": "true"}, "= 1323"),
        ({"enable-wireguard": "true", "routing-mode": "native"}, "1450 − 95 (WireGuard) = 1355"),
    ],
)
def test_a_configuration_is_counted_alike(data, gets):
    [problem] = cilium_config_problems({"data": {"mtu": "1450", **data}}, 1500)
    assert gets in problem.message


def test_what_is_no_number_is_said_without_showing_it():
    [problem] = cilium_config_problems({"data": {"mtu": "hunter2"}}, 1500)
    assert (problem.message, problem.remedy) == ("data.mtu is no number", "write 1500, or 0 to have it detected")
    assert messages("1.18.12", {"MTU": "$MTU"}) == []
