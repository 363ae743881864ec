"""The lab's certificate authority: certificates, service-account key and kubeconfigs, made anew for each lab."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.layout import API_ADDRESS, API_PORT, API_SERVICE_ADDRESS, Layout

_LIFETIME = datetime.timedelta(days=365)
_CLIENTS = {  # file name → (common name, group), as the components expect of themselves
    "admin": ("lab-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", "system:kube-controller-manager"),
    "scheduler": ("system:kube-scheduler", "system:kube-scheduler"),
}


def ensure(layout: Layout) -> None:
    """Make everything under `pki`, once: a running API server must keep the keys it started with."""
    if layout.kubeconfig.exists():
        return
    layout.pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("vds-platform-lab", None, ca_key, None, ca_key)
    _write(layout.pki / "ca.crt", ca.public_bytes(serialization.Encoding.PEM))
    serving = ec.generate_private_key(ec.SECP256R1())
    _write_pair(
        layout.pki / "apiserver",
        _certificate("kube-apiserver", None, serving, ca, ca_key, server=True),
        serving,
    )
    account_key = ec.generate_private_key(ec.SECP256R1())
    _write(layout.pki / "service-account.key", _pem(account_key))
    # The administrator's last: its file says that all of the others are there.
    for name in sorted(_CLIENTS, reverse=True):
        common_name, group = _CLIENTS[name]
        key = ec.generate_private_key(ec.SECP256R1())
        _write_kubeconfig(layout, name, _certificate(common_name, group, key, ca, ca_key), key)


def _certificate(
    common_name: str,
    group: str | None,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    server: bool = False,
) -> x509.Certificate:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if group:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    subject = x509.Name(attributes)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if server:
        addresses = (API_ADDRESS, API_SERVICE_ADDRESS, "127.0.0.1")
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]
        names += [x509.DNSName(n) for n in ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _write_kubeconfig(
    layout: Layout, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "vds-lab",
        "clusters": [
            {
                "name": "vds-lab",
                "cluster": {
                    "server": f"https://{API_ADDRESS}:{API_PORT}",
                    "certificate-authority-data": _base64((layout.pki / "ca.crt").read_bytes()),
                },
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": _base64(certificate.public_bytes(serialization.Encoding.PEM)),
                    "client-key-data": _base64(_pem(key)),
                },
            }
        ],
        "contexts": [{"name": "vds-lab", "context": {"cluster": "vds-lab", "user": name}}],
    }
    _write(layout.pki / f"{name}.kubeconfig", yaml.safe_dump(config).encode())


def _write_pair(stem: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    _write(stem.with_suffix(".crt"), certificate.public_bytes(serialization.Encoding.PEM))
    _write(stem.with_suffix(".key"), _pem(key))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _base64(data: bytes) -> str:

    return base64.b64encode(data).decode()


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
