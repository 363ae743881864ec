import pytest
from pydantic import ValidationError

from components.core.duplicates import duplicates
from components.core.model import Spec
from components.core.quantities import Quantity, quantity_value
from components.core.types import Address, CountryCode, DnsLabel, HostKey, Network, Version
from tests.support.stacks import host_key


class Example(Spec):
    country_code: CountryCode = "NO"
    name: DnsLabel = "osl-1"
    network: Network = "10.0.0.0/8"
    address: Address = "192.0.2.1"
    amount: Quantity = "1"
    version: Version = "1.18.2"
    host_key: HostKey = host_key("x")


def said(**given):
    with pytest.raises(ValidationError) as caught:
        Example.model_validate(given)
    return str(caught.value.errors()[0]["msg"])


def test_a_bare_no_in_yaml_is_explained():
    assert "in quotes" in said(countryCode=False)


def test_a_typo_in_a_key_is_an_error():
    assert "not permitted" in said(adress="192.0.2.1")


def test_a_spec_cannot_be_changed():
    with pytest.raises(ValidationError):
        Example().name = "other"


@pytest.mark.parametrize("name", ["Osl", "-a", "a-", "a.b", "", "a" * 64, "a\n"])
def test_what_kubernetes_takes_for_no_name_is_refused(name):
    assert any(says in said(name=name) for says in ("lower-case", "at most 63"))


def test_a_network_with_host_bits_is_told_the_network_it_meant():
    assert "write 10.244.0.0/16" in said(network="10.244.0.1/16")


@pytest.mark.parametrize("value", ["10.0.0.0", 10, "x/8", "10.0.0.0/33"])
def test_what_is_no_network_is_refused(value):
    assert "as in 10.244.0.0/16" in said(network=value)


@pytest.mark.parametrize("value", ["1.2.3", None, 7, True, "example.no"])
def test_what_is_no_address_is_refused(value):
    assert "IPv4 address" in said(address=value)


def test_an_unquoted_version_is_explained():
    assert "in quotes" in said(version=1.18)


@pytest.mark.parametrize(
    "key",
    [
        "ssh-rsa AAAAB3NzaC1yc2E=",
        "ssh-ed25519 not-base64",
        "ssh-ed25519 AAAA",
        "192.0.2.11 " + host_key("x"),
        "",
    ],
)
def test_what_is_no_ed25519_key_is_refused(key):
    assert "ssh-keyscan" in said(hostKey=key)


def test_a_host_keys_comment_is_left_off():
    assert Example(host_key=host_key("x") + " root@osl-1").host_key == host_key("x")


@pytest.mark.parametrize(
    ("quantity", "value"), [("500m", "0.5"), ("2", "2"), ("1Gi", str(1024**3)), ("1.5k", "1500"), ("1E", str(10**18))]
)
def test_quantities_are_numbers(quantity, value):
    assert str(quantity_value(quantity).normalize().__format__("f")) == value


@pytest.mark.parametrize("quantity", ["", "1gb", "-1", "1 Gi", True, 1.5])
def test_what_is_no_quantity_is_refused(quantity):
    assert "quantity" in said(amount=quantity)


def test_repeated_values_are_named_once():
    assert duplicates("abcabca") == ["a", "b", "c"]
