"""Reads the stack's state, encrypted, the URL of its backend, and the key for evidence."""

from pathlib import Path

from components.core.names import PROJECT
from components.core.untrusted import json_value
from components.stackfile.keys import EVIDENCE_KEY
from vds.shared import pulumi
from vds.shared.errors import OperationError

_EXPORT_SECONDS = 300
"""For a state of some tens of megabytes from a backend on the network."""
_REMEDY = "name an export with --state"


def exported(stack: str) -> str:
    """`pulumi stack export`. It decrypts nothing, so it needs no passphrase. Raises OperationError."""
    words = ("stack", "export", "--stack", stack)
    return pulumi.output(stack, *words, seconds=_EXPORT_SECONDS, remedy=_REMEDY)


def evidence_key(stack: str, config_file: Path | None) -> str:
    """The stack's key for evidence, decrypted by the engine. Raises OperationError if there is none."""
    name = f"{PROJECT}:{EVIDENCE_KEY}"
    named = ("--config-file", str(config_file)) if config_file else ()
    remedy = (
        f"if the stack has no such key, run `ssh-keygen -t ed25519 -N '' -C {stack} -f evidence.key` and "
        f"`pulumi config set --secret {name} --stack {stack} < evidence.key`, and remove the file"
    )
    return pulumi.output(stack, "config", "get", name, "--stack", stack, *named, remedy=remedy)


def backend(stack: str) -> str:
    """The URL of the backend that pulumi is logged in to; empty if pulumi does not print it."""
    try:
        return str(json_value(pulumi.output(stack, "whoami", "--json", remedy=_REMEDY))["url"])
    except (KeyError, TypeError, ValueError):
        return ""


def read_file(file: Path, option: str = "--state") -> str:
    """A file that an option names. Raises OperationError."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise OperationError(f"{option} {file}: is not UTF-8 text: name another file") from None
    except OSError as error:
        raise OperationError(f"{option} {file}: cannot be read ({error.strerror}): correct its name") from None
