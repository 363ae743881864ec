"""Reads the key in an armoured OpenPGP block, and writes it anew from what was read (RFC 9580).

apt trusts every key that it finds in a keyring, and reads damaged text in its own way. So there must be exactly one
key, and apt gets what was parsed here, never the author's text.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from components.core.types import RefusedError

_BLOCK = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\n(?:[A-Za-z]+: [^\n]*\n)*\n"
    r"((?:[A-Za-z0-9+/]+={0,2}\n)+)(?:=([A-Za-z0-9+/]{4})\n)?"
    r"-----END PGP PUBLIC KEY BLOCK-----"
)
_MOST_CHARACTERS = 100_000
"""Of a block. Keys of repositories have some thousand."""
_PUBLIC_KEY, _PUBLIC_SUBKEY = 6, 14  # section 5
_PARTS = {2: "signature", _PUBLIC_KEY: "public key", 13: "user ID", _PUBLIC_SUBKEY: "public subkey", 17: "attribute"}
"""By its tag, every packet of a public key (section 10.1.1)."""


def normal(armoured: str) -> str:
    """The one key of the block, written anew. Raises ValueError with a remedy."""
    data = b"".join(_written(tag, body) for tag, body in _key(armoured))
    text = base64.b64encode(data).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PGP PUBLIC KEY BLOCK-----", "", *lines, "-----END PGP PUBLIC KEY BLOCK-----", ""])


def fingerprint(armoured: str) -> str:
    """The fingerprint, 40 hexadecimal digits in capitals, of the one primary key. Raises ValueError with a remedy."""
    _, body = _key(armoured)[0]
    # Section 5.5.4.2: SHA-1 of 0x99, the body's length in two bytes, the body. A name, not a signature.
    named = b"\x99" + len(body).to_bytes(2, "big") + body
    return hashlib.sha1(named, usedforsecurity=False).hexdigest().upper()


def _key(armoured: str) -> list[tuple[int, bytes]]:
    text = "\n".join(line.rstrip() for line in armoured.strip().splitlines())
    match = _BLOCK.fullmatch(text) if len(text) <= _MOST_CHARACTERS else None
    if not match:
        raise ValueError("write the whole armoured key, from its BEGIN PGP PUBLIC KEY BLOCK line to its END line")
    try:
        data = base64.b64decode(match[1].replace("\n", ""), validate=True)
        packets = list(_packets(data))
    except (binascii.Error, IndexError, ValueError):
        raise RefusedError("the armoured key is damaged", "copy it again, as a whole") from None
    if match[2] and base64.b64decode(match[2]) != _checksum(data):
        raise RefusedError("the armoured key does not have the checksum in its last line", "copy it again, as a whole")
    tags = [tag for tag, _ in packets]
    count = tags.count(_PUBLIC_KEY)
    if count != 1 or tags[0] != _PUBLIC_KEY:
        raise RefusedError(f"the block has {count} keys, and apt would trust all of them", "write the repository's key")
    if others := sorted(set(tags) - set(_PARTS)):
        said = f"the block has packets that are no part of a public key ({', '.join(map(str, others))})"
        raise RefusedError(said, "export the key again, with gpg --armor --export")
    if any(body[:1] != b"\x04" for tag, body in packets if tag in (_PUBLIC_KEY, _PUBLIC_SUBKEY)):
        raise RefusedError("only keys of OpenPGP version 4 are supported", "write the repository's version 4 key")
    return packets


def _checksum(data: bytes) -> bytes:
    """CRC-24 (section 6.1)."""
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (0x1864CFB if crc & 0x800000 else 0)
    return (crc & 0xFFFFFF).to_bytes(3, "big")


def _written(tag: int, body: bytes) -> bytes:
    """A packet of the current format (section 4.2.1)."""
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and body of each packet (section 4.2). Raises IndexError or ValueError where it breaks off."""
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
