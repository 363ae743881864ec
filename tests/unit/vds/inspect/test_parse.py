"""Parses what inspect.sh prints."""

import json

import pytest

from vds.inspect.parse import calico_interface, counted, drop, pod_network, route_line
from vds.shared.errors import OperationError


def event(**summary):
    return json.dumps({"type": "drop", "reason": "Stale or unroutable IP", "srcLabel": 1, "summary": summary})


def test_a_drop_of_ipv6_and_icmp_is_readable():
    seen = drop(event(l3={"src": "fd00::1", "dst": "fd00::2"}, l4={"src": "1", "dst": "53"}, udp="UDP"))
    assert seen.line() == "[fd00::1]:1 -> [fd00::2]:53 udp: Stale or unroutable IP (identity 1->0)"
    seen = drop(event(l3={"src": "192.0.2.1", "dst": "192.0.2.2"}, icmpv4="ICMPv4"))
    assert seen.line().startswith("192.0.2.1 -> 192.0.2.2 icmp: ")


def test_a_drop_of_a_packet_that_could_not_be_read_keeps_its_reason():
    assert drop('{"type": "drop", "reason": "Invalid packet"}').line().startswith("(unreadable packet): Invalid packet")


@pytest.mark.parametrize("line", ["", "Press Ctrl-C to quit", "7", '{"type": "trace"}', "[]", "CPU 00: Lost 1 events"])
def test_what_is_no_drop_is_none(line):
    assert drop(line) is None


def test_a_route_is_written_as_ip_writes_it():
    route = {"dst": "10.0.0.0/8", "dev": "eth0", "prefsrc": "10.0.0.7", "metric": 100, "flags": ["onlink"]}
    assert route_line(route) == "10.0.0.0/8 dev eth0 src 10.0.0.7 metric 100 onlink"


@pytest.mark.parametrize("text", ["", "[]\n[]\n", "not json\n[]\n[]\n"])
def test_an_old_iproute2_is_named(text):
    with pytest.raises(OperationError, match="older than"):
        pod_network(text)


def test_counters_of_nftables_are_told_by_chain_with_calicos_words():
    def ruleset(packets):
        return f"""table ip calico {{
	chain filter-cali-tw-cali1 {{
		ct state invalid counter packets 4 bytes 240 drop comment "cali:a1_-; "
		counter packets {packets} bytes 9 drop comment "cali:b2; Drop if no profiles matched"
		counter packets {packets} bytes 9 accept
	}}
}}
"""

    [only] = counted(ruleset(1) + "# later\n" + ruleset(3))
    assert only.line() == "2 packets in filter-cali-tw-cali1: Drop if no profiles matched"


def test_a_rule_that_was_made_meanwhile_counts_from_zero_and_one_that_went_does_not_count():
    before, later = "[5:1] -A gone -j DROP\n", "[1:1] -A new -p tcp -j DROP\n[9:9] -A new -j ACCEPT\n"
    assert [rule.line() for rule in counted(f"{before}# later\n{later}")] == ["1 packet in new: -p tcp -j DROP"]


def test_the_interface_of_a_pod_is_the_one_calico_makes():
    # A pod and its interface as seen on a cluster, in the tests of another program that derives the name.
    assert calico_interface("default", "client-b6989bf87-2bgtc") == "calic95a4947e07"
