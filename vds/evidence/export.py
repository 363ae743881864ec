"""What the engine is asked for: the stack's state as it exports it, encrypted, and where its backend is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from vds.shared.errors import OperationError

_SECONDS = 300
"""For a state of some tens of megabytes from a backend on the network."""


def exported(stack: str) -> str:
    """`pulumi stack export`, which needs no passphrase: nothing is decrypted. Raises OperationError."""
    return _pulumi(stack, "stack", "export", "--stack", stack)


def backend(stack: str) -> str:
    """The URL of the backend that the engine is logged in to; empty if it does not tell."""
    try:
        said = json.loads(_pulumi(stack, "whoami", "--json"))
        return str(said["url"])
    except (KeyError, TypeError, ValueError):
        return ""


def read_file(file: Path) -> str:
    """An export that somebody has made. Raises OperationError."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise OperationError(f"--state {file}: is not UTF-8 text: name what pulumi stack export wrote") from None
    except OSError as error:
        raise OperationError(f"--state {file}: cannot be read ({error.strerror}): correct its name") from None


def _pulumi(stack: str, *words: str) -> str:
    try:
        done = subprocess.run(
            ["pulumi", "--non-interactive", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise OperationError("pulumi is not on the PATH: install it, or add its folder to PATH") from None
    except subprocess.TimeoutExpired:
        raise OperationError(f"stack {stack}: no answer within {_SECONDS} s: is the backend reachable?") from None
    if done.returncode:
        said = " ".join(done.stderr.split()).removeprefix("error: ") or f"pulumi ended with {done.returncode}"
        raise OperationError(f"stack {stack}: {said[:500]}: run `pulumi stack ls`, or name an export with --state")
    return done.stdout
