"""A finding: what is wrong, and what to do about it."""

import pytest

from components.core.finding import Finding


def test_a_finding_is_not_made_without_its_remedy():
    with pytest.raises(TypeError, match="remedy"):
        Finding("cni-pod-mtu", "cni.podMtu", "1500, but pods get 1450")  # type: ignore[call-arg]


def test_its_text_has_subject_message_and_remedy():
    found = Finding("cni-pod-mtu", "cni.podMtu", "1500, but pods get 1450", "write podMtu: 1450")
    assert str(found) == "cni.podMtu: 1500, but pods get 1450: write podMtu: 1450"


def test_a_finding_is_one_line_whatever_its_values_are() -> None:
    text = str(Finding("rule", "a\nb", "is \x1b[31mred", "write \u202eab", file="f\n.yaml", lines=(1,)))

    assert text.isprintable()
