"""Collects what nodes print, as it arrives."""

import contextlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from vds.inspect import parse
from vds.inspect.pods import note
from vds.shared.errors import OperationError

_CAPTURED = re.compile(r"^(\d+) packets? captured", re.MULTILINE)


@dataclass
class Outputs:
    """What each node printed, whole."""

    texts: dict[str, str] = field(default_factory=dict)

    def add(self, node: str, piece: bytes) -> None:
        """A piece of a node's text."""
        self.texts[node] = self.texts.get(node, "") + piece.decode(errors="replace")


@dataclass
class Drops:
    """Cilium's drops, printed as they arrive; `address` selects those of one pod."""

    address: str | None
    quiet: bool
    found: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, node: str, piece: bytes) -> None:
        """A line of a node's monitor."""
        text = piece.decode(errors="replace").strip()
        event = parse.drop(text)
        if event is None:
            if "level=error" in text:
                self.problems.append(f"node {node}: Cilium's monitor says: {text}")
            elif "Lost" in text:  # the ring buffer was full: some drops are missing
                note(f"{node}  {text}")
        elif self.address is None or self.address in event.addresses:
            self.found.append({"node": node, **event._asdict()})
            if not self.quiet:
                print(f"{node}  {event.line()}", flush=True)


class Capture:
    """tcpdump's output: lines, or a pcap in a new file that only its owner may read."""

    def __init__(self, file: Path | None, *, quiet: bool) -> None:
        self.lines: list[str] = []
        self._file = file
        self._quiet = quiet
        self._out: BinaryIO | None = None

    def __enter__(self) -> Self:
        if self._file:
            try:
                self._out = os.fdopen(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            except FileExistsError:
                raise OperationError(f"--write {self._file}: exists: name a new file") from None
            except OSError as error:
                raise OperationError(f"--write {self._file}: {error.strerror}: name a file that can be made") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if self._out and self._file:
            self._out.close()
            if kind and not self._file.stat().st_size:
                with contextlib.suppress(OSError):
                    self._file.unlink()

    def add(self, _node: str, piece: bytes) -> None:
        """A line of text, or a piece of the pcap."""
        if self._out:
            self._out.write(piece)
            return
        line = piece.decode(errors="replace").rstrip("\n")
        self.lines.append(line)
        if not self._quiet:
            print(line, flush=True)

    def count(self, errors: str) -> int:
        """Packets, as tcpdump's standard error counts them."""
        count = _CAPTURED.search(errors)
        return int(count[1]) if count else len(self.lines)
