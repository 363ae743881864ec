"""Run the real Pulumi engine on the lab's stack: the same program and policy pack as production.

The committed `Pulumi.lab.yaml` is never written to: a copy in `.lab` gets this lab's two secrets.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import plugins
from lab.layout import CHECKOUT, Layout
from lab.processes import LabError, command, ending_with_us
from lab.toolchain.build import Tools

STACK = "lab"
PROJECT = "vds-platform"
_NOISE = re.compile(r"warning: using pulumi-\S+ from \$PATH")
_SECRETS = ("kubeconfig", "sshPrivateKey")
_STOP_SECONDS = 60  # how long an interrupted engine may take to cancel what it does and write its state


@dataclass
class Outcome:
    """What one engine run did, read from the engine's own event log."""

    exit_code: int
    changes: dict[str, int] = field(default_factory=dict)
    policy_packs: dict[str, str] = field(default_factory=dict)
    policies_passed: set[str] = field(default_factory=set)
    violations: list[dict[str, str]] = field(default_factory=list)
    output: str = ""

    @property
    def diagnostics(self) -> str:
        """The part of the output that says what went wrong: diagnostics and policy violations, no stack outputs."""
        parts = re.split(r"^(?=\S)", self.output, flags=re.MULTILINE)
        kept = [part.rstrip() for part in parts if part.startswith(("Diagnostics:", "Policies:", "error:"))]
        return "\n".join(kept) or self.output.strip()

    @property
    def unchanged(self) -> bool:
        """Whether every resource was reported as it was."""
        return self.exit_code == 0 and set(self.changes) <= {"same"}


class Deployment:
    """The stack `lab` with its backend, plugins and secrets, all of them under `.lab`."""

    def __init__(self, layout: Layout, tools: Tools, *, project: Path = CHECKOUT, stand_ins_only: bool = False) -> None:
        """`stand_ins_only` uses no official plugin even where there is one."""
        self.layout = layout
        self.project = project
        self._stand_ins_only = stand_ins_only
        self.engine = tools.path("pulumi")
        self._programs = layout.state / "bin"

    @property
    def config_file(self) -> Path:
        """The stack's configuration with this lab's secrets in it."""
        return self.layout.state / f"Pulumi.{STACK}.yaml"

    def environment(self) -> dict[str, str]:
        """The engine's environment: own home, own backend, no look-ups on the network."""
        path = os.pathsep.join([str(self._programs), str(self.engine.parent), os.environ["PATH"]])
        return {
            **os.environ,
            "PATH": path,
            "PULUMI_HOME": str(self.layout.state / "pulumi" / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.layout.state / 'pulumi'}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.layout.state / "pulumi" / "passphrase"),
            "PULUMI_DEBUG_COMMANDS": "true",  # where the engine's own automation API enables --event-log
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

    def prepare(self) -> dict[str, plugins.Plugin]:
        """Make the backend, the stack and its secrets where they are missing; return the plugins in use."""
        home = self.layout.state / "pulumi" / "home"
        home.mkdir(parents=True, exist_ok=True)
        # The engine gets a home of its own, for its backend's login; plugins that are installed already are used.
        users = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
        if users.is_dir() and not (home / "plugins").exists():
            (home / "plugins").symlink_to(users)
        missing = plugins.BINARIES if self._stand_ins_only else None
        used = plugins.official() | plugins.install(self._programs, missing=missing)
        passphrase = home.parent / "passphrase"
        if not passphrase.exists():
            passphrase.touch(mode=0o600)
            passphrase.write_text(secrets.token_urlsafe(24))
        self._configure()
        return used

    def _configure(self) -> None:
        source = (CHECKOUT / f"Pulumi.{STACK}.yaml").read_text()
        mark = self.layout.state / "pulumi" / "configured-from.yaml"
        if mark.exists() and mark.read_text() == source:
            return
        shutil.copyfile(CHECKOUT / f"Pulumi.{STACK}.yaml", self.config_file)
        # A project of the same name in `.lab`, so that `stack init` and `config set` write there.
        (self.layout.state / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
        if not list((self.layout.state / "pulumi" / ".pulumi" / "stacks").rglob(f"{STACK}.json")):
            self._quietly(["stack", "init", STACK, "--no-select"])
        values = {"kubeconfig": self.layout.kubeconfig, "sshPrivateKey": self.layout.ssh_key}
        for name in _SECRETS:
            self._quietly(
                ["config", "set", "--stack", STACK, "--secret", "--raw", f"{PROJECT}:{name}"],
                values[name].read_bytes(),
            )
        mark.write_text(source)

    def _quietly(self, arguments: Sequence[str], stdin: bytes = b"") -> None:
        done = subprocess.run(
            [self.engine, "--non-interactive", *arguments],
            cwd=self.layout.state,
            env=self.environment(),
            input=stdin,
            capture_output=True,
        )
        if done.returncode:
            raise LabError(f"pulumi {arguments[0]} {arguments[1]} failed: {done.stderr.decode().strip()}")

    def run(self, operation: str, *arguments: str, config_file: Path | None = None, show: bool = False) -> Outcome:
        """One engine operation; its output goes to a log, and with `show` to the screen."""
        events = self.layout.state / "pulumi" / f"{operation}.events"
        events.unlink(missing_ok=True)
        log = self.layout.logs / f"pulumi-{operation}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        argv = [
            str(self.engine),
            operation,
            "--stack",
            STACK,
            "--non-interactive",
            "--event-log",
            str(events),
        ]
        argv += ["--config-file", str(config_file or self.config_file), "--color", "never"]
        # An up previews first: policies on the whole stack only run at the end, and must stop it before any change.
        argv += ["--yes"] if operation in ("up", "destroy", "refresh") else []
        argv += ["--skip-preview"] if operation in ("destroy", "refresh") else []
        argv += ["--continue-on-error"] if operation in ("up", "destroy") else []  # one node must not hold up others
        argv += ["--policy-pack", str(CHECKOUT / "policies")] if operation in ("up", "preview") else []
        process = subprocess.Popen(
            command([*argv, *arguments], part="op"),
            cwd=self.project,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: list[str] = []
        with log.open("w") as out, ending_with_us(process, by=signal.SIGINT, seconds=_STOP_SECONDS):
            for line in process.stdout or ():
                out.write(line)
                if _NOISE.search(line):  # said once, by the report, and not six times in a run
                    continue
                lines.append(line)
                if show:
                    print(line, end="", flush=True)
        return read_outcome(process.wait(), events, "".join(lines))

    def recover(self) -> None:
        """Undo what a killed run left: its lock, and creates of which the state does not know how they ended."""
        restore_checkpoint(self.layout.state / "pulumi" / ".pulumi" / "stacks")
        if list((self.layout.state / "pulumi" / ".pulumi" / "locks").rglob("*.json")):
            self._quietly(["cancel", "--stack", STACK, "--yes"])
        exported = subprocess.run(
            [self.engine, "--non-interactive", "stack", "export", "--stack", STACK],
            cwd=self.layout.state,
            env=self.environment(),
            capture_output=True,
        )
        state = json.loads(exported.stdout or "{}")
        if not (state.get("deployment") or {}).get("pending_operations"):
            return
        resolve_pending(state["deployment"])
        self._quietly(["stack", "import", "--stack", STACK], json.dumps(state).encode())
        outcome = self.run("refresh")
        if outcome.exit_code:
            raise LabError(
                f"the stack's state could not be recovered:\n{outcome.diagnostics}\nrun: make down && make up"
            )


def restore_checkpoint(stacks: Path) -> None:
    """Put back the backup of a checkpoint that was cut short: the engine writes it in place.

    Nothing is lost by that: every step is written down before it begins, so what a lost write says has ended is in
    the backup as begun. What the backend notes beside a file (`.attrs`: its hash, its type) may be missing, and must
    not be half there.
    """
    for notes in stacks.rglob("*.attrs"):
        try:
            json.loads(notes.read_text())
        except ValueError:
            notes.unlink()
    for file in stacks.rglob(f"{STACK}.json"):
        try:
            json.loads(file.read_text())
        except ValueError:
            backup = file.with_name(f"{file.name}.bak")
            if not backup.exists():
                raise LabError(f"{file} is cut short and has no backup; run: make down && make up") from None
            shutil.copyfile(backup, file)


def resolve_pending(deployment: dict[str, Any]) -> None:
    """Take every object whose create was cut short for made; the refresh that follows drops what is not there.

    What has no name to find it by, a node's command, is left out: its script may run twice. (The engine's own
    `refresh --import-pending-creates` forgets the resources that it should take over, seen with 3.259.)
    """
    for operation in deployment.pop("pending_operations"):
        resource = operation["resource"]
        if operation["type"] == "creating" and (identity := _kubernetes_identity(resource)):
            deployment["resources"].append({**resource, "id": identity, "outputs": resource["inputs"]})


def _kubernetes_identity(resource: dict[str, Any]) -> str | None:
    """The provider's id of an object whose create was cut short; None where it can only be made again."""
    meta = (resource.get("inputs") or {}).get("metadata") or {}
    if not str(resource["type"]).startswith("kubernetes:") or not meta.get("name"):
        return None
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def read_outcome(exit_code: int, events: Path, output: str) -> Outcome:
    """What an engine's event log says of its run."""
    outcome = Outcome(exit_code, output=output)
    for line in events.read_text().splitlines() if events.exists() else []:
        event = json.loads(line)
        if summary := event.get("summaryEvent"):
            outcome.changes = dict(summary.get("resourceChanges") or {})
            packs = summary.get("PolicyPacks") or summary.get("policyPacks") or {}  # spelt so by engine 3.259
            outcome.policy_packs = {name.split("|")[0]: version for name, version in packs.items()}
        for kind in ("policyAnalyzeSummaryEvent", "policyAnalyzeStackSummaryEvent"):
            outcome.policies_passed |= set((event.get(kind) or {}).get("passed") or ())
        if policy := event.get("policyEvent"):
            outcome.violations.append(
                {
                    "policy": policy["policyName"],
                    "level": policy["enforcementLevel"],
                    "resource": policy.get("resourceUrn", ""),
                    "message": policy["message"],
                }
            )
    return outcome
