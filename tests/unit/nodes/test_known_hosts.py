import base64
import hashlib
import hmac

import pytest

from components.nodes.known_hosts import KnownHostsError, key_for, known_hosts
from tests.support.stacks import host_key


def hashed(host):
    """A name as ssh(1) writes it with `HashKnownHosts yes`, which is Debian's default."""
    salt = hashlib.sha1(host.encode()).digest()  # noqa: S324 - the file format's own algorithm
    digest = hmac.new(salt, host.encode(), "sha1").digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


FILE = f"""
# a comment
osl-1,192.0.2.11 {host_key("one")} root@osl-1
192.0.2.12 ssh-rsa AAAAB3NzaC1yc2E=
192.0.2.12 {host_key("two")}
192.0.2.12 {host_key("later")}
192.0.2.13 {host_key("three")}
@revoked 192.0.2.13 {host_key("three")}
@cert-authority 192.0.2.15 {host_key("authority")}
[192.0.2.14]:2222 {host_key("five")}
{hashed("192.0.2.16")} {host_key("six")}
{hashed("osl-7")} {host_key("seven")}
{hashed("[192.0.2.18]:2222")} {host_key("eight")}
198.51.100.*,!198.51.100.9 {host_key("pattern")}
203.0.113.0/24 {host_key("network")}
"""


def find(address, port=22, name="none"):
    return key_for(known_hosts(FILE), name=name, address=address, port=port)


def test_a_key_is_found_by_address_or_by_name():
    assert find("192.0.2.11") == find("192.0.2.99", name="osl-1") == host_key("one")


def test_the_first_ed25519_key_wins_over_other_types_and_later_lines():
    assert find("192.0.2.12") == host_key("two")


def test_a_revoked_key_is_no_key():
    assert find("192.0.2.13") is None


@pytest.mark.parametrize("hosts", ["*", "osl-3", "192.0.2.*", hashed("osl-3")])
def test_a_key_is_revoked_by_each_name_of_the_node(hosts):
    """Finding 18: ssh(1) refuses such a key, and we handed it out."""
    entries = known_hosts(f"192.0.2.13 {host_key('three')}\n@revoked {hosts} {host_key('three')}\n")
    assert key_for(entries, name="osl-3", address="192.0.2.13", port=22) is None


@pytest.mark.parametrize("marker", ["", "@revoked "])
@pytest.mark.parametrize("key", ["not!a!key", "AAAA", host_key("one").split()[1][:-4], ""])
def test_an_ed25519_key_that_is_none_is_refused_at_preview(marker, key):
    """Finding 18: it failed at the server."""
    with pytest.raises(KnownHostsError, match="line 2 is not an entry"):
        known_hosts(f"# ours\n{marker}192.0.2.11 ssh-ed25519 {key}\n")


def test_the_next_key_is_taken_when_the_first_one_is_revoked():
    text = f"osl-1 {host_key('old')}\nosl-1 {host_key('new')}\n"
    for revoked, key in (("", "old"), (f"@revoked * {host_key('old')}\n", "new")):
        assert key_for(known_hosts(text + revoked), name="osl-1", address="192.0.2.1", port=22) == host_key(key)


def test_a_certificate_authority_is_no_host_key():
    assert find("192.0.2.15") is None


def test_hashed_names_are_found():
    assert find("192.0.2.16") == host_key("six")
    assert find("192.0.2.99", name="osl-7") == host_key("seven")
    assert find("192.0.2.18", port=2222) == host_key("eight")
    assert find("192.0.2.18") is None


def test_patterns_and_networks_are_found():
    assert find("198.51.100.7") == host_key("pattern")
    assert find("198.51.100.9") is None
    assert find("203.0.113.7") == host_key("network")


def test_what_is_no_entry_is_refused_by_its_line_and_never_repeated():
    with pytest.raises(KnownHostsError, match="line 2 is not an entry") as caught:
        known_hosts("# a key in the wrong place\nhunter2\n")
    assert "hunter2" not in str(caught.value)


def test_an_entry_for_a_port_serves_no_other_port():
    assert find("192.0.2.14") is None
    assert find("192.0.2.14", port=2222) == host_key("five")
