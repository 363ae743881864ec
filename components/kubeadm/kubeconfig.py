"""The administrator's kubeconfig on its way from the first control plane: encrypted by OpenSSL, decrypted here.

The engine shows what a command has printed if it fails, also if only the connection was lost behind it.
"""

import base64

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

from components.core.versions import minor

READ_SECONDS = 60
_ROUNDS = 10_000
"""OpenSSL's own number. The password has 256 bits, so that more add nothing."""
_SALTED = b"Salted__"
"""What OpenSSL's `enc` writes before 8 bytes of salt."""


def read_command(version: str) -> str:
    """The command line that prints the kubeconfig, encrypted with the password on its standard input.

    An upgrade of Kubernetes renews the certificate in it, so the minor version is part of the line. With the whole
    version, the preview of every patch would know nothing of the cluster.
    """
    form = f"-aes-256-cbc -md sha256 -pbkdf2 -iter {_ROUNDS} -salt -base64"
    read = f"openssl enc {form} -pass stdin -in /etc/kubernetes/admin.conf"
    return f"timeout -k 10 {READ_SECONDS} {read} # of Kubernetes {minor(version)}"


def decrypted(password: str, printed: str) -> str:
    """The kubeconfig. Raises ValueError, which says nothing of it, if it was not encrypted with this password."""
    try:
        data = base64.b64decode(printed)
        salt, text = data[len(_SALTED) : len(_SALTED) + 8], data[len(_SALTED) + 8 :]
        derived = PBKDF2HMAC(hashes.SHA256(), 32 + 16, salt, _ROUNDS).derive(password.encode())
        cipher = Cipher(algorithms.AES256(derived[:32]), modes.CBC(derived[32:])).decryptor()
        unpadded = PKCS7(128).unpadder()
        return (unpadded.update(cipher.update(text) + cipher.finalize()) + unpadded.finalize()).decode()
    except ValueError:
        raise ValueError("was not encrypted with this password") from None
