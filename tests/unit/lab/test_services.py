"""What the lab's services are told, and the certificates that they show."""

import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from lab.layout import API_ADDRESS, API_NAME, BUCKETS_NAME, CONTROL_PLANES, REGISTRY_NAME, SITE, Layout
from lab.services import certificates
from lab.services.start import corefile, haproxy_configuration, registry_configuration


def loaded(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_server_is_signed_by_the_authority_for_its_name_and_its_address(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    certificates.ensure(layout)
    registry = loaded(layout.pki / "registry.crt")
    registry.verify_directly_issued_by(loaded(layout.authority))
    names = registry.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [REGISTRY_NAME, BUCKETS_NAME]
    assert [str(found) for found in names.get_values_for_type(x509.IPAddress)] == [SITE.address]


@pytest.mark.parametrize("name", ["registry", "packages"])
def test_strict_clients_take_the_labs_certificates(tmp_path: Path, name: str) -> None:
    """Python does from 3.13 on, with OpenSSL's X509_V_FLAG_X509_STRICT."""
    layout = Layout(tmp_path)
    certificates.ensure(layout)
    for root, own in ((layout.authority, layout.pki / f"{name}.crt"), (layout.pki / "cluster.crt",) * 2):
        words = ["openssl", "verify", "-x509_strict", "-CAfile", str(root), str(own)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_clusters_authority_is_one_that_the_stack_file_takes(tmp_path: Path) -> None:
    from components.core import authority

    layout = Layout(tmp_path)
    certificates.ensure(layout)
    pem = (layout.pki / "cluster.crt").read_text()
    assert authority.certificate(pem) == pem
    assert authority.key_problem((layout.pki / "cluster.key").read_text(), pem, of="here") == ""


def test_what_machines_trust_is_made_once(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    certificates.ensure(layout)
    before = {path.name: path.read_bytes() for path in layout.pki.iterdir()}
    certificates.ensure(layout)
    assert {path.name: path.read_bytes() for path in layout.pki.iterdir()} == before


def test_no_key_can_be_read_by_others(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    certificates.ensure(layout)
    assert {path.stat().st_mode & 0o077 for path in layout.pki.iterdir()} == {0}


def test_the_name_server_knows_the_registry_and_the_api() -> None:
    lines = corefile().splitlines()
    assert f"        {SITE.address} {REGISTRY_NAME}" in lines
    assert f"        {API_ADDRESS} {API_NAME}" in lines


def test_every_control_plane_is_behind_the_apis_address(tmp_path: Path) -> None:
    text = haproxy_configuration(Layout(tmp_path))
    assert f"bind {API_ADDRESS}:6443" in text
    assert [line.split()[2] for line in text.splitlines() if line.startswith("    server")] == [
        f"{host.address}:6443" for host in CONTROL_PLANES
    ]


def test_the_registry_speaks_https_alone(tmp_path: Path) -> None:
    import yaml

    found = yaml.safe_load(registry_configuration(Layout(tmp_path), tmp_path / "images"))
    assert found["http"]["addr"] == f"{SITE.address}:443"
    assert set(found["http"]["tls"]) == {"certificate", "key"}
    assert found["storage"]["filesystem"]["rootdirectory"] == str(tmp_path / "images")
