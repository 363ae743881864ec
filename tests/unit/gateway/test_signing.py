"""Certificates of a private authority: the same bytes for the same input, and always some days left."""

import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store

from components.gateway.certificates import issuer_problems, served
from components.gateway.issuers import PrivateCa
from components.gateway.model import GatewaySpec
from components.gateway.signing import period, signed
from tests.support.certificates import authority
from tests.support.stacks import ROOT, stack

BEGAN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DAY = 86_400
NAMES = ("a.example.no", "*.example.no")


def issuer(kind: str = "ec", years: int = 10, **fields: Any) -> tuple[PrivateCa, str]:
    certificate, key = authority(kind, years)
    data = {"kind": "private-ca", "caCertificate": certificate, "validFrom": "2026-01-01", **fields}
    return PrivateCa.model_validate(data), key


def at(days: float) -> float:
    return BEGAN.timestamp() + days * DAY


def own(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificates(pem.encode())[0]


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_client_that_trusts_the_authority_accepts_it_for_its_names(tmp_path: Path, kind: str) -> None:
    ca, key = issuer(kind)
    pair = signed(ca, key, NAMES, at(1))
    leaf, root = x509.load_pem_x509_certificates(pair.certificate.encode())
    assert load_pem_private_key(pair.key.encode(), None).public_key() == leaf.public_key()
    leaf.verify_directly_issued_by(root)
    for file, text in (("root.pem", ca.ca_certificate), ("leaf.pem", pair.certificate)):
        (tmp_path / file).write_text(text)
    words = [
        "openssl",
        "verify",
        "-x509_strict",
        "-attime",
        str(int(at(2))),
        "-CAfile",
        str(tmp_path / "root.pem"),
        str(tmp_path / "leaf.pem"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    policy = PolicyBuilder().store(Store([root])).time(BEGAN + datetime.timedelta(days=2))
    for name in ("a.example.no", "b.example.no"):
        assert policy.build_server_verifier(x509.DNSName(name)).verify(leaf, [])


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_the_same_input_gives_the_same_bytes_all_through_a_period(kind: str) -> None:
    ca, key = issuer(kind)
    first = signed(ca, key, NAMES, at(0))
    assert signed(ca, key, tuple(reversed(NAMES)), at(59.99)) == first
    assert signed(ca, key, NAMES, at(60)) != first
    assert signed(ca, key, NAMES[:1], at(0)) != first
    assert signed(*issuer(kind, days=91), NAMES, at(0)) != first


def test_another_process_makes_the_same_bytes(tmp_path: Path) -> None:
    ca, key = issuer()
    (tmp_path / "ca").write_text(ca.ca_certificate)
    (tmp_path / "key").write_text(key)
    program = f"""
from pathlib import Path
from components.gateway.issuers import PrivateCa
from components.gateway.signing import signed
data = {{"kind": "private-ca", "caCertificate": Path({str(tmp_path / "ca")!r}).read_text(), "validFrom": "2026-01-01"}}
pair = signed(PrivateCa.model_validate(data), Path({str(tmp_path / "key")!r}).read_text(), {NAMES!r}, {at(1)})
print(pair.certificate + pair.key, end="")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    pair = signed(ca, key, NAMES, at(1))
    assert done.stdout == pair.certificate + pair.key


@pytest.mark.parametrize(("days", "begins"), [(-5, 0), (0, 0), (59, 0), (60, 60), (119.5, 60), (600, 600)])
def test_there_are_always_renew_days_left(days: float, begins: int) -> None:
    ca, _ = issuer()
    found = period(ca, at(days))
    assert (found.begins.timestamp() - BEGAN.timestamp()) / DAY == begins
    assert (found.ends - found.begins).days == 90
    assert found.ends.timestamp() - at(days) > 30 * DAY


def test_none_outlives_its_authority() -> None:
    ca, key = issuer(years=1)
    assert own(signed(ca, key, NAMES, at(330)).certificate).not_valid_after_utc == BEGAN + datetime.timedelta(days=365)


def test_keys_of_names_and_periods_are_others_and_none_shows_the_authoritys() -> None:
    ca, key = issuer()
    keys = {signed(ca, key, names, at(days)).key for names in (NAMES, NAMES[:1]) for days in (0, 60)}
    assert len(keys) == 4
    assert key not in keys


# --- what is refused -------------------------------------------------------------------------------------


def gateway(ca: PrivateCa) -> GatewaySpec:
    return stack("oslo").gateway.model_copy(update={"issuer": ca})


def said(ca: PrivateCa, key: str | None, days: float) -> list[str]:
    given = {} if key is None else {"issuerKey": key}
    return [str(problem) for problem in issuer_problems(given, gateway(ca), at(days))]


def test_a_key_of_the_authority_is_all_it_needs() -> None:
    ca, key = issuer()
    assert said(ca, key, 1) == []
    pairs = served({"issuerKey": key}, gateway(ca), at(1))
    assert list(pairs) == ["wildcard-example-no"]
    names = own(pairs["wildcard-example-no"].certificate).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["*.example.no"]


def test_what_is_wrong_is_said_without_the_key() -> None:
    ca, key = issuer()
    (missing,) = said(ca, None, 1)
    assert missing.startswith("vds-platform:issuerKey: is missing: run `pulumi config set --secret")
    (other,) = said(ca, authority("rsa")[1], 1)
    assert "is not the key of gateway.issuer.caCertificate" in other
    (early,) = said(ca, key, -1)
    assert early == "gateway.issuer.validFrom: 2026-01-01 is in the future: write today or an earlier day"
    (ending,) = said(*issuer(years=1), 340)
    assert "the authority ends on 2027-01-01, less than renewDays from now: make a new one" in ending
    before = ca.model_copy(update={"valid_from": datetime.date(2025, 12, 1)})
    (younger,) = said(before, key, 1)
    assert 'the authority begins on 2026-01-01, after the certificate: write "2026-01-01"' in younger
    assert all("PRIVATE" not in line for line in (missing, other, early, ending, younger))


def test_a_certificate_is_not_renewed_in_its_first_half() -> None:
    with pytest.raises(ValueError, match="renewDays is more than half of 90 days"):
        issuer(renewDays=46)
