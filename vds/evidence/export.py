"""Reads the states of the stack and of its tenants, encrypted, the URL of their backend, and the key for evidence."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from components.core.names import PROJECT
from components.core.untrusted import json_value
from components.stackfile.keys import EVIDENCE_KEY
from components.stackfile.registration import RegistrationFile
from components.stackfile.registration_config import read_folder
from vds.evidence.registered import Registered
from vds.evidence.state import State, read
from vds.shared import pulumi
from vds.shared.errors import OperationError

_EXPORT_SECONDS = 300
"""For a state of some tens of megabytes from a backend on the network."""
_REMEDY = "name an export with --state"


def exported(stack: str, folder: Path | None = None, remedy: str = _REMEDY) -> str:
    """`pulumi stack export`. It decrypts nothing, so it needs no passphrase. Raises OperationError."""
    words = ("stack", "export", "--stack", stack)
    return pulumi.output(stack, *words, folder=folder, seconds=_EXPORT_SECONDS, remedy=remedy)


def registered(environment: str, folder: Path, files: Sequence[Path], *, ask: bool) -> list[Registered]:
    """The tenants that are registered in an environment, with the states of their stacks.

    `files`: exports of these stacks. `ask`: whether the engine is asked for the others. A file whose environment can't
    be read counts as one of this environment. Raises OperationError for an export of no such tenant.
    """
    states = dict(_stack_and_state(file) for file in files)
    found = [one for one in read_folder(folder) if one.environment in (environment, None)]
    where = backend(environment, folder) if ask and found else ""
    tenants = [_registered(one, states, folder, where, ask=ask) for one in found]
    if strange := sorted(states.keys() - {one.tenant for one in tenants}):
        remedy = f"name exports of tenants that are registered in environment {environment}"
        raise OperationError(*(f"--tenant-state: {folder} has no registration of {one}: {remedy}" for one in strange))
    return tenants


def _stack_and_state(file: Path) -> tuple[str, State]:
    state = read(read_file(file, "--tenant-state"), f"--tenant-state {file}")
    if len(state.stacks) != 1:
        raise OperationError(f"--tenant-state {file}: is of no stack, or of several: name an export of a tenant")
    return next(iter(state.stacks)), state


def _registered(
    file: RegistrationFile, states: Mapping[str, State], folder: Path, where: str, *, ask: bool
) -> Registered:
    one = Registered(file, None, "no --tenant-state has it", where)
    if one.tenant in states:
        return one._replace(state=states[one.tenant], backend="")
    if not ask:
        return one
    try:
        text = exported(one.tenant, folder, "name an export with --tenant-state")
        return one._replace(state=read(text, f"stack {one.tenant}"))
    except OperationError as error:
        return one._replace(why=str(error))


def evidence_key(stack: str, config_file: Path | None) -> str:
    """The stack's key for evidence, decrypted by the engine. Raises OperationError if there is none."""
    name = f"{PROJECT}:{EVIDENCE_KEY}"
    named = ("--config-file", str(config_file)) if config_file else ()
    remedy = (
        f"if the stack has no such key, run `ssh-keygen -t ed25519 -N '' -C {stack} -f evidence.key` and "
        f"`pulumi config set --secret {name} --stack {stack} < evidence.key`, and remove the file"
    )
    return pulumi.output(stack, "config", "get", name, "--stack", stack, *named, remedy=remedy)


def backend(stack: str, folder: Path | None = None) -> str:
    """The URL of the backend that pulumi is logged in to; empty if pulumi does not print it."""
    try:
        return str(json_value(pulumi.output(stack, "whoami", "--json", folder=folder, remedy=_REMEDY))["url"])
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
