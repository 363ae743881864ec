"""A folder's digest, made so that coreutils can check it. Pure.

`SHA256SUMS` covers every file but itself and the cover sheet `index.md`; its own SHA-256 is the folder's digest,
which stands on the cover sheet. So the one line that tells the date changes no digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

SUMS = "SHA256SUMS"
COVER = "index.md"


def sums(files: Mapping[str, bytes]) -> bytes:
    """What `sha256sum` prints for these files, sorted by name."""
    covered = sorted(name for name in files if name not in (SUMS, COVER))
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in covered).encode()


def digest(files: Mapping[str, bytes]) -> str:
    """The folder's digest: `sha256sum SHA256SUMS`."""
    return hashlib.sha256(files[SUMS]).hexdigest()
