"""What was rendered before, kept between runs. Everything in it can be made again."""

import base64
import contextlib
import gzip
import hashlib
import os
import tempfile
from collections import OrderedDict
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

MOST_ENTRIES = 2000
"""An entry of Cilium's chart has 20 kB, so the folder stays below 40 MB."""
_MOST_IN_MEMORY = 200


class RenderingCache:
    """A folder with one file for each set of inputs, and the last ones in memory.

    A rendering may hold the secrets of its values. A file is encrypted with a key that is made from the inputs, so only
    a program that has the values can read what was rendered from them. Its name, another hash of them, does not help.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._recent: OrderedDict[bytes, bytes] = OrderedDict()

    def get(self, inputs: bytes) -> bytes | None:
        """What was kept for the inputs. None for a file that is missing, unreadable or damaged."""
        key = hashlib.sha256(inputs).digest()
        if key in self._recent:
            self._recent.move_to_end(key)
            return self._recent[key]
        file = self._file(key)
        try:
            found = gzip.decompress(_cipher(inputs).decrypt(file.read_bytes()))
            os.utime(file)
        except (OSError, InvalidToken, EOFError):
            return None
        self._remember(key, found)
        return found

    def put(self, inputs: bytes, content: bytes) -> None:
        """Keep the content. A folder that can't be written is no error: the next run renders again."""
        key = hashlib.sha256(inputs).digest()
        self._remember(key, content)
        file = self._file(key)
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix="draft-", delete=False) as draft:
                draft.write(_cipher(inputs).encrypt(gzip.compress(content, 1)))
            Path(draft.name).replace(file)
            self._shrink()

    def _file(self, key: bytes) -> Path:
        return self._folder / hashlib.sha256(b"name" + key).hexdigest()[:40]

    def _remember(self, key: bytes, content: bytes) -> None:
        self._recent[key] = content
        while len(self._recent) > _MOST_IN_MEMORY:
            self._recent.popitem(last=False)

    def _shrink(self) -> None:
        """Remove the tenth that was not used for longest, when there are too many."""
        with os.scandir(self._folder) as entries:
            files = list(entries)
        if len(files) > MOST_ENTRIES:
            for old in sorted(files, key=lambda entry: entry.stat().st_mtime)[: MOST_ENTRIES // 10]:
                with contextlib.suppress(FileNotFoundError):
                    Path(old.path).unlink()


def _cipher(inputs: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"key" + inputs).digest()))
