"""An MTU that somebody has written is judged by the arithmetic that also renders ours."""

import pytest

from components.network.mtu_rules import cilium_config_problems


@pytest.mark.parametrize(
    ("data", "gets"),
    [
        ({"tunnel": "disabled"}, "1450 − 0 (native routing) = 1450"),
        ({"tunnel": "geneve"}, "1450 − 50 (Geneve) = 1400"),
        ({"enable-ipsec": "true"}, "1450 − 50 (VXLAN) − 77 (IPsec; not measured: prove it with DF pings) = 1323"),
        ({"enable-wireguard": "true", "routing-mode": "native"}, "1450 − 95 (WireGuard) = 1355"),
    ],
)
def test_the_data_path_is_counted(data, gets):
    [problem] = cilium_config_problems({"data": {"mtu": "1450", **data}}, 1500)
    assert gets in problem.message


def test_what_is_no_number_is_said_without_showing_it():
    [problem] = cilium_config_problems({"data": {"mtu": "hunter2"}}, 1500)
    assert (problem.message, problem.remedy) == ("data.mtu is no number", "write 1500, or 0 to have it detected")
    assert list(cilium_config_problems({"data": {"mtu": "$MTU"}}, 1500)) == []
