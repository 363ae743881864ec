"""What the component of a registered tenant does when the API server refuses an object."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from components.tenancy.registration import component
from tests.support.registrations import environment, registration

REFUSED = "policy 'x' denied request: no params found for policy binding with `Deny` parameterNotFoundAction"


def failed(*errors: str) -> pulumi.ErrorHookArgs:
    return pulumi.ErrorHookArgs(
        urn="u", id="", name="n", type="t", failed_operation="create", errors=list(errors), new_inputs={}
    )


@pytest.mark.parametrize(
    ("errors", "again"),
    [
        ([REFUSED], True),
        ([REFUSED] * 19, True),
        ([REFUSED] * 20, False),
        (["namespaces is forbidden"], False),
        (["namespaces is forbidden", REFUSED], False),
    ],
)
def test_only_a_contract_that_is_not_read_yet_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, errors: list[str], again: bool
) -> None:
    async def at_once(*_: Any) -> None:
        return None

    monkeypatch.setattr(asyncio, "sleep", at_once)
    assert asyncio.run(component.until_contract_is_read(failed(*errors))) is again


def test_a_program_can_have_several_tenants(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine refuses a second hook of the same name."""
    names: list[str] = []
    monkeypatch.setattr(pulumi, "ErrorHook", lambda name, _: names.append(name))
    monkeypatch.setattr(component, "apply", lambda *_: SimpleNamespace(metadata={"name": "x"}))
    monkeypatch.setattr(pulumi.Output, "all", lambda *_: None)
    monkeypatch.setattr(pulumi.ComponentResource, "__init__", lambda *_: None)
    monkeypatch.setattr(pulumi.ComponentResource, "register_outputs", lambda *_: None)
    monkeypatch.setattr(pulumi, "ResourceOptions", lambda **_: None)
    for tenant in ("a", "b"):
        component.RegisteredTenant(
            registration(tenant=tenant), environment(cni="flannel"), kubeconfig="", provider=None
        )
    assert len(set(names)) == 2
