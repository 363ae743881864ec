"""OpenSSH itself checks the signature."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from vds.evidence.signature import NAMESPACE, signature

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TEXT = b"0123  a.md\n"


def written(key: Ed25519PrivateKey = KEY, encryption: KeySerializationEncryption | None = None) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption or NoEncryption()).decode()


def verified(folder: Path, made: bytes, text: bytes = TEXT, namespace: str = NAMESPACE) -> int:
    public = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (folder / "allowed_signers").write_text(f'oslo namespaces="{NAMESPACE}" {public}\n')
    (folder / "it.sig").write_bytes(made)
    words = ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", "oslo", "-n", namespace, "-s", "it.sig"]
    return subprocess.run(words, cwd=folder, input=text, capture_output=True).returncode


def test_openssh_takes_it_for_this_text_and_this_purpose_alone(tmp_path: Path) -> None:
    made = signature(TEXT, written())
    assert made == signature(TEXT, written().strip())  # as Pulumi keeps it
    assert verified(tmp_path, made) == 0
    assert verified(tmp_path, made, b"0124  a.md\n") != 0
    assert verified(tmp_path, made, namespace="git") != 0
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
    assert verified(tmp_path, signature(TEXT, written(other))) != 0


@pytest.mark.parametrize(
    "key",
    [
        "",
        "no key",
        written(encryption=BestAvailableEncryption(b"secret")),
        generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
    ],
)
def test_another_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="is not an Ed25519 key in OpenSSH's form without a passphrase") as caught:
        signature(TEXT, key)
    assert not key or key not in str(caught.value)
