"""Reads the key in an armoured OpenPGP block. apt trusts every key of a keyring, so there must be exactly one."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from components.core.types import RefusedError

_BLOCK = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\n(?:[A-Za-z]+: .*\n)*\n?([A-Za-z0-9+/=\n]+?)(?:=[A-Za-z0-9+/]{4}\n)?"
    r"-----END PGP PUBLIC KEY BLOCK-----"
)
_PUBLIC_KEY = 6  # packet tag, RFC 9580 section 5


def fingerprint(armoured: str) -> str:
    """The fingerprint, 40 hexadecimal digits in capitals, of the one primary key. Raises ValueError with a remedy."""
    match = _BLOCK.fullmatch(armoured.strip())
    if not match:
        raise ValueError("write the whole armoured key, from its BEGIN PGP PUBLIC KEY BLOCK line to its END line")
    try:
        packets = list(_packets(base64.b64decode(match[1], validate=False)))
    except (binascii.Error, IndexError, ValueError):
        raise RefusedError("the armoured key is damaged", "copy it again, as a whole") from None
    keys = [body for tag, body in packets if tag == _PUBLIC_KEY]
    if len(keys) != 1 or packets[0][0] != _PUBLIC_KEY:
        raise RefusedError(
            f"the block has {len(keys)} keys, and apt would trust all of them", "write only the repository's key"
        )
    if keys[0][:1] != b"\x04":
        raise RefusedError("only keys of OpenPGP version 4 are supported", "write the repository's version 4 key")
    # RFC 9580 section 5.5.4.2: SHA-1 of 0x99, the body's length in two bytes, the body. A name, not a signature.
    named = b"\x99" + len(keys[0]).to_bytes(2, "big") + keys[0]
    return hashlib.sha1(named, usedforsecurity=False).hexdigest().upper()


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and body of each packet (RFC 9580 section 4.2). Raises IndexError or ValueError where it breaks off."""
    at = 0
    while at < len(data):
        head = data[at]
        if not head & 0x80:
            raise ValueError
        tag, at, size = _new(data, at) if head & 0x40 else _old(data, at)
        if at + size > len(data):
            raise ValueError
        yield tag, data[at : at + size]
        at += size


def _old(data: bytes, at: int) -> tuple[int, int, int]:
    tag, kind = data[at] >> 2 & 0x0F, data[at] & 3
    if kind == 3:  # until the end of the data: exported keys are not written like this
        raise ValueError
    width = 1 << kind
    return tag, at + 1 + width, int.from_bytes(data[at + 1 : at + 1 + width], "big")


def _new(data: bytes, at: int) -> tuple[int, int, int]:
    tag, first = data[at] & 0x3F, data[at + 1]
    if first < 192:
        return tag, at + 2, first
    if first < 224:
        return tag, at + 3, ((first - 192) << 8) + data[at + 2] + 192
    if first < 255:  # in parts: exported keys are not written like this
        raise ValueError
    return tag, at + 6, int.from_bytes(data[at + 2 : at + 6], "big")
