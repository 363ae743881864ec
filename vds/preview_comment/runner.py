"""Asks git which files a change touches, and pulumi what it would do."""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from errno import ENOENT
from pathlib import Path
from typing import Any

from components.core.untrusted import json_value
from components.stackfile.parsing import read_text, spec_data
from vds.preview_comment.config_copy import without_nodes
from vds.preview_comment.events import EventsError, Preview, read
from vds.preview_comment.masking import masked_text
from vds.shared import pulumi
from vds.shared.errors import OperationError

_GIT_SECONDS = 60
_PREVIEW_SECONDS = 1800
"""7 seconds for 700 resources (measured): this is for a backend that does not answer."""


@dataclass(frozen=True)
class Base:
    """What the change is compared with."""

    commit: str
    changed: tuple[str, ...]
    """Files that differ from it, committed or not, relative to the project."""


def base_of(name: str, project: Path) -> Base:
    """Where this branch left `name`, and what it has changed since. Raises OperationError without git's help."""
    errors = ""
    for candidate in (name, f"origin/{name}"):  # CI has no local branch of that name
        found = _git(project, "merge-base", candidate, "HEAD")
        errors = errors or found.stderr
        if found.returncode == 0:
            commit = found.stdout.strip()
            listed = _git(project, "diff", "--name-only", "--relative", "--no-renames", "-z", commit)
            errors = errors or listed.stderr
            if listed.returncode == 0:
                return Base(commit, tuple(file for file in listed.stdout.split("\0") if file))
    why = f" ({' '.join(errors.split())[:200]})" if errors.strip() else ""
    raise OperationError(
        f"--base {name}: git finds no common commit with it{why}: fetch it with its history (actions/checkout: "
        "fetch-depth: 0), or name another"
    )


def is_tracked(file: str, project: Path) -> bool:
    """Whether git knows the file, so that a diff would show it."""
    return _git(project, "ls-files", "--error-unmatch", "--", file).returncode == 0


def spec_at(commit: str, file: str, project: Path) -> Mapping[str, Any] | None:
    """The spec of a stack file at a commit; None where there was none, or none that can be read."""
    try:
        return spec_data(_text_at(commit, file, project), lambda name: _text_at(commit, name, project))
    except OSError:
        return None


def _text_at(commit: str, file: str, project: Path) -> str:
    shown = _git(project, "show", f"{commit}:./{file}")
    if shown.returncode:
        raise FileNotFoundError(ENOENT, "this file did not exist", file)
    return shown.stdout


def preview(stack: str, config_file: Path, project: Path, *, pack_config: Path | None = None) -> tuple[Preview, str]:
    """What the engine would do, and, where it did not even begin, why not.

    No node is read: a preview of a branch opens no connection to a machine, and its diff is the same.
    """
    with tempfile.TemporaryDirectory(prefix="vds-platform-preview-") as folder:
        events, config = Path(folder) / "events", Path(folder) / config_file.name
        # A copy: `--config` would write its value into the stack file.
        config.write_text(without_nodes(read_text(config_file)), encoding="utf-8")
        done = _pulumi(
            project,
            *pulumi.operation("preview", stack, "--color", "never"),
            *("--event-log", str(events), "--config-file", str(config)),
            *(("--policy-pack-config", str(pack_config)) if pack_config else ()),
        )
        try:
            lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
            found = read(lines)
        except EventsError as error:
            raise OperationError(f"stack {stack}: the engine's event log: {error}: update pulumi") from None
    if not lines:
        return found, _why_not(stack, done.stderr or done.stdout)
    return found, ""


def dependencies(stack: str, project: Path) -> Mapping[str, Sequence[str]]:
    """The dependencies of each resource in the state; empty if the state can't be read."""
    done = _pulumi(project, "stack", "export", "--stack", stack)
    try:
        resources = json_value(done.stdout, most=pulumi.LARGEST_STATE)["deployment"].get("resources") or []
        return {resource["urn"]: tuple(resource.get("dependencies") or ()) for resource in resources}
    except (ValueError, KeyError, TypeError):
        return {}


def _why_not(stack: str, output: str) -> str:
    known = pulumi.known_error(output)
    if known and known.no_preview:
        return known.no_preview
    text = masked_text(" ".join(output.split())[:300])
    raise OperationError(f"stack {stack}: pulumi preview did not begin: {text}{': ' + known.remedy if known else ''}")


def _pulumi(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The program is the change's own code: it must not get the tokens that can comment on the forge.
    inherited = {name: value for name, value in os.environ.items() if name not in ("GITHUB_TOKEN", "GITLAB_TOKEN")}
    environment = {
        **inherited,
        "PULUMI_DEBUG_COMMANDS": "true",  # where the engine's own automation API enables --event-log
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    return pulumi.run(*arguments, folder=project, seconds=_PREVIEW_SECONDS, environment=environment)


def _git(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_SECONDS,
        )
    except FileNotFoundError:
        raise OperationError("git is not on the PATH: install it, or add its folder to PATH") from None
    except subprocess.TimeoutExpired:
        raise OperationError(f"git did not end within {_GIT_SECONDS} s") from None
