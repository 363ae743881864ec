"""Certificates that the stack brings: every mistake in them is said, and nothing of them is."""

import base64
import json
from typing import Any

import pytest

from components.gateway.certificates import certificate_problems, issuer_problems, tls_secret
from components.gateway.model import GatewaySpec
from components.gateway.signing import KeyPair
from tests.support.certificates import BEGAN, ENDS, made
from tests.support.stacks import stack

NOW = BEGAN.timestamp() + 86_400
SPEC = stack("oslo").gateway
NAME = "wildcard-example-no"


def said(value: Any, *, spec: GatewaySpec | None = SPEC, now: float = NOW, name: str = NAME) -> list[str]:
    text = value if isinstance(value, str) else json.dumps({name: value})
    return [str(problem) for problem in certificate_problems(text, spec, now)]


def pair(*names: str, key_of: str | None = None, chain: str = "") -> dict[str, str]:
    certificate, key = made(*(names or ("*.example.no",)))
    return {"certificate": certificate + chain, "key": made(key_of)[1] if key_of else key}


def test_a_certificate_that_fits_its_listener_and_its_key_is_fine() -> None:
    authority, _ = made("an authority")
    assert said(pair()) == []
    assert said(pair("a.example.org", "*.example.no")) == []
    assert said(pair(chain=authority)) == []
    assert said(pair(), spec=None) == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[]", "has the wrong form: set an object, {<name of the Secret>: {certificate"),
        ("no JSON", "has the wrong form"),
        ({"certificate": "x"}, "has the wrong form"),
        ({"certificate": "x", "key": 1}, "has the wrong form"),
        ({"certificate": "x", "key": "y"}, "its certificate is not PEM"),
        ({**pair(), "key": "y"}, "its key is not an unencrypted private key in PEM"),
        (pair(key_of="another"), "its key does not belong to its first certificate"),
        (pair(chain=made("somebody else")[0]), "its chain is not in order"),
        (pair("*.example.org"), "it is for *.example.org, and listener 'https' takes *.example.no"),
        (pair("butikk.example.no"), "it is for butikk.example.no, and listener 'https' takes *.example.no"),
    ],
)
def test_what_is_wrong_with_it_is_said_without_any_of_it(value: Any, message: str) -> None:
    (problem,) = said(value)
    assert problem.startswith("vds-platform:certificates")
    assert message in problem
    assert "BEGIN" not in problem.replace("from BEGIN CERTIFICATE to", "")


def test_one_without_names_is_for_nobody() -> None:
    certificate, key = made()
    (problem,) = said({"certificate": certificate, "key": key})
    assert "it is for no host name" in problem


def test_its_days_are_counted() -> None:
    (early,) = said(pair(), now=BEGAN.timestamp() - 1)
    assert "it is valid from 2026-01-01:" in early
    (late,) = said(pair(), now=ENDS.timestamp())
    assert "it expired on 2126-01-01: set a new one" in late


def test_one_that_no_listener_asks_for_is_a_name_written_wrong() -> None:
    (problem,) = said(pair(), name="wildcard")
    assert "no listener has this certificateSecret (existing: wildcard-example-no): correct its name" in problem


def test_one_that_is_missing_is_said_before_anything_waits_for_it() -> None:
    (nothing,) = map(str, issuer_problems({}, SPEC, NOW))
    assert nothing == (
        "vds-platform:certificates: is missing, and listeners need certificates: wildcard-example-no: run `pulumi "
        "config set --secret vds-platform:certificates`, or choose another gateway.issuer"
    )
    (missing,) = map(str, issuer_problems({"certificates": "{}"}, SPEC, NOW))
    assert missing == "vds-platform:certificates wildcard-example-no: is missing, and listener https needs it: add it"
    assert issuer_problems({"certificates": json.dumps({NAME: pair()})}, SPEC, NOW) == []


def test_two_do_not_write_the_same_secret() -> None:
    data = {"kind": "cluster-issuer", "name": "letsencrypt"}
    spec = GatewaySpec.model_validate({**SPEC.model_dump(by_alias=True), "issuer": data})
    assert issuer_problems({}, spec, NOW) == []
    (problem,) = map(str, issuer_problems({"certificates": json.dumps({NAME: pair()})}, spec, NOW))
    assert problem == "vds-platform:certificates: is not used with issuer kind cluster-issuer: remove it"


def test_it_becomes_a_secret_as_a_gateway_looks_for_it() -> None:
    made_secret = tls_secret(NAME, "gateway-system", KeyPair("certificate", "key"))
    assert made_secret["type"] == "kubernetes.io/tls"
    assert {name: base64.b64decode(text) for name, text in made_secret["data"].items()} == {
        "tls.crt": b"certificate",
        "tls.key": b"key",
    }


def test_a_pair_is_never_shown() -> None:
    assert "key" not in repr(KeyPair("certificate", "key")).replace("KeyPair", "")
