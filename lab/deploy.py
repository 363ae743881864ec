"""Run the real Pulumi engine on the lab's stack, with the same program and policy pack as in production.

The committed `Pulumi.lab.yaml` is never changed. A copy in `.lab` gets the lab's own values and secrets.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lab import plugins, stack_file
from lab.layout import CHECKOUT, STACK, Layout
from lab.processes import LabError, command, ending_with_us
from lab.progress import Progress
from lab.toolchain.build import Tools
from vds.shared import pulumi

PROJECT = "vds-platform"
_NOISE = re.compile(r"warning: using pulumi-\S+ from \$PATH")
_STOP_SECONDS = 60  # time for an interrupted engine to cancel its work and write its state


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
        return self.exit_code == 0 and set(self.changes) <= {"read", "same"}


class Deployment:
    """The stack `lab` with its backend, plugins and secrets, all of them under `.lab`."""

    def __init__(self, layout: Layout, tools: Tools, *, project: Path = CHECKOUT) -> None:
        self.layout = layout
        self.project = project
        self.engine = tools.path("pulumi")
        self.tools = tools
        self._programs = layout.state / "bin"

    @property
    def config_file(self) -> Path:
        """The stack's configuration, with what this lab has made and with its secrets."""
        return self.layout.state / f"Pulumi.{STACK}.yaml"

    def environment(self) -> dict[str, str]:
        """The operator's environment: own home, own backend, the lab's authority, kubectl and helm on the PATH."""
        helm = self.layout.state / "helm"
        own = [self._programs, self.engine.parent, self.tools.path("kubectl").parent, self.tools.path("helm").parent]
        return {
            **os.environ,
            "PATH": os.pathsep.join([*map(str, own), os.environ["PATH"]]),
            "KUBECONFIG": str(self.layout.kubeconfig),
            "SSL_CERT_FILE": str(self.layout.authority),
            "HELM_CACHE_HOME": str(helm / "cache"),
            "HELM_CONFIG_HOME": str(helm / "config"),
            "HELM_DATA_HOME": str(helm / "data"),
            "PULUMI_HOME": str(self.layout.state / "pulumi" / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.layout.state / 'pulumi'}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.layout.state / "pulumi" / "passphrase"),
            "PULUMI_DEBUG_COMMANDS": "true",  # the engine's Automation API enables --event-log in this way
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

    def prepare(self) -> dict[str, plugins.Plugin]:
        """Make the backend, the stack and its secrets where they are missing; return the plugins in use."""
        home = self.layout.state / "pulumi" / "home"
        home.mkdir(parents=True, exist_ok=True)
        # The engine has its own home for the backend's login, and uses plugins that are installed already.
        users = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
        if users.is_dir() and not (home / "plugins").exists():
            (home / "plugins").symlink_to(users)
        provider = self.tools.path(plugins.KUBERNETES)
        version = self.tools.version(plugins.KUBERNETES)
        used = plugins.provide(self._programs, built=provider, version=version)
        passphrase = home.parent / "passphrase"
        if not passphrase.exists():
            passphrase.touch(mode=0o600)
            passphrase.write_text(secrets.token_urlsafe(24))
        self._configure()
        return used

    def _configure(self) -> None:
        source = stack_file.filled(self.layout)
        values = stack_file.secret_values(self.layout)
        mark = self.layout.state / "pulumi" / "configured-from.yaml"
        key = source + hashlib.sha256("".join(values.values()).encode()).hexdigest()
        if mark.exists() and mark.read_text() == key:
            return
        salt = encryption_salt(self.config_file)
        self.config_file.write_text(source + salt)
        # A project of the same name in `.lab`, so that `stack init` and `config set` write there.
        (self.layout.state / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
        if not list((self.layout.state / "pulumi" / ".pulumi" / "stacks").rglob(f"{STACK}.json")):
            self.quietly(["stack", "init", STACK, "--no-select"])
        for name, value in values.items():
            arguments = ["config", "set", "--stack", STACK, "--secret", "--raw", f"{PROJECT}:{name}"]
            self.quietly(arguments, value.encode())
        mark.touch(mode=0o600)
        mark.write_text(key)

    def write_kubeconfig(self) -> None:
        """Put the administrator's kubeconfig, an output of the stack, where kubectl looks for it."""
        text = self.quietly(["stack", "output", "--stack", STACK, "--show-secrets", "kubeconfig"])
        self.layout.kubeconfig.touch(mode=0o600)
        self.layout.kubeconfig.write_text(text)

    def quietly(
        self,
        arguments: Sequence[str],
        stdin: bytes = b"",
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run the engine without its plugins; what it prints. Raises LabError if it fails."""
        done = subprocess.run(
            [self.engine, "--non-interactive", *arguments],
            cwd=folder or self.layout.state,
            env=environment or self.environment(),
            input=stdin,
            capture_output=True,
        )
        if done.returncode:
            raise LabError(f"pulumi {arguments[0]} {arguments[1]} failed: {done.stderr.decode().strip()}")
        return done.stdout.decode()

    def run(
        self,
        operation: Literal["destroy", "preview", "refresh", "up"],
        *arguments: str,
        config_file: Path | None = None,
        show: bool = False,
        progress: Progress | None = None,
    ) -> Outcome:
        """One engine operation; its output goes to a log, with `show` to the screen, the last line to `progress`."""
        words = pulumi.operation(operation, STACK, pack=str(CHECKOUT / pulumi.PACK))
        words += ["--config-file", str(config_file or self.config_file)]
        # `up` previews first: policies on the whole stack run only at the end and must stop it before any change.
        words += ["--yes"] if operation in ("up", "destroy", "refresh") else []
        words += ["--skip-preview"] if operation in ("destroy", "refresh") else []
        words += ["--continue-on-error"] if operation in ("up", "destroy") else []  # one node must not stop the others
        events = self.layout.state / "pulumi" / f"{operation}.events"
        log = self.layout.logs / f"pulumi-{operation}.log"
        return self.engine_run(
            [*words, *arguments], self.project, self.environment(), events, log, show=show, progress=progress
        )

    def engine_run(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        events: Path,
        log: Path,
        *,
        show: bool = False,
        progress: Progress | None = None,
    ) -> Outcome:
        """Run the engine in the folder of any project; its output goes to `log`, its events to the file `events`."""
        events.unlink(missing_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        more = ["--non-interactive", "--event-log", str(events), "--color", "never"]
        lines: list[str] = []
        with contextlib.ExitStack() as until_the_end:
            process = subprocess.Popen(
                command([str(self.engine), *words, *more], part="op", resolver=self.layout.resolver),
                cwd=folder,
                env=until_the_end.enter_context(pulumi.own_temporary_files(environment)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            out = until_the_end.enter_context(log.open("w", buffering=1))
            until_the_end.enter_context(ending_with_us(process, by=signal.SIGINT, seconds=_STOP_SECONDS))
            for line in process.stdout or ():
                out.write(line)
                if _NOISE.search(line):  # the report has it once; the engine prints it six times
                    continue
                lines.append(line)
                if progress and line.strip():
                    progress.detail(line.strip())
                if show:
                    print(line, end="", flush=True)
            exit_code = process.wait()
        return read_outcome(exit_code, events, "".join(lines))

    def recover(self) -> None:
        """Undo what a killed run left, with the command that an operator runs."""
        words = ["recover", "--stack", STACK, "--config-file", str(self.config_file)]
        done = self.vds(words, self.project, self.environment())
        if done.returncode:
            raise LabError(
                f"the stack's state could not be recovered: {done.stderr.strip()}; run: make down && make up"
            )

    def vds(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """A `vds` command on the operator laptop."""
        argv = command([sys.executable, "-m", "vds", *words], part="op", resolver=self.layout.resolver)
        return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True)


def encryption_salt(config_file: Path) -> str:
    """The line by which the stack's passphrase was made into its key; empty where there is no file yet."""
    lines = config_file.read_text().splitlines() if config_file.exists() else []
    return "".join(f"{line}\n" for line in lines if line.startswith("encryptionsalt:"))


def read_outcome(exit_code: int, events: Path, output: str) -> Outcome:
    """What an engine's event log says of its run."""
    outcome = Outcome(exit_code, output=output)
    for line in events.read_text().splitlines() if events.exists() else []:
        try:
            event = json.loads(line)
        except ValueError:  # the engine was killed while it wrote the last line
            continue
        if summary := event.get("summaryEvent"):
            outcome.changes = dict(summary.get("resourceChanges") or {})
            packs = summary.get("PolicyPacks") or summary.get("policyPacks") or {}  # name in engine 3.259
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
