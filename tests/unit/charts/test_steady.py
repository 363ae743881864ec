"""What charts randomise is replaced by a mark, and nothing else."""

import pytest

from components.charts.steady import RANDOM, counts_seconds, is_random, steady


@pytest.mark.parametrize(
    "template",
    [
        '{{- $ca := genCA "x" 365 }}',
        "{{ randAlphaNum 8 | b64enc }}",
        "{{ include (print .Template) . | sha256sum }}{{ uuidv4 }}",
        '{{ now | date "2006" }}',
        "{{\n  genSignedCert .a\n}}",
    ],
)
def test_a_random_function_is_seen(template: str) -> None:
    assert is_random(template)


@pytest.mark.parametrize(
    "template", ["no call of now or randAlpha", "{{ .Values.known }} now", "{{ .a }} uuidv4 {{ .b }}"]
)
def test_text_beside_the_template_is_no_call(template: str) -> None:
    assert not is_random(template)


def test_only_seconds_are_waited_for() -> None:
    assert counts_seconds("{{ now | unixEpoch }}")
    assert not counts_seconds('{{ now | date "2006-01-02" }}')


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ({"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 1, "b": RANDOM}),
        ({"a": [1, 2]}, {"a": [1, 3]}, {"a": [1, RANDOM]}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": RANDOM}),
        ({"x1": 1, "k": 2}, {"x2": 1, "k": 2}, {"k": 2, RANDOM: RANDOM}),
        ("same\nabc\nend", "same\nxyz\nend", f"same\n{RANDOM}\nend"),
        (1, True, RANDOM),
        ({"a": None}, {"a": None}, {"a": None}),
    ],
)
def test_what_differs_is_marked(first: object, second: object, found: object) -> None:
    assert steady(first, second) == found
