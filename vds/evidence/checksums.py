"""A folder's digest, which coreutils can check. Pure.

`SHA256SUMS` covers every file except itself and the cover sheet `index.md`. Its own SHA-256 is the folder's digest and
is on the cover sheet. The date is only on the cover sheet too, so it does not change the digest.
"""

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
