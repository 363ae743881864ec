"""Versions compare as numbers, by one module."""

import pytest

from components.core.versions import between, matches, minor, parse


def test_versions_compare_as_numbers():
    assert parse("v1.9.0") < parse("1.18.2-rc.1") < parse("1.20.0")


@pytest.mark.parametrize("text", ["", "latest", "1.x", "1.2.3.tgz"])
def test_a_text_that_is_no_version_is_refused(text):
    with pytest.raises(ValueError, match=r"[Ii]nvalid"):
        parse(text)


@pytest.mark.parametrize(
    ("version", "first", "last", "inside"),
    [
        ("1.14.3", "", "1.14", True),
        ("1.15.0", "", "1.14", False),
        ("1.14.3", "1.14.3", "1.14.3", True),
        ("1.14.2", "1.14.3", "", False),
        ("1.14", "1.14.3", "", True),
        ("1.13", "1.14.3", "", False),
        ("v1.33.1", "1.31", "1.33", True),
        ("0.13.12", "", "", True),
    ],
)
def test_a_bound_holds_every_version_of_its_line(version, first, last, inside):
    assert between(version, first, last) is inside


@pytest.mark.parametrize(
    ("version", "specifiers", "inside"),
    [
        ("1.14.3", ">=1.14,<1.16", True),
        ("1.16.0", ">=1.14,<1.16", False),
        ("v1.15.0+k3s1", ">=1.15", True),
        ("1.15.0-rc.1", ">=1.15", True),
    ],
)
def test_specifiers_are_packagings(version, specifiers, inside):
    assert matches(version, specifiers) is inside


def test_a_minor_line_has_two_numbers():
    assert minor("v1.14.4-rc.1") == "1.14"
