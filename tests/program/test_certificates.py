"""Certificates that the stack brings: a Secret before the Gateway, and nothing of them anywhere else."""

import base64
import json

import pytest

from components.stackfile.parsing import SpecError
from tests.support.certificates import made
from tests.support.program import Program, run_program

CERTIFICATE, KEY = made("*.example.no")


def run(certificate: str = CERTIFICATE, key: str = KEY) -> Program:
    pair = {"certificate": certificate, "key": key}
    return run_program("lab", certificates=json.dumps({"wildcard-example-no": pair}))


def test_the_secret_is_there_before_the_gateway_and_encrypted_in_the_state() -> None:
    program = run()
    (secret,) = program.of("core/v1:Secret")
    assert secret.inputs["type"] == "kubernetes.io/tls"
    assert secret.inputs["metadata"]["name"] == "wildcard-example-no"
    assert secret.inputs["metadata"]["namespace"] == "gateway-system"
    assert base64.b64decode(secret.inputs["data"]["tls.key"]).decode() == KEY
    assert secret.secret_inputs == {"data"}
    (gateway,) = program.of("v1:Gateway")
    assert secret.urn in gateway.depends_on


def test_the_key_is_nowhere_else() -> None:
    program = run()
    (secret,) = program.of("core/v1:Secret")
    for item in program.resources.values():
        for text in (KEY, base64.b64encode(KEY.encode()).decode()):
            assert item.urn == secret.urn or text not in str(item.inputs)
    assert KEY not in str(program.outputs) + str(program.log)


def test_without_one_nothing_is_declared() -> None:
    with pytest.raises(SpecError, match="vds-platform:certificates: is missing, and listeners need certificates"):
        run_program("lab", certificates=None)


def test_a_wrong_one_declares_nothing() -> None:
    with pytest.raises(SpecError) as caught:
        run(key=made("another")[1])
    assert "vds-platform:certificates wildcard-example-no: its key does not belong to" in str(caught.value)
    assert "PRIVATE KEY" not in str(caught.value)
