"""The shell script for one node: variables in front of `inspect.sh`, which has the actions. Pure."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

_FUNCTIONS = (Path(__file__).parent / "inspect.sh").read_text(encoding="utf-8")
_SLOT = "#: variables\n"


def script(action: str, node: str, filter_words: Sequence[str] = (), **facts: str | int | bool) -> str:
    """Runs a function of `inspect.sh` with these facts. `filter_words` are those of `capture`, for tcpdump."""
    given = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in facts.items()}
    head = "".join(f"{name}={quote(value)}\n" for name, value in {"action": action, "node": node, **given}.items())
    words = "".join(f" {quote(word)}" for word in filter_words)
    return _FUNCTIONS.replace(_SLOT, f'{head}filtered() {{\n\t"$@"{words}\n}}\n', 1)
