"""A resource is read once for all policies, and is judged as before."""

import pytest
from pulumi_policy import ResourceValidationArgs
from pulumi_policy import policy as sdk

from policies import engine, reading
from policies.engine import ENGINE_POLICIES
from policies.reading import Once, read_once
from tests.support.foreign import deployment, service
from tests.support.policy import UNKNOWN, violations


def test_reading_once_changes_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    resources = [deployment("ghcr.io/a", "agency"), deployment(UNKNOWN), service(type="NodePort")]
    resources = [one._replace(name=f"r{index}") for index, one in enumerate(resources)]
    before = violations(ENGINE_POLICIES, resources)
    calls: list[int] = []
    read = sdk.json_format.MessageToDict

    def counted(message: object) -> object:
        calls.append(1)
        return read(message)

    monkeypatch.setattr(sdk, "json_format", type("counting", (), {"MessageToDict": staticmethod(counted)}))
    for name in ("deserialize_properties", "unknown_checking_proxy"):
        monkeypatch.setattr(sdk, name, getattr(sdk, name))
    read_once()
    assert violations(ENGINE_POLICIES, resources) == before
    # Each resource by itself and in the stack, with its provider; the stack; and the configuration of policies.
    assert len(calls) < 4 * len(resources) + len(ENGINE_POLICIES)


def test_an_object_is_kept_so_that_its_identity_stays_its_own() -> None:
    once = Once(list)
    assert [once([index])[0] for index in range(1000)] == list(range(1000))


def test_a_process_that_judges_many_stacks_keeps_the_resources_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_ASKED", {})
    once = Once(list)
    monkeypatch.setattr(reading, "_KEPT", [once])
    for stack in ("a", "a", "ab"):
        once([stack])
        for number in range(2):
            urn = f"urn:pulumi:{stack}::p::kubernetes:core/v1:Service::{number}"
            engine._keep(ResourceValidationArgs("kubernetes:core/v1:Service", {}, urn, "s", None, None))
        assert {urn.split("::")[0] for urn in engine._ASKED} == {f"urn:pulumi:{stack}"}
        assert len(engine._ASKED) == 2
    assert not once._kept
