"""A finding: what is wrong, and what to do about it."""

import pytest

from components.core.finding import Finding


def test_a_finding_is_not_made_without_its_remedy():
    with pytest.raises(TypeError, match="remedy"):
        Finding("cni-pod-mtu", "cni.podMtu", "1500, but pods get 1450")  # type: ignore[call-arg]


def test_its_text_has_subject_message_and_remedy():
    found = Finding("cni-pod-mtu", "cni.podMtu", "1500, but pods get 1450", "write podMtu: 1450")
    assert str(found) == "cni.podMtu: 1500, but pods get 1450: write podMtu: 1450"
