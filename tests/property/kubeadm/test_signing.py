"""The repository's key as apt's own programs read it: what is accepted has one key, however the text was made."""

import base64
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.kubeadm import signing
from tests.support.examples import examples

pytestmark = pytest.mark.skipif(
    not (shutil.which("gpg") and shutil.which("gpgv")), reason="needs gpg and gpgv, the programs whose reading counts"
)
BEGIN, END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"


class Keys(NamedTuple):
    """Two keys, and what each of them has signed."""

    good: bytes
    evil: bytes
    fingerprint: str
    """Of the good one."""
    folder: Path


def gpg(home: Path, *words: str, data: bytes = b"") -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--no-tty", "--quiet", "--passphrase", "", *words]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    folder = tmp_path_factory.mktemp("gpg")  # a short path: gpg's socket is in it
    folder.chmod(0o700)
    (folder / "Release").write_text("Suite: stable\n")
    try:
        exported = []
        for name in ("good", "evil"):
            gpg(folder, "--quick-generate-key", f"{name} <{name}@example.no>", "ed25519", "sign", "never")
            exported.append(gpg(folder, "--export", f"{name}@example.no"))
            signature = gpg(folder, "--local-user", f"{name}@example.no", "--detach-sign", str(folder / "Release"))
            assert signature == b""
            (folder / "Release.sig").rename(folder / f"{name}.sig")
        listed = gpg(folder, "--with-colons", "--fingerprint", "good@example.no").decode()
        fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
        yield Keys(exported[0], exported[1], fingerprint, folder)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(folder), "--kill", "all"], check=False)


def trusts(keys: Keys, armoured: str, signer: str) -> bool:
    """Whether apt would take `signer`'s signature: apt-key's own awk program and `base64 -d`, then gpgv."""
    awk = "/^-----BEGIN/{x=1} /^$/{if(x==1){x=2}} /^[^=-]/{if(x==2){print $0}} /^-----END/{exit}"
    ring = keys.folder / "ring.gpg"
    lines = subprocess.run(["awk", awk], input=armoured.encode(), capture_output=True, check=True).stdout
    ring.write_bytes(subprocess.run(["base64", "-d"], input=lines, capture_output=True, check=False).stdout)
    command = ["gpgv", "--keyring", str(ring), str(keys.folder / f"{signer}.sig"), str(keys.folder / "Release")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def block(*parts: bytes, width: int = 64) -> str:
    """Each part in base64 of its own, with its own padding, as `base64 -w 64` writes it."""
    texts = [base64.b64encode(part).decode() for part in parts]
    lines = [text[at : at + width] for text in texts for at in range(0, len(text), width)]
    return "\n".join([BEGIN, "", *lines, END, ""])


def padded(data: bytes) -> bytes:
    """The same key with a user ID of its own beside it, so that its base64 ends in `=`."""
    return next(data + b"\xb4" + bytes([size]) + b"x" * size for size in (1, 2, 3) if (len(data) + 2 + size) % 3)


def test_a_second_key_behind_the_padding_is_refused(keys):
    """apt's own reading of the author's text trusts both."""
    two = block(padded(keys.good), keys.evil)
    assert trusts(keys, two, "good")
    assert trusts(keys, two, "evil")
    with pytest.raises(ValueError, match="damaged"):
        signing.normal(two)


def test_what_is_written_on_the_node_is_trusted_and_no_other_key(keys):
    for text in (block(keys.good), block(padded(keys.good)), gpg(keys.folder, "--armor", "--export", "good@").decode()):
        written = signing.normal(text)
        assert signing.fingerprint(written) == keys.fingerprint
        assert signing.normal(written) == written
        assert trusts(keys, written, "good")
        assert not trusts(keys, written, "evil")


def test_another_keys_packet_under_a_subkeys_tag_is_not_trusted(keys):
    """It has no signature of the primary key that binds it."""
    packets = list(signing._packets(keys.evil))
    smuggled = b"".join(signing._written(14 if tag == 6 else tag, body) for tag, body in packets if tag in (6, 2))
    written = signing.normal(block(keys.good + smuggled))
    assert trusts(keys, written, "good")
    assert not trusts(keys, written, "evil")


MUTATIONS = ("evil", "half", "marker", "literal", "padding", "blank", "crc", "text", "header", "end", "byte", "crlf")


def mutated(keys: Keys, how: list[str], chance: random.Random) -> str:
    """A block of the good key, changed in these ways, one after the other."""
    parts = [padded(keys.good)]
    for change in how:
        at = chance.randrange(len(parts) + 1)
        if change in ("evil", "half", "marker", "literal"):
            extra = {"evil": keys.evil, "half": keys.evil[:40], "marker": b"\xca\x03PGP", "literal": b"\xcb\x02t\x00"}
            if chance.random() < 0.5:
                parts.insert(at, extra[change])
            else:
                parts[-1] += extra[change]
        elif change == "byte":
            spot = chance.randrange(len(parts[0]))
            parts[0] = parts[0][:spot] + bytes([chance.randrange(256)]) + parts[0][spot + 1 :]
    text = block(*parts, width=chance.choice([4, 60, 64, 76]))
    for change in how:
        lines = text.split("\n")
        at = chance.randrange(2, len(lines) - 1)
        new = {
            "padding": ["===="],
            "blank": [""],
            "crc": ["=AAAA"],
            "text": ["not base64: %"],
            "header": ["Comment: two words"],
            "end": [END, BEGIN, ""],
        }
        lines[at:at] = new.get(change, [])
        text = "\n".join(lines).replace("\n", "\r\n" if change == "crlf" else "\n")
    return text


@settings(examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(how=st.lists(st.sampled_from(MUTATIONS), max_size=4), chance=st.randoms(use_true_random=False))
def test_what_is_accepted_is_one_key_however_the_text_was_made(keys, how, chance):
    text = mutated(keys, how, chance)
    try:
        written = signing.normal(text)
        same = signing.fingerprint(text) == keys.fingerprint
    except ValueError:
        return
    if same:  # another fingerprint is refused by the model
        held = base64.b64decode("".join(written.splitlines()[2:-1]), validate=True)
        primaries = [body for tag, body in signing._packets(held) if tag == 6]
        assert primaries == [next(body for tag, body in signing._packets(keys.good) if tag == 6)]
        assert "evil" not in held.decode("latin-1") or not trusts(keys, written, "evil")


def test_a_block_that_is_a_thousand_times_too_long_is_refused_at_once():
    with pytest.raises(ValueError, match="write the whole armoured key"):
        signing.normal("\n".join([BEGIN, "", *["A" * 64] * 100_000, END]))
