"""Runs the engine on the base and on the change, with a state of its own that is thrown away.

The engine gets no secret: no backend, no passphrase, no key and no kubeconfig. What runs may be a stranger's.
"""

import json
import os
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.names import PROJECT
from components.core.untrusted import json_value
from vds.preview_comment import stored_state
from vds.preview_comment.base_state import deployment
from vds.preview_comment.config_copy import public_copy
from vds.preview_comment.events import EventsError, Preview, read
from vds.preview_comment.masking import masked_message
from vds.shared import pulumi
from vds.shared.errors import OperationError

_PREVIEW_SECONDS = 1800
"""5 seconds for 120 resources (measured): this is for a chart repository that does not answer."""
_INHERITED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "XDG_CACHE_HOME"),
    *(
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
    ),
    *("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_REGISTRY_CONFIG"),
)
"""The only variables that reach the engine and the program: a token has another name."""


_PLAN = "the engine's plan"


@dataclass(frozen=True)
class Side:
    """A project in a folder, and the text of the stack file that it is previewed with."""

    folder: Path
    text: str


@dataclass(frozen=True)
class Compared:
    """What the engine would do to turn one side into the other."""

    preview: Preview
    dependencies: Mapping[str, Sequence[str]]
    """URN → URNs of what it was made from, before the change."""
    unknown_base: str = ""
    """Why everything is new: the base itself has no preview."""


def compare(stack: str, before: Side | None, after: Side, *, pack: Path, pack_config: Path | None = None) -> Compared:
    """Preview `after` on the state that `before` describes; without it on an empty one. `pack` judges.

    Raises OperationError: the engine is not there or did not begin.
    """
    with tempfile.TemporaryDirectory(prefix="vds-platform-preview-") as folder:
        engine = _Engine(stack, Path(folder))
        found, why = engine.describe(before) if before else (None, "")
        if found:
            engine.begin_with(found)
        resources = found["deployment"]["resources"] if found else []
        made_from = {one["urn"]: tuple(one.get("dependencies") or ()) for one in resources}
        return Compared(engine.preview(after, pack, pack_config), made_from, why)


class _Engine:
    def __init__(self, stack: str, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        for name in ("state", "home", "project"):
            (folder / name).mkdir()
        # Plugins that are installed already; the login of the user stays where it is.
        plugins = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
        if plugins.is_dir():
            (folder / "home" / "plugins").symlink_to(plugins)
        self._environment = {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": secrets.token_urlsafe(24),
            "PULUMI_DEBUG_COMMANDS": "true",  # where the engine's own automation API enables --event-log
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # What the policies judge is where the state really is.
            "VDS_STATE_BACKEND": os.environ.get("PULUMI_BACKEND_URL", ""),
        }
        # `stack init` writes into the stack file of the folder where it runs.
        (folder / "project" / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n", encoding="utf-8")
        self._must("stack", "init", stack, "--no-select")
        own = (folder / "project" / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
        self._salt = next(line for line in own.splitlines() if line.startswith("encryptionsalt:"))
        self.salt = self._salt.partition(":")[2].strip()

    def describe(self, side: Side) -> tuple[Mapping[str, Any] | None, str]:
        """The state that a side describes; or why there is none."""
        plan, why = self.plan(side)
        return (_formed(self._stack, lambda: deployment(plan, self.salt), _PLAN) if plan else None), why

    def plan(self, side: Side) -> tuple[Mapping[str, Any] | None, str]:
        """The engine's plan of creating what a side describes; or why there is none."""
        file = self._folder / "plan.json"
        words = ("preview", "--stack", self._stack, "--save-plan", str(file), "--show-secrets=true")
        done = self._run(side, *words)  # not judged: it is what the base has already
        if done.returncode or not file.exists():
            return None, _why(done)
        text = file.read_text(encoding="utf-8")
        return _formed(self._stack, lambda: json_value(text, most=pulumi.LARGEST_STATE), _PLAN), ""

    def begin_with(self, state: Mapping[str, Any]) -> None:
        """Make this the stack's state."""
        file = self._folder / "state.json"
        file.write_text(json.dumps(state), encoding="utf-8")
        self._must("stack", "import", "--stack", self._stack, "--file", str(file))

    def preview(self, side: Side, pack: Path, pack_config: Path | None) -> Preview:
        """What the engine would do, judged by the pack."""
        events = self._folder / "events.jsonl"
        more = ("--policy-pack-config", str(pack_config.resolve())) if pack_config else ()
        words = pulumi.operation("preview", self._stack, "--event-log", str(events), *more, pack=str(pack))
        done = self._run(side, *words)
        try:
            lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
            found = read(lines)
        except EventsError as error:
            raise OperationError(f"stack {self._stack}: the engine's event log: {error}: update pulumi") from None
        if not lines:
            raise OperationError(f"stack {self._stack}: pulumi preview did not begin: {_why(done)}")
        return found

    def _run(self, side: Side, *words: str) -> subprocess.CompletedProcess[str]:
        config = self._folder / f"Pulumi.{self._stack}.yaml"
        config.write_text(f"{public_copy(side.text).rstrip()}\n{self._salt}\n", encoding="utf-8")
        return pulumi.run(
            *(*words, "--color", "never", "--config-file", str(config)),
            folder=side.folder,
            seconds=_PREVIEW_SECONDS,
            environment=self._environment,
            judged="--save-plan" not in words,
        )

    def _must(self, *words: str) -> None:
        project = self._folder / "project"
        done = pulumi.run(*words, folder=project, seconds=pulumi.SECONDS, environment=self._environment)
        if done.returncode:
            raise OperationError(f"stack {self._stack}: pulumi {' '.join(words[:2])} failed: {_why(done)}")


def compare_state(
    stack: str, exported: Mapping[str, Any], after: Side, *, pack: Path, pack_config: Path | None = None
) -> Compared:
    """Preview `after` on the state that `pulumi stack export` printed. Its secrets are not compared.

    Raises OperationError: the engine is not there, did not begin, or the description has no preview.
    """
    with tempfile.TemporaryDirectory(prefix="vds-platform-preview-") as folder:
        engine = _Engine(stack, Path(folder))
        plan, why = engine.plan(after)
        if plan is None:
            raise OperationError(f"stack {stack}: its description has no preview: {why}")
        state = _formed(stack, lambda: stored_state.deployment(exported, plan, engine.salt), "its state")
        engine.begin_with(state)
        made_from = {one["urn"]: tuple(one.get("dependencies") or ()) for one in state["deployment"]["resources"]}
        return Compared(engine.preview(after, pack, pack_config), made_from)


def _formed(stack: str, make: Callable[[], dict[str, Any]], what: str) -> dict[str, Any]:
    try:
        return make()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OperationError(
            f"stack {stack}: {what} can't be read ({type(error).__name__}): update this tool"
        ) from None


def _why(done: subprocess.CompletedProcess[str]) -> str:
    """The engine's own reason; its last lines if it names none."""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line] or lines[-3:]
    return masked_message(" ".join(errors)[:500])
