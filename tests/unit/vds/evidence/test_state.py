import json
from typing import Any

import pytest

from tests.support.evidence import entry, export
from tests.support.export import SIGNATURE
from vds.evidence.state import read
from vds.shared.errors import OperationError


def refused(text: str) -> str:
    with pytest.raises(OperationError) as caught:
        read(text, "--state it.json")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no json: TOKEN", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "its form is version none, 3 and 4 can be read"),
        ('{"version": 1}', "its form is version 1, 3 and 4 can be read"),
        ('{"version": "TOKEN"}', "its form is version none, 3 and 4 can be read"),
        ('{"version": 3}', "has no list of resources with URN and type"),
        ('{"version": 3, "deployment": {"resources": [{"urn": "TOKEN"}]}}', "has no list of resources"),
        ('{"version": 3, "deployment": {"resources": {"TOKEN": 1}}}', "has no list of resources"),
    ],
)
def test_what_is_no_export_is_refused_with_what_to_do_and_without_a_value(text: str, why: str) -> None:
    message = refused(text)
    assert message.startswith(f"--state it.json: {why}")
    assert "pulumi stack export" in message
    assert "TOKEN" not in message


@pytest.mark.parametrize("features", ['["hooks", "TOKEN"]', '[{"TOKEN": 1}]', '"hooks"'])
def test_an_export_with_a_feature_of_a_newer_engine_is_refused(features: str) -> None:
    with pytest.raises(OperationError, match=r"^it: it uses features .*: use a newer vds-platform$"):
        read(f'{{"version": 4, "features": {features}, "deployment": {{}}}}', "it")


def test_a_stack_that_was_never_updated_is_an_empty_state() -> None:
    form = '{"version": 4, "features": ["hooks"], "deployment": {"manifest": {"version": "v3.259.0"}}}'
    state = read(form, "it")
    assert (state.resources, state.engine) == ((), "v3.259.0")


@pytest.mark.parametrize("field", ["ciphertext", "plaintext"])
def test_secrets_are_gone_before_anyone_looks(field: str) -> None:
    made = export()
    entry(made, "osl-cp-1")["inputs"]["hidden"] = {**SIGNATURE, field: "TOKEN"}
    state = read(json.dumps(made), "it")
    assert "TOKEN" not in repr(state)
    assert "CIPHERTEXT" not in repr(state)


@pytest.mark.parametrize(
    ("provider", "shown"),
    [
        ({"type": "passphrase", "state": {"salt": "SALT"}}, "passphrase"),
        (
            {"type": "cloud", "state": {"url": "awskms://alias/x?region=eu-north-1", "encryptedkey": "KEY"}},
            "cloud awskms://alias/x?region=eu-north-1",
        ),
        ({"type": "service", "state": {"url": "https://api.pulumi.com"}}, "service https://api.pulumi.com"),
        (None, ""),
    ],
)
def test_the_secrets_provider_is_named_and_nothing_else_of_it(provider: Any, shown: str) -> None:
    made = export()
    made["deployment"]["secrets_providers"] = provider
    assert read(json.dumps(made), "it").secrets_provider == shown
