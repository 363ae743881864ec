"""Golden files: whole rendered texts, compared byte by byte. `GOLDEN=write pytest tests/golden` renews them."""

import os
from pathlib import Path

FILES = Path(__file__).parent.parent / "golden" / "files"


def assert_golden(name: str, text: str) -> None:
    """The text is what the file of this name holds; a difference is shown by pytest."""
    path = FILES / name
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path.name} does not exist: run GOLDEN=write pytest tests/golden, and read the diff"
    assert text == path.read_text(encoding="utf-8")
