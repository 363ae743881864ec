"""Address blocks: what they take, what is in them, and what they say otherwise."""

import re
from ipaddress import ip_address

import pytest

from components.pools.addresses import address_block


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("192.0.2.200-192.0.2.220", ["192.0.2.200", "192.0.2.210", "192.0.2.220"], ["192.0.2.199", "192.0.2.221"]),
        ("192.0.2.208/28", ["192.0.2.208", "192.0.2.223"], ["192.0.2.207", "192.0.2.224"]),
        ("192.0.2.1/32", ["192.0.2.1"], ["192.0.2.2"]),
        ("2001:db8::/112", ["2001:db8::", "2001:db8::ffff"], ["2001:db8::1:0", "192.0.2.1"]),
        ("2001:DB8:0::/48", ["2001:db8:0:1::"], ["2001:db8:1::"]),
        ("2001:db8::1-2001:db8::f", ["2001:db8::a"], ["2001:db8::10"]),
    ],
)
def test_a_block_holds_both_its_ends_and_nothing_beyond(text: str, inside: list[str], outside: list[str]) -> None:
    block = address_block(text)
    assert all(block.holds(ip_address(address)) for address in inside)
    assert not any(block.holds(ip_address(address)) for address in outside)
    assert str(block) == text


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("192.0.2.1", "write 192.0.2.1/32"),
        ("2001:db8::1", "write 2001:db8::1/128"),
        ("192.0.2.1/24", "write 192.0.2.0/24"),
        ("192.0.2.20-192.0.2.10", "write 192.0.2.10-192.0.2.20"),
        ("192.0.2.10-20", "write 192.0.2.10-192.0.2.20"),
        ("192.0.2.1-2001:db8::1", "write two ranges"),
        ("192.0.2.1-192.0.2.300", "write a range, as in"),
        ("", "write a range, as in"),
        ("all of them", "write a range, as in"),
    ],
)
def test_what_is_no_block_is_answered_with_what_to_write(text: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=re.escape(remedy)):
        address_block(text)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("192.0.2.0/28", "192.0.2.15-192.0.2.20", True),
        ("192.0.2.0/28", "192.0.2.16-192.0.2.20", False),
        ("0.0.0.0/0", "::/0", False),
    ],
)
def test_blocks_overlap_where_they_share_an_address(one: str, other: str, shared: bool) -> None:
    assert address_block(one).overlaps(address_block(other)) is shared
    assert address_block(other).overlaps(address_block(one)) is shared
