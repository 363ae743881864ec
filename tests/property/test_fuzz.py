"""A few of the inputs of `make fuzz`."""

import pytest

from tests.fuzz.__main__ import by_hypothesis
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize(("name", "inputs"), [("stack-files", 100), ("node-answers", 400), ("chart-values", 40)])
def test_no_odd_input_ends_in_a_traceback(name, inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.fuzz.__main__.FOLDER", tmp_path)
    monkeypatch.setattr("tests.fuzz.__main__.ROOT", tmp_path)
    count = by_hypothesis(TARGETS[name], inputs)
    assert list(count.crashes) == []
    assert count.inputs >= inputs
    assert count.findings
