"""A stack whose cluster kubeadm makes: keys that belong to nobody, the same in every run."""

import base64
import datetime
import hashlib
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from components.kubeadm.credentials import Credentials
from components.kubeadm.model import Bootstrap
from components.kubeadm.signing import fingerprint
from components.stackfile.parsing import parse
from tests.support.stacks import ROOT, stack_data


def authority(seed: str = "authority", *, ca: bool = True) -> tuple[str, str]:
    """Certificate and private key, PEM. The same seed gives the same bytes (RFC 6979), which golden files need."""
    key = ec.derive_private_key(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:31]) + 1, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2036, 1, 1, tzinfo=datetime.UTC))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=ca, crl_sign=ca, **usage),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM).decode(), private.decode()


def key_packet(seed: str = "repository") -> bytes:
    """An OpenPGP version 4 public key (RFC 9580 section 5.5.2.2, Ed25519), as a packet of the old format."""
    point = hashlib.sha256(seed.encode()).digest()
    body = b"\x04" + (1_700_000_000).to_bytes(4, "big") + b"\x1b" + point
    return b"\x99" + len(body).to_bytes(2, "big") + body


def armoured(*packets: bytes) -> str:
    """Packets as `gpg --armor` writes them, without the checksum that nobody has to write."""
    text = base64.b64encode(b"".join(packets)).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PGP PUBLIC KEY BLOCK-----", "", *lines, "-----END PGP PUBLIC KEY BLOCK-----", ""])


USER = b"\xcd\x0arepository"
"""A user ID packet, of the new format."""

CERTIFICATE, CA_KEY = authority()
SIGNING_KEY = armoured(key_packet(), USER)
CREDENTIALS = Credentials("abc123.0123456789abcdef", "0f" * 32, "3c" * 32)
"""What one run has drawn."""
ENCRYPTION_KEY = base64.b64encode(hashlib.sha256(b"encryption").digest()).decode()
ACCESS_KEY = "BACKUPKEYID:yHqTVx0Nf3+Zk/backup.secret"
"""Of the bucket for snapshots of etcd."""
SECRETS = {"caKey": CA_KEY, "encryptionKeys": ENCRYPTION_KEY, "backupAccessKey": ACCESS_KEY}


def bootstrap_data() -> dict[str, Any]:
    """Oslo's stack with three control planes and two workers, made by kubeadm."""
    data = stack_data("oslo")
    data["nodes"] = [node for node in data["nodes"] if node["name"] != "osl-w-3"]
    data["cluster"] = {
        "kind": "kubeadm",
        "kubernetesVersion": "1.36.3",
        "packages": {
            "country": "US",
            "signingKey": {"fingerprint": fingerprint(SIGNING_KEY), "armoured": SIGNING_KEY},
            "criTools": "1.36.0-1.1",
            "kubernetesCni": "1.8.0-1.1",
        },
        "containerd": {"version": "2.2.1-0ubuntu1~24.04.1"},
        "images": {"country": "US", "pause": "3.10.2"},
        "sourceCountries": ["US"],
        "caCertificate": CERTIFICATE,
        "certificateNames": ["api.oslo.example.no"],
    }
    return data


def bootstrap(data: dict[str, Any] | None = None) -> Bootstrap:
    """The plan of such a stack."""
    plan = parse(bootstrap_data() if data is None else data, base_dir=ROOT).bootstrap
    assert plan
    return plan
