"""The key that signs the lab's repository. It is made once and stored beside the packages."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.packages.deb import run

_OWNER = "vds-platform lab packages"


@dataclass(frozen=True)
class Key:
    """A signing key."""

    fingerprint: str
    """40 hexadecimal digits in capitals."""
    armoured: str
    """The public part."""
    secret: bytes

    def sign(self, text: str) -> bytes:
        """The text with its signature around it, as apt reads `InRelease`."""
        with _gpg() as gpg:
            run([*gpg, "--import"], data=self.secret)
            return run(
                [*gpg, "--local-user", self.fingerprint, "--clearsign", "--digest-algo", "SHA512"], data=text.encode()
            )


def ensure(folder: Path) -> Key:
    """The key that a folder has, or a new one.

    Raises:
        LabError: gpg is missing or failed.
    """
    place = folder / "signing-key.asc"
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with _gpg() as gpg:
            run([*gpg, "--quick-generate-key", _OWNER, "ed25519", "sign", "never"])
            secret = run([*gpg, "--armor", "--export-secret-keys"])
        draft = place.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_bytes(secret)
        draft.replace(place)
    secret = place.read_bytes()
    with _gpg() as gpg:
        run([*gpg, "--import"], data=secret)
        listed = run([*gpg, "--with-colons", "--fingerprint"]).decode()
        armoured = run([*gpg, "--armor", "--export"]).decode()
    fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
    return Key(fingerprint, armoured, secret)


@contextmanager
def _gpg() -> Iterator[list[str]]:
    """gpg with a home of its own, whose path is short enough for its agent's socket; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="gpg-", dir="/tmp") as home:  # a new name, mode 700
        try:
            yield ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        finally:
            run(["gpgconf", "--homedir", home, "--kill", "all"])
