"""Fake tools on a PATH: each writes down its words, then does what a test says."""

from pathlib import Path


class Tools:
    """A folder for the front of a PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._log = folder / "calls.log"

    def add(self, name: str, shell: str = "") -> None:
        """A tool that writes down its words and then runs `shell`."""
        file = self.folder / name
        # One write for each call, because tools of several nodes run at once.
        file.write_text(
            f"#!/bin/sh\nunit=$(printf '\\037')\ncall={name}\n"
            'for word; do call="$call$unit$word"; done\n'
            f"printf '%s\\036' \"$call\" >>'{self._log}'\n{shell}\n"
        )
        file.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        """Every call so far: the tool's name and its words."""
        text = self._log.read_text() if self._log.exists() else ""
        return [call.split("\x1f") for call in text.split("\x1e") if call]

    def words(self, name: str) -> list[list[str]]:
        """The words of each call of one tool."""
        return [call[1:] for call in self.calls if call[0] == name]
