"""Reads a stack: its spec and its secrets, from `pulumi config`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.core.kubeconfig import kubeconfig_problems
from components.core.messages import in_full
from components.core.names import PROJECT
from components.core.untrusted import json_value
from components.kubeadm.backup.credentials import backup_secret_problems
from components.kubeadm.credentials import KUBECONFIG, credential_problems, secret_names
from components.stackfile.defaults import DefaultsError, merged, read_defaults
from components.stackfile.keys import RULE, SECRETS, plain_secrets
from components.stackfile.parsing import SpecError, check_file, parse, read_stack_file, read_text
from components.stackfile.passphrase import passphrase_problems
from components.stackfile.spec import PlatformSpec
from vds.shared import pulumi
from vds.shared.errors import OperationError


@dataclass(frozen=True)
class Opened:
    """A valid stack: its spec and its secrets. `repr` shows no secret."""

    name: str
    spec: PlatformSpec
    ssh_private_key: str = field(repr=False)
    """Empty: opened without it, so no node can be asked."""
    admin: str | None = field(repr=False)
    """The cluster's kubeconfig; None where the stack makes its cluster, and has not yet."""
    secrets: Mapping[str, str] = field(repr=False, default_factory=dict)
    """All secrets of the stack, by name."""

    @property
    def kubeconfig(self) -> str:
        """The kubeconfig of the cluster. Raises OperationError if there is no cluster yet."""
        if self.admin is None:
            raise OperationError(f"stack {self.name} has no cluster yet: run `pulumi up`, it makes the cluster")
        return self.admin

    def secret(self, name: str, why: str) -> str:
        """A secret that only some commands need. Raises OperationError if the stack does not have it."""
        if value := self.secrets.get(name):
            return value.strip()
        key = f"{PROJECT}:{name}"
        raise OperationError(
            f"{key}: is missing, and {why}: run `pulumi config set --secret {key} --stack {self.name}`"
        )


def open_stack(stack: str, *, project: Path | None = None, config_file: Path | None = None) -> Opened:
    """Read and check a stack. Its secrets come through a pipe and are in no argument, file or message.

    `project` is the folder with `Pulumi.yaml`; default: the working directory. `config_file` is read instead of
    `Pulumi.<stack>.yaml`.

    Raises:
        OperationError: there is no such stack, its secrets can't be read, or its file has problems: all of them.
    """
    folder = project or Path.cwd()
    config = _config(stack, folder, config_file)
    data = _spec_data(config, folder)
    spec, problems = _spec(data, folder, stack, config_file)
    makes_its_cluster = "kubeconfig" not in secret_names(data)
    in_clear = [key for key, entry in config.items() if not entry.get("secret")]
    found = [*plain_secrets(in_clear), *passphrase_problems(_salt(folder, stack, config_file))]
    if not makes_its_cluster and (text := _value(config, KUBECONFIG)):
        found += credential_problems({KUBECONFIG: text}, None)
    problems += map(str, found)
    problems += [
        f"{PROJECT}:{name}: is missing: run `pulumi config set --secret {PROJECT}:{name} --stack {stack}`"
        for name in (*(() if makes_its_cluster else ("kubeconfig",)), "sshPrivateKey")
        if not _value(config, name)
    ]
    if spec is None or problems:
        raise _refused(stack, problems)
    admin = _made_kubeconfig(stack, folder) if makes_its_cluster else _value(config, "kubeconfig")
    known = {name: value for name in SECRETS if (value := _value(config, name))}
    problems = [str(one) for one in backup_secret_problems(known)]
    if problems:
        raise _refused(stack, problems)
    return Opened(stack, spec, _value(config, "sshPrivateKey"), admin, known)


def open_spec(stack: str, *, project: Path | None = None, config_file: Path | None = None) -> PlatformSpec:
    """The stack's spec without its secrets: no passphrase is needed.

    Raises OperationError as `open_stack` does.
    """
    folder = project or Path.cwd()
    data = _spec_data(_config(stack, folder, config_file, secrets=False), folder)
    spec, problems = _spec(data, folder, stack, config_file)
    if spec is None or problems:
        raise _refused(stack, problems)
    return spec


def read_spec(stack: str, *, config_file: Path | None = None) -> PlatformSpec:
    """The stack's spec from its file alone: neither the engine nor its backend is asked, and no passphrase is needed.

    Raises OperationError if the file can't be read, or has problems: all of them.
    """
    folder, file = Path.cwd(), config_file or Path(f"Pulumi.{stack.split('/')[-1]}.yaml")
    try:
        checked = check_file(read_text(folder / file), str(file), folder, stack=stack)
    except OSError as error:
        reason = error.strerror or error
        raise OperationError(f"{file}: can't be read ({reason}): name the stack file with --config-file") from None
    if checked.spec is None:
        raise _refused(stack, [str(one) for one in checked.findings if not one.advice])
    return checked.spec


def open_read_only(stack: str, kubeconfig: Path, *, config_file: Path | None = None) -> Opened:
    """The stack's spec with a kubeconfig of a file, and without its secrets: no passphrase is needed, and no node can
    be asked.

    Raises OperationError as `open_stack` does, or if the file is no kubeconfig that is taken.
    """
    try:
        text = read_text(kubeconfig)
    except OSError as error:
        reason = error.strerror or error
        raise OperationError(f"--kubeconfig {kubeconfig}: can't be read ({reason}): name another file") from None
    if found := kubeconfig_problems(text):
        raise OperationError(*(f"--kubeconfig {kubeconfig}: {one.message}: {one.remedy}" for one in found))
    return Opened(stack, open_spec(stack, config_file=config_file), "", text)


def _salt(folder: Path, stack: str, config_file: Path | None) -> str:
    try:
        return read_stack_file(read_text(folder / (config_file or f"Pulumi.{stack}.yaml")), "").salt
    except (OSError, SpecError):  # the engine has read it, or keeps the stack's configuration elsewhere
        return ""


def _spec(data: Any, folder: Path, stack: str, config_file: Path | None) -> tuple[PlatformSpec | None, list[str]]:
    if data is None:
        return None, [f"{PROJECT}:spec: is missing: copy Pulumi.oslo.yaml, or name another --config-file"]
    try:
        return parse(data, base_dir=folder, stack=stack), []
    except SpecError as error:
        problems = error.problems
    file = config_file or Path(f"Pulumi.{stack.split('/')[-1]}.yaml")
    try:
        checked = check_file(read_text(folder / file), str(file), folder, stack=stack)
    except OSError:
        checked = None
    if checked and checked.data == data:  # what the engine has read: the same problems, with their lines
        problems = tuple(one for one in checked.findings if not one.advice and one.rule != RULE)
    return None, [str(problem) for problem in problems]


def _refused(stack: str, problems: Sequence[str]) -> OperationError:
    count, lines = in_full(problems)
    return OperationError(f"stack {stack} has {count}:{lines}")


def _value(config: Mapping[str, Any], name: str) -> str:
    return str((config.get(f"{PROJECT}:{name}") or {}).get("value") or "")


def _spec_data(config: Mapping[str, Any], folder: Path) -> Any:
    """What is below `vds-platform:spec`, over the shared settings. Raises OperationError if these can't be used."""
    entry = config.get(f"{PROJECT}:spec") or {}
    data = entry.get("objectValue")
    if data is None and entry.get("value"):
        try:
            data = json_value(entry["value"])  # set as text, `pulumi config set`
        except ValueError:
            data = {}  # not a group of settings: the model says which are missing
    if not (file := _value(config, "defaults")):
        return data
    try:
        return merged(data or {}, read_defaults(file, lambda name: read_text(folder / name)).value)
    except DefaultsError as error:
        raise OperationError(*map(str, error.findings)) from None


def _made_kubeconfig(stack: str, folder: Path) -> str | None:
    """The kubeconfig of a cluster that `pulumi up` made; None before."""
    made = _pulumi(stack, folder, "stack", "output", "--show-secrets", "--json").get("kubeconfig")
    return str(made) if made else None


def _config(stack: str, folder: Path, config_file: Path | None, *, secrets: bool = True) -> Mapping[str, Any]:
    if config_file and not (folder / config_file).is_file():  # pulumi would read an empty one
        raise OperationError(f"--config-file {config_file}: there is no such file: correct its name")
    named = ("--config-file", str(config_file)) if config_file else ()
    return _pulumi(stack, folder, "config", *(["--show-secrets"] if secrets else []), "--json", after=named)


def _pulumi(stack: str, folder: Path, *words: str, after: Sequence[str] = ()) -> Mapping[str, Any]:
    """What pulumi prints as JSON."""
    text = pulumi.output(stack, *words, "--stack", stack, *after, folder=folder)
    try:
        answer: Mapping[str, Any] = json_value(text)
    except ValueError:  # its text may hold secrets: none of it is shown
        raise OperationError(f"stack {stack}: `pulumi {words[0]}` did not print JSON: update pulumi") from None
    return answer
