"""What a stack says, for commands beside the engine: its spec and its secrets, as `pulumi config` gives them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.core.messages import in_full
from components.core.names import PROJECT
from components.kubeadm.credentials import BY_KIND, secret_names
from components.stackfile.parsing import SpecError, parse
from components.stackfile.spec import PlatformSpec
from vds.shared.errors import OperationError

_SECONDS = 60
"""For `pulumi config` and `stack output`, which take one; a backend on the network, some more."""

_REMEDIES = {
    "no stack named": "`pulumi stack ls` has the names of this backend's",
    "incorrect passphrase": "correct PULUMI_CONFIG_PASSPHRASE, or the file that PULUMI_CONFIG_PASSPHRASE_FILE names",
    "passphrase must be set": "set PULUMI_CONFIG_PASSPHRASE_FILE to the file that holds the stack's passphrase",
    "no Pulumi.yaml": "run this in the project's folder",
    "PULUMI_ACCESS_TOKEN": "run `pulumi login` for the backend that holds the stack, or set PULUMI_BACKEND_URL",
}
"""What the engine says (3.259 and 3.272) → what to do."""


@dataclass(frozen=True)
class Opened:
    """A stack that is sound: what its file says, and its secrets, which no `repr` shows."""

    name: str
    spec: PlatformSpec
    ssh_private_key: str = field(repr=False)
    admin: str | None = field(repr=False)
    """The cluster's kubeconfig; None where the stack makes its cluster, and has not yet."""

    @property
    def kubeconfig(self) -> str:
        """The cluster's, for what can't be done without one. Raises OperationError where there is no cluster yet."""
        if self.admin is None:
            raise OperationError(f"stack {self.name} has no cluster yet: `pulumi up` makes it of the nodes")
        return self.admin


def open_stack(stack: str, *, project: Path | None = None, config_file: Path | None = None) -> Opened:
    """Read and check a stack. Secrets come through a pipe: in no argument, no file and no message.

    `project` is the folder with `Pulumi.yaml`, the working directory if left out; `config_file` stands for its
    `Pulumi.<stack>.yaml`.

    Raises:
        OperationError: there is no such stack, no way to its secrets, or something is wrong with its file: all of it.
    """
    folder = project or Path.cwd()
    config = _config(stack, folder, config_file)
    spec, problems = _spec(config, folder)
    makes_its_cluster = secret_names(_spec_data(config)) == BY_KIND["kubeadm"]
    problems += [
        f"{PROJECT}:{name}: is missing: run `pulumi config set --secret {PROJECT}:{name} --stack {stack}`"
        for name in (*(() if makes_its_cluster else ("kubeconfig",)), "sshPrivateKey")
        if not _value(config, name)
    ]
    if spec is None or problems:
        raise _refused(stack, problems)
    admin = _made_kubeconfig(stack, folder) if makes_its_cluster else _value(config, "kubeconfig")
    return Opened(stack, spec, _value(config, "sshPrivateKey"), admin)


def open_spec(stack: str, *, project: Path | None = None, config_file: Path | None = None) -> PlatformSpec:
    """The stack's spec alone: no secret is asked for, so nobody's passphrase is needed.

    Raises OperationError as `open_stack` does.
    """
    folder = project or Path.cwd()
    spec, problems = _spec(_config(stack, folder, config_file, secrets=False), folder)
    if spec is None or problems:
        raise _refused(stack, problems)
    return spec


def _spec(config: Mapping[str, Any], folder: Path) -> tuple[PlatformSpec | None, list[str]]:
    data = _spec_data(config)
    if data is None:
        return None, [f"{PROJECT}:spec: is missing: copy Pulumi.oslo.yaml, or name another --config-file"]
    try:
        return parse(data, base_dir=folder), []
    except SpecError as error:
        return None, [str(problem) for problem in error.problems]


def _refused(stack: str, problems: Sequence[str]) -> OperationError:
    count, lines = in_full(problems)
    return OperationError(f"stack {stack} has {count}:{lines}")


def _value(config: Mapping[str, Any], name: str) -> str:
    return str((config.get(f"{PROJECT}:{name}") or {}).get("value") or "")


def _spec_data(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    entry = config.get(f"{PROJECT}:spec") or {}
    data = entry.get("objectValue")
    if data is None and entry.get("value"):
        try:
            data = json.loads(entry["value"])  # set as text, `pulumi config set`
        except ValueError:
            data = {}  # not a group of settings: the model says which are missing
    return data


def _made_kubeconfig(stack: str, folder: Path) -> str | None:
    """What `pulumi up` exported of the cluster that it made; None before it has."""
    made = _pulumi(stack, folder, "stack", "output", "--show-secrets", "--json").get("kubeconfig")
    return str(made) if made else None


def _config(stack: str, folder: Path, config_file: Path | None, *, secrets: bool = True) -> Mapping[str, Any]:
    if config_file and not (folder / config_file).is_file():  # the engine takes it for an empty one
        raise OperationError(f"--config-file {config_file}: there is no such file: correct its name")
    named = ("--config-file", str(config_file)) if config_file else ()
    return _pulumi(stack, folder, "config", *(["--show-secrets"] if secrets else []), "--json", after=named)


def _pulumi(stack: str, folder: Path, *words: str, after: Sequence[str] = ()) -> Mapping[str, Any]:
    """What the engine answers as JSON, through a pipe."""
    what = "configuration" if words[0] == "config" else "outputs"
    argv = ["pulumi", "--non-interactive", *words, "--stack", stack, *after]
    try:
        done = subprocess.run(
            argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS
        )
    except FileNotFoundError:
        raise OperationError("pulumi is not on the PATH: install it, or add its folder to PATH") from None
    except subprocess.TimeoutExpired:
        raise OperationError(
            f"stack {stack}: pulumi did not give its {what} within {_SECONDS} s: is its backend reachable?"
        ) from None
    if done.returncode:
        said = " ".join(done.stderr.split()).removeprefix("error: ") or f"pulumi ended with {done.returncode}"
        remedy = next((remedy for words, remedy in _REMEDIES.items() if words in said), "")
        raise OperationError(f"stack {stack}: {said[:500]}{': ' + remedy if remedy else ''}")
    try:
        answer: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:  # its text may hold secrets: none of it is shown
        raise OperationError(f"stack {stack}: what pulumi printed is not its {what} as JSON: update pulumi") from None
    return answer
