"""A bad stack file: every mistake at once, in words, and nothing is changed."""

from typing import Any

import pytest

from tests.lab.conftest import Lab

pytestmark = pytest.mark.lab


def test_every_mistake_is_named_at_once_and_nothing_is_changed(lab: Lab) -> None:
    def edit(spec: dict[str, Any]) -> None:
        spec["gateway"]["clasName"] = spec["gateway"].pop("className")
        spec["nodes"][1]["country"] = "SE"
        spec["metallb"]["pools"][0]["addresses"] = ["192.0.2.10-192.0.2.20"]
        spec["ssh"]["port"] = 0

    outcome = lab.deployment.run("up", config_file=lab.variant(edit))
    assert outcome.exit_code
    for word in ("clasName", "SE", "192.0.2.10-192.0.2.20", "ssh.port"):
        assert word in outcome.diagnostics, outcome.diagnostics
    assert "Traceback" not in outcome.output
    assert set(outcome.changes) <= {"same"}


def test_an_mtu_that_the_network_does_not_have_is_refused_with_the_right_one(lab: Lab) -> None:
    def edit(spec: dict[str, Any]) -> None:
        spec["cni"]["podMtu"] = 1500

    outcome = lab.deployment.run("preview", config_file=lab.variant(edit))
    assert outcome.exit_code
    assert "1450" in outcome.diagnostics
    assert "Traceback" not in outcome.output
