"""The list of countries is ISO's, as the IANA time zone database has it."""

from importlib.resources import files

import pytest

from components.core.countries import CODES, meant


def test_the_codes_are_those_of_iso_3166():
    text = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    assert {line[:2] for line in text.splitlines() if not line.startswith("#")} == CODES


@pytest.mark.parametrize(
    ("text", "code"), [("UK", "GB"), ("Norge", "NO"), ("swe", "SE"), ("no", "NO"), ("Atlantis", "")]
)
def test_what_people_write_instead(text, code):
    assert meant(text) == code
