"""Secrets that are recognised wherever they come out, and the search for them in every form in which they could."""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

import yaml
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

SHORTEST = 12
"""Bytes of a mark: a shorter one is also found by accident."""
_FOLDS = re.compile(rb"(\\+[nr]|%0[AaDd]|\s)+")


class Canary(NamedTuple):
    """A secret that nothing but the stack has."""

    name: str
    value: str
    marks: tuple[bytes, ...]
    """Parts of it, each of which alone gives it away."""

    def __repr__(self) -> str:
        return f"Canary({self.name})"


class Hit(NamedTuple):
    """Where a secret came out, and in which form."""

    where: str
    canary: str
    form: str
    around: str
    """Text before it, for the test's message."""


def canary(name: str, value: str, *marks: str | bytes) -> Canary:
    """A secret with these marks. Without any: those of a PEM key, else the whole value."""
    found = [mark.encode() if isinstance(mark, str) else mark for mark in marks]
    if not found and "PRIVATE KEY" in value:
        found = list(_marks_of(value))
    made = Canary(name, value, tuple(found or [value.encode()]))
    if short := [mark for mark in made.marks if len(mark) < SHORTEST]:
        raise ValueError(f"{name}: {len(short)} marks of less than {SHORTEST} bytes")
    return made


def _marks_of(pem: str) -> Iterator[bytes]:
    """The private number of a key, and the lines that hold a part of it: the others are public, or every key's."""
    load = load_ssh_private_key if "OPENSSH" in pem else load_pem_private_key
    key: Any = load(pem.encode(), password=None)
    if hasattr(key, "private_bytes_raw"):
        number: bytes = key.private_bytes_raw()
    else:
        numbers = key.private_numbers()
        secret = numbers.private_value if hasattr(numbers, "private_value") else numbers.d
        number = secret.to_bytes((secret.bit_length() + 7) // 8, "big")
    yield number
    lines = [line for line in pem.splitlines() if line and "-----" not in line]
    begins = base64.b64decode("".join(lines)).index(number) * 4 // 3
    ends, at = begins + len(number) * 4 // 3, 0
    for line in lines:
        if min(ends, at + len(line)) - max(begins, at) >= 2 * SHORTEST:
            yield line.encode()
        at += len(line)


def _base64(mark: bytes, encode: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """What base64 of a text that holds the mark has of it, wherever in the text it begins."""
    for before in range(3):
        text = encode(bytes(before) + mark).rstrip(b"=")
        # A character of 6 bits is the mark's own if all of its bits are.
        first = -(-before * 8 // 6)
        last = (before + len(mark)) * 8 // 6
        yield text[first:last]


def _text_forms(mark: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        text = mark.decode()
    except UnicodeDecodeError:
        return
    for name, safe in (("URL-encoded", ""), ("URL-encoded", "/")):
        yield name, quote(text, safe=safe).encode()
        yield name, re.sub(r"%..", lambda found: found[0].lower(), quote(text, safe=safe)).encode()
    yield "URL-encoded", quote_plus(text).encode()
    for ascii_only in (True, False):
        escaped = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        go = escaped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        for form in (escaped, go, escaped.replace("/", "\\/")):
            yield "JSON-escaped", form.encode()
            yield "JSON in JSON", json.dumps(form, ensure_ascii=False)[1:-1].encode()
    yield "Python's repr", repr(text)[1:-1].encode()
    yield "YAML", yaml.safe_dump(text, width=10_000).strip().removesuffix("\n...").strip("'\"").encode()


@cache
def forms(mark: bytes) -> Mapping[bytes, str]:
    """The mark in every form, and what the form is called."""
    found = {mark: "plain", mark.hex().encode(): "hex", mark.hex().upper().encode(): "hex"}
    found |= dict.fromkeys(_base64(mark, base64.b64encode), "base64")
    found |= dict.fromkeys(_base64(mark, base64.urlsafe_b64encode), "base64")
    # Kubernetes objects in documents: base64 of what is base64 already.
    twice = [text for inner in _base64(mark, base64.b64encode) for text in _base64(inner, base64.b64encode)]
    found |= dict.fromkeys(twice, "base64 of base64")
    return {text: name for name, text in _text_forms(mark)} | found


def needles(canaries: Iterable[Canary]) -> Mapping[bytes, tuple[str, str]]:
    """Everything to look for, with the secret and the form that it gives away."""
    return _needles(tuple(canaries))


@cache
def _needles(canaries: tuple[Canary, ...]) -> Mapping[bytes, tuple[str, str]]:
    return {text: (one.name, form) for one in canaries for mark in one.marks for text, form in forms(mark).items()}


def hits(where: str, data: bytes | str, canaries: Iterable[Canary]) -> list[Hit]:
    """Every secret in the data, also where it is folded into lines."""
    content = data.encode(errors="surrogateescape") if isinstance(data, str) else data
    texts = (content, _FOLDS.sub(b"", content))
    found = {}
    for needle, (name, form) in needles(canaries).items():
        for text in texts:
            if (at := text.find(needle)) >= 0:
                before = text[max(0, at - 80) : at].decode(errors="replace")
                found.setdefault((name, form), Hit(where, name, form, before))
    return list(found.values())


def hits_below(folder: Path, canaries: Iterable[Canary], *, but: Iterable[Path] = ()) -> list[Hit]:
    """Every secret in the files below a folder and in their names; links are not followed."""
    wanted, left_out = tuple(canaries), set(but)
    found = []
    for file in sorted(folder.rglob("*")):
        where = str(file.relative_to(folder))
        found += hits(where, where, wanted)
        if file.is_file() and not file.is_symlink() and file not in left_out:
            found += hits(where, file.read_bytes(), wanted)
    return found


SECRET = "4dabf18193072939515e22adb298388d"
"""The engine's mark of a special value, `1b47…` of a secret."""


def without_marked(value: Any) -> Any:
    """A decrypted export without what the engine has marked as a secret."""
    if isinstance(value, dict):
        return "[secret]" if SECRET in value else {key: without_marked(inner) for key, inner in value.items()}
    return [without_marked(inner) for inner in value] if isinstance(value, list) else value
