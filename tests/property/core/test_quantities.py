"""Our reading of quantities against the Kubernetes client's."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils import parse_quantity

from components.core.quantities import quantity_value

_DIGITS = st.text("0123456789", min_size=1, max_size=6)
_NUMBERS = st.one_of(
    _DIGITS,
    st.builds("{}.{}".format, _DIGITS, st.text("0123456789", max_size=3)),
    st.builds(".{}".format, _DIGITS),
)
_SUFFIXES = st.one_of(
    st.sampled_from(["", *"numkMGTPE", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]),
    st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.integers(0, 18)),
)
_SIMILAR = st.text("0123456789.+-eEinumkKMGT ", max_size=6)


@given(st.builds("{}{}{}".format, st.sampled_from(["", "+"]), _NUMBERS, _SUFFIXES))
def test_every_quantity_has_the_value_that_the_kubernetes_client_gives_it(text):
    assert quantity_value(text) == parse_quantity(text)


@given(_SIMILAR)
def test_what_we_accept_has_the_same_value_for_the_kubernetes_client(text):
    try:
        value = quantity_value(text)
    except ValueError:
        return
    assert value == parse_quantity(text) >= Decimal(0)


@pytest.mark.parametrize("text", ["1e3", "100n", "+1", ".5", "1.", "1E3", "1e-3", "5u"])
def test_forms_that_kubernetes_accepts_are_accepted(text):
    assert quantity_value(text) == parse_quantity(text)


@pytest.mark.parametrize(
    "text", ["1K", "1ki", "1mi", "1 Gi", "Infinity", "NaN", "1_000", "e3", "+", ".", "-1", "1Gi\n", "٣"]
)
def test_forms_that_kubernetes_refuses_are_refused(text):
    """The Python client reads some of these; apimachinery does not. A negative request or limit is invalid there."""
    with pytest.raises(ValueError, match="write a Kubernetes quantity"):
        quantity_value(text)
