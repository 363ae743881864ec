"""The search for secrets finds each of them in every form, and nothing where there is none."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from tests.support.canaries import canary, hits, hits_below, without_marked
from tests.support.certificates import authority

WORD = canary("passphrase", 'a "pass" of \\ words & ø/%')
KEY = canary("key", authority()[1])
BOTH = (WORD, KEY)
WAYS = {
    "plain": str,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, later": lambda text: base64.b64encode(b"xy" + text.encode()).decode(),
    "base64, later still": lambda text: base64.urlsafe_b64encode(b"x" + text.encode()).decode(),
    "base64 in lines": lambda text: base64.encodebytes(b"xy" + text.encode()).decode(),
    "base64 of base64": lambda text: base64.b64encode(b"." + base64.b64encode(b"." + text.encode())).decode(),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "URL-encoded": lambda text: quote(text, safe=""),
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps({"a": json.dumps({"b": text}, ensure_ascii=False)}, ensure_ascii=False),
    "JSON of Go": lambda text: json.dumps(text).replace("&", "\\u0026"),
    "repr": repr,
    "YAML": lambda text: yaml.safe_dump({"a": text}, allow_unicode=True),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("one", BOTH)
def test_a_secret_is_found_in_every_form(one, way):
    text = f"before {WAYS[way](one.value)} after"
    assert {hit.canary for hit in hits("a log", text, BOTH)} == {one.name}


def test_a_key_is_known_by_its_number_in_any_container():
    number = KEY.marks[0]
    assert [hit.form for hit in hits("a node", b"\0" + number + b"\0", BOTH)] == ["plain"]
    assert hits("a node", f"private: {number.hex()}", BOTH)


def test_what_is_no_secret_is_not_found():
    text = authority("rsa")[1] + authority()[0] + "a pass of words"
    assert hits("a log", text, BOTH) == []


def test_files_and_their_names_are_searched(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log").write_bytes(b"\xff" + WORD.value.encode())
    (tmp_path / KEY.marks[0].hex()).touch()
    (tmp_path / "link").symlink_to(tmp_path / "a" / "log")
    assert [(hit.where, hit.canary) for hit in hits_below(tmp_path, BOTH)] == sorted(
        [("a/log", "passphrase"), (KEY.marks[0].hex(), "key")]
    )
    assert [hit.canary for hit in hits_below(tmp_path, BOTH, but=[tmp_path / "a" / "log"])] == ["key"]


def test_a_short_mark_is_refused():
    with pytest.raises(ValueError, match="less than"):
        canary("pin", "1234")


def test_what_the_engine_marks_is_taken_out():
    marked = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"x"'}
    assert without_marked({"a": [marked, {"b": 1}]}) == {"a": ["[secret]", {"b": 1}]}
