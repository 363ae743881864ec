"""Which certificate authorities are taken, and what OpenSSL's strict check says of certificates that they sign."""

import datetime
import ipaddress
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from components.core import authority
from components.core.types import RefusedError
from components.kubeadm.render import kubeadm_config
from components.kubeadm.rules import authority_period_problems
from components.stackfile.parsing import SpecError
from lab.toolchain import build
from lab.toolchain.pins import TOOLS
from tests.support.bootstraps import CA_KEY, CERTIFICATE, CREDENTIALS, bootstrap, bootstrap_data
from tests.support.program import run_program
from tests.support.stacks import problems

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def made(
    key: Any = None,
    *,
    begins: datetime.datetime = NOW - DAY,
    ends: datetime.datetime = NOW + 3650 * DAY,
    signed_with: Any = None,
    critical: bool = True,
    identifier: bool = True,
    constraints: x509.NameConstraints | None = None,
    by: Any = None,
) -> tuple[str, str]:
    """An authority's certificate and key, PEM. `by`: the key of another authority that signs it."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    above = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(above if by else name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=critical)
        .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
    )
    if identifier:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if constraints:
        builder = builder.add_extension(constraints, critical=True)
    signer = by or key
    hashed = None if isinstance(signer, ed25519.Ed25519PrivateKey) else signed_with or hashes.SHA256()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return builder.sign(signer, hashed).public_bytes(Encoding.PEM).decode(), pem


def by_openssl(digest: str, bits: int = 2048) -> tuple[str, str]:
    """An authority that is too weak for the library to make."""
    words = ["openssl", "req", "-x509", "-newkey", f"rsa:{bits}", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=old"]
    words += ["-addext", "keyUsage=critical,keyCertSign", digest]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout, ""


TAKEN = {
    "P-256": lambda: made(),
    "P-384": lambda: made(ec.generate_private_key(ec.SECP384R1()), signed_with=hashes.SHA384()),
    "P-521": lambda: made(ec.generate_private_key(ec.SECP521R1()), signed_with=hashes.SHA512()),
    "RSA 2048": lambda: made(rsa.generate_private_key(65537, 2048)),
}
REFUSED = {
    "Ed25519": (lambda: made(ed25519.Ed25519PrivateKey.generate()), "neither ECDSA nor RSA"),
    "secp256k1": (lambda: made(ec.generate_private_key(ec.SECP256K1())), "on the curve secp256k1"),
    "RSA 1024": (lambda: by_openssl("-sha256", bits=1024), "RSA key of 1024 bits"),
    "SHA-1": (lambda: by_openssl("-sha1"), "SHA1"),
    "MD5": (lambda: by_openssl("-md5"), "MD5"),
    "not critical": (lambda: made(critical=False), "does not mark basicConstraints as critical"),
    "no identifier": (lambda: made(identifier=False), "has no subject key identifier"),
}


@pytest.mark.parametrize("make", TAKEN.values(), ids=TAKEN)
def test_what_kubeadm_and_clients_take_is_taken(make):
    pem, key = make()
    assert authority.certificate(pem) == pem
    assert authority.key_problem(key, pem, of="here") == ""
    assert authority.is_root(pem)


@pytest.mark.parametrize(("make", "said"), REFUSED.values(), ids=REFUSED)
def test_what_they_do_not_take_is_refused_with_a_remedy(make, said):
    with pytest.raises(RefusedError, match=said) as caught:
        authority.certificate(make()[0])
    assert caught.value.remedy


def with_authority(pem: str) -> dict[str, Any]:
    data = bootstrap_data()
    data["cluster"]["caCertificate"] = pem
    return data


def test_an_intermediate_is_refused_for_a_cluster():
    pem, _ = made(by=ec.generate_private_key(ec.SECP256R1()))
    assert authority.certificate(pem) == pem, "a gateway may have one"
    [problem] = problems(with_authority(pem))
    assert "cluster.caCertificate: is not signed by itself" in problem


def subtrees(*names: Any) -> list[Any]:
    return [x509.IPAddress(name) if not isinstance(name, str) else x509.DNSName(name) for name in names]


def test_name_constraints_that_exclude_the_endpoint_are_refused():
    elsewhere = x509.NameConstraints(permitted_subtrees=subtrees("example.com"), excluded_subtrees=None)
    [problem] = problems(with_authority(made(constraints=elsewhere)[0]))
    assert "has name constraints that do not let it sign for" in problem
    assert "api.oslo.example.no" in problem


@pytest.mark.parametrize(
    ("permitted", "excluded", "outside"),
    [
        (["example.no"], [], []),
        ([".example.no"], [], []),
        (["ample.no"], [], ["a.example.no"]),
        ([], ["example.no"], ["a.example.no"]),
        ([ipaddress.ip_network("192.0.2.0/24")], [], []),
        ([ipaddress.ip_network("198.51.100.0/24")], [], ["192.0.2.1"]),
        ([], [ipaddress.ip_network("0.0.0.0/0")], ["192.0.2.1"]),
    ],
)
def test_name_constraints_are_read_as_rfc_5280_says(permitted, excluded, outside):
    found = x509.NameConstraints(subtrees(*permitted) or None, subtrees(*excluded) or None)
    assert authority.names_outside(made(constraints=found)[0], ["a.example.no", "192.0.2.1"]) == outside


PERIODS = {
    "expired yesterday": ({"begins": NOW - 9 * DAY, "ends": NOW - DAY}, "expired on"),
    "ends in an hour": ({"ends": NOW + DAY / 24}, "in less than 30 days"),
    "valid from 2100": (
        {"begins": datetime.datetime(2100, 1, 1), "ends": datetime.datetime(2110, 1, 1)},
        "is valid from 2100-01-01 on",
    ),
}


@pytest.mark.parametrize(("period", "said"), PERIODS.values(), ids=PERIODS)
def test_an_authority_that_is_not_valid_stops_the_program(period, said):
    pem, key = made(**period)
    with pytest.raises(SpecError) as caught:
        run_program("oslo", with_authority(pem), caKey=key)
    assert "cluster.caCertificate" in str(caught.value)
    assert said in str(caught.value)


def test_an_authority_that_ends_before_kubeadms_certificates_is_advice():
    plan = bootstrap(with_authority(made(ends=NOW + 100 * DAY)[0]))
    [advice] = authority_period_problems(plan.cluster, NOW.timestamp())
    assert advice.advice
    assert "in less than 400 days" in str(advice)
    assert authority_period_problems(bootstrap().cluster, NOW.timestamp()) == []


def strict(folder: Path, root: str, *chain: str) -> str:
    """What OpenSSL says of a certificate with all checks of RFC 5280, as Python makes them from 3.13 on."""
    files = []
    for number, text in enumerate((root, *chain)):
        files.append(folder / f"{number}.pem")
        files[-1].write_text(text)
    words = ["openssl", "verify", "-x509_strict", "-CAfile", str(files[0]), str(files[-1])]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stderr


def kubeadm() -> Path | None:
    tools = [tool for tool in TOOLS if tool.name == "kubeadm"]
    found, missing = build.look(tools)
    return None if missing else found.path("kubeadm")


@pytest.mark.skipif(kubeadm() is None, reason="needs kubeadm, which `make tools NAME=kubeadm` builds")
@pytest.mark.parametrize("make", [lambda: (CERTIFICATE, CA_KEY), *TAKEN.values()], ids=["the fixture", *TAKEN])
def test_kubeadm_takes_the_authority_and_signs_certificates_that_strict_clients_take(tmp_path, make):
    pem, key = make()
    (tmp_path / "ca.crt").write_text(pem)
    (tmp_path / "ca.key").write_text(key)
    plan = bootstrap(with_authority(pem))
    config = kubeadm_config(plan, plan.nodes[0], CREDENTIALS)
    config = config.replace('"clusterName"', f'"certificatesDir": "{tmp_path}", "clusterName"')
    for phase in ("ca", "apiserver"):
        words = [str(kubeadm()), "init", "phase", "certs", phase, "--config", "/dev/stdin"]
        done = subprocess.run(words, input=config, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "ca.crt").read_text() == pem
    assert strict(tmp_path, pem, (tmp_path / "apiserver.crt").read_text()) == ""
