from components.nodes.known_hosts import host_keys, key_for
from tests.support.stacks import host_key

FILE = f"""
# a comment
osl-1,192.0.2.11 {host_key("one")} root@osl-1
192.0.2.12 ssh-rsa AAAAB3NzaC1yc2E=
192.0.2.12 {host_key("two")}
192.0.2.12 {host_key("later")}
@revoked 192.0.2.13 {host_key("three")}
|1|hash|ed= {host_key("four")}
[192.0.2.14]:2222 {host_key("five")}
broken
"""


def find(address, port=22, name="none"):
    return key_for(host_keys(FILE), name=name, address=address, port=port)


def test_a_key_is_found_by_address_or_by_name():
    assert find("192.0.2.11") == find("192.0.2.99", name="osl-1") == host_key("one")


def test_the_first_ed25519_key_wins_over_other_types_and_later_lines():
    assert find("192.0.2.12") == host_key("two")


def test_a_revoked_key_is_no_key():
    assert find("192.0.2.13") is None


def test_another_port_is_another_server():
    assert find("192.0.2.14") is None
    assert find("192.0.2.14", port=2222) == host_key("five")
