"""Runs the pulumi CLI and explains its errors.

The lab runs its own engine in its own network namespace and keeps its own wrapper (lab/deploy.py). `operation`
makes the words there too.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from vds.shared.errors import OperationError

SECONDS = 60
"""For a command that only reads. It takes one second; a backend on the network needs more."""
LARGEST_STATE = 200_000_000
"""Characters of an exported state: a hundred times that of a stack with 1,000 resources."""


class EngineError(NamedTuple):
    """An error of the engine that a user can do something about."""

    pattern: str
    """Of the engine's output (3.259 and 3.272)."""
    remedy: str


_ERRORS = (
    EngineError("no stack named", "`pulumi stack ls` lists the stacks of this backend"),
    EngineError(
        "incorrect passphrase",
        "correct PULUMI_CONFIG_PASSPHRASE, or the file that PULUMI_CONFIG_PASSPHRASE_FILE names",
    ),
    EngineError(
        "passphrase",
        "set PULUMI_CONFIG_PASSPHRASE_FILE to the file that holds the stack's passphrase",
    ),
    EngineError(r"no Pulumi\.yaml", "run this in the project's folder"),
    EngineError("currently locked", "wait until that update ends; if it was killed, run `vds recover`"),
    EngineError("failed to load checkpoint", "the state file was cut short: run `vds recover`"),
    EngineError(
        "PULUMI_ACCESS_TOKEN",
        "run `pulumi login` for the backend of the stack, or set PULUMI_BACKEND_URL",
    ),
    EngineError(
        r"open(ing)? bucket",
        "check PULUMI_BACKEND_URL, and the credentials for it",
    ),
)
"""The first whose pattern is in the engine's output counts."""


def known_error(output: str) -> EngineError | None:
    """The error in the engine's output, if it is one that we know."""
    return next((error for error in _ERRORS if re.search(error.pattern, output)), None)


_USER = re.compile(r"://[^\s\"']*@")
"""User and password of a URL: the engine repeats that of its backend."""
PACK = "policies"
"""Folder of the policy pack, in the project."""
_JUDGED = ("preview", "up")
"""Operations that the engine takes a policy pack for. `destroy` and `refresh` have no such option."""


def operation(
    name: Literal["destroy", "preview", "refresh", "up"], stack: str, *more: str, pack: str = PACK
) -> list[str]:
    """The words of an operation, with the policy pack where the engine takes one. A self-managed backend adds no pack
    of its own: without the option the engine would enforce no policy."""
    return [name, "--stack", stack, *(("--policy-pack", pack) if name in _JUDGED else ()), *more]


def require_pack(words: Sequence[str]) -> None:
    """Raises ValueError for an operation that no policy would judge."""
    if words and words[0] in _JUDGED and "--policy-pack" not in words:
        raise ValueError(f"pulumi {words[0]} without the policy pack: make its words with operation()")


def run(
    *words: str,
    folder: Path | None = None,
    seconds: float = SECONDS,
    environment: Mapping[str, str] | None = None,
    given: str = "",
    judged: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run pulumi without questions; `given` is its standard input.

    `judged=False`: a preview that only describes what is there already. Raises OperationError if pulumi is not
    installed or does not end in time.
    """
    if judged:
        require_pack(words)
    try:
        with own_temporary_files(environment) as own:
            return subprocess.run(
                ["pulumi", "--non-interactive", *words],
                cwd=folder,
                env=own,
                input=given,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
            )
    except FileNotFoundError:
        raise _not_installed() from None
    except subprocess.TimeoutExpired:
        raise OperationError(
            f"`pulumi {words[0]}` did not end within {seconds:g} s: is the backend reachable?"
        ) from None


def output(stack: str, *words: str, folder: Path | None = None, seconds: float = SECONDS, remedy: str = "") -> str:
    """What pulumi prints. Raises OperationError if it fails; `remedy` is one more way out."""
    done = run(*words, folder=folder, seconds=seconds)
    if done.returncode:
        said = _USER.sub("://", " ".join(done.stderr.split()))
        text = said.removeprefix("error: ") or f"pulumi ended with {done.returncode}"
        known = known_error(text)
        remedies = "; or ".join(filter(None, [known.remedy if known else "", remedy]))
        raise OperationError(f"stack {stack}: {text[:500]}{': ' + remedies if remedies else ''}")
    return done.stdout


def ask_and_run(*words: str, quiet: bool = False) -> None:
    """Run pulumi at the terminal, with its own questions. `quiet` keeps its output off standard output.

    Raises OperationError if pulumi fails; it has printed the reason.
    """
    require_pack(words)
    try:
        with own_temporary_files() as own:
            done = subprocess.run(["pulumi", *words], stdout=sys.stderr if quiet else None, env=own)
    except FileNotFoundError:
        raise _not_installed() from None
    if done.returncode:
        raise OperationError(f"`pulumi {words[0]}` failed, see its output")


@contextmanager
def own_temporary_files(environment: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
    """The environment with a folder for temporary files, which is removed.

    pulumi-kubernetes writes the kubeconfig to a temporary file for Helm, and leaves it there (4.25).
    """
    with tempfile.TemporaryDirectory(prefix="vds-platform-") as folder:
        yield {**(os.environ if environment is None else environment), "TMPDIR": folder}


def _not_installed() -> OperationError:
    return OperationError("pulumi is not on the PATH: install it, or add its folder to PATH")
