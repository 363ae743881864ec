"""Whether a stack's secrets are encrypted with an empty passphrase, so that who has the file or the state reads them.

The engine writes `encryptionsalt` beside the configuration: a salt, and the word `pulumi` encrypted with the passphrase
(pulumi, sdk/go/common/resource/config/crypt.go and pkg/secrets/passphrase/manager.go).
"""

import base64
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from components.core.finding import Finding

SALT = "encryptionsalt"
_ROUNDS = 1_000_000
"""Of PBKDF2 with SHA-256, which makes a key of 32 bytes: the engine's own numbers."""


def passphrase_problems(salt: str) -> list[Finding]:
    """A finding if the passphrase is empty. `salt`: of the stack file; empty where another provider has its secrets."""
    try:
        _, of_key, _, nonce, word = salt.split(":")
        key = hashlib.pbkdf2_hmac("sha256", b"", base64.b64decode(of_key), _ROUNDS)
        AESGCM(key).decrypt(base64.b64decode(nonce), base64.b64decode(word), None)
    except (InvalidTag, ValueError):  # another passphrase, or none of this form, which the engine refuses
        return []
    remedy = "run `pulumi stack change-secrets-provider passphrase` with a passphrase, and make new secrets"
    return [Finding("stack-file-passphrase", SALT, "is made with an empty passphrase: it hides no secret", remedy)]
