"""Signs the folder's checksums with an Ed25519 key, in OpenSSH's form of a signature: `ssh-keygen -Y verify` checks it.

The form is that of PROTOCOL.sshsig of OpenSSH. The same key and text give the same bytes.
"""

import base64
import hashlib
import struct

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

NAMESPACE = "vds-evidence"
"""What the signature is for: one for SSH or for git is not taken for it, and the other way round."""


def signature(text: bytes, key: str) -> bytes:
    """The signature in armour. `key`: the private key in OpenSSH's form, without a passphrase.

    Raises ValueError if it is another kind of key; the error quotes nothing of it.
    """
    try:
        private = load_ssh_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError("is not an Ed25519 key in OpenSSH's form without a passphrase")
    public = _string(b"ssh-ed25519") + _string(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    digest = hashlib.sha512(text).digest()
    about = _string(NAMESPACE.encode()) + _string(b"") + _string(b"sha512")
    signed = _string(b"ssh-ed25519") + _string(private.sign(b"SSHSIG" + about + _string(digest)))
    blob = b"SSHSIG" + struct.pack(">I", 1) + _string(public) + about + _string(signed)
    encoded = base64.b64encode(blob).decode()
    lines = [encoded[start : start + 70] for start in range(0, len(encoded), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""]).encode()


def _string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value
