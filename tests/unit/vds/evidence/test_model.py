"""What is undecided is said in whole sentences."""

import pytest

from vds.evidence.model import Place, _undeclared


@pytest.mark.parametrize(
    ("country", "entity_country", "says"),
    [
        ("", "NO", "its country is not declared: write it in the stack file"),
        ("NO", "", "its controller's country is not declared: write it in the stack file"),
        ("", "", "its country and controller's country are not declared: write them in the stack file"),
    ],
)
def test_the_countries_that_are_missing_are_named(country: str, entity_country: str, says: str) -> None:
    place = Place("state", "state", "state.example.no", country, "Lab", entity_country, (), "undeclared")  # type: ignore[arg-type]
    assert _undeclared(place).endswith(says)
