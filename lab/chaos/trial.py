"""The lab while a fault is in it: updates in the background, the moment to strike, and what the user reads."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from components.core.untrusted import yaml_value
from components.stackfile.parsing import parse
from components.stackfile.spec import PlatformSpec
from lab import fabric, stack_file
from lab.asking import ssh
from lab.chaos import holdings
from lab.chaos.holdings import Holdings
from lab.cluster import Cluster
from lab.deploy import Deployment, Outcome
from lab.layout import CHECKOUT, OPERATOR, STACK, WORKERS, Host, Layout
from lab.machines import machine
from lab.processes import LabError, kill, members, wait_until
from lab.progress import Progress
from lab.tenants import registered
from lab.toolchain.build import Tools

Edit = Callable[[dict[str, Any]], None]
"""Changes a stack file's spec."""

_BEGIN_SECONDS = 240
_STEP_SECONDS = 600
_INTERRUPTS = 3
_INTERRUPT_SECONDS = 20
KEPT = "kept"
"""Name of everything that the runner puts into the tenant before the first fault."""
VOLUME = "/var/lib/chaos-kept"


class NotHereError(LabError):
    """This fault can't be made in this lab; the text says why."""


@dataclass
class Seen:
    """What the user saw of a fault."""

    exit_code: int | None = None
    """Of `pulumi up`; None if it had been killed."""
    message: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    """What was counted beside it."""


class Trial:
    """One fault's view of the lab. It runs on the operator's laptop: in the network namespace of that host."""

    def __init__(self, layout: Layout, tools: Tools, progress: Progress) -> None:
        self.layout = layout
        self.tools = tools
        self.progress = progress
        self.deployment = Deployment(layout, tools)
        self.kept: dict[str, Any] = {}
        """What `inject` leaves for `repair` and `put_back`."""

    @property
    def cluster(self) -> Cluster:
        """The API server as the kubeconfig of now names it."""
        return Cluster(self.layout.kubeconfig)

    def config_file(self, change: Edit | None) -> Path:
        """The lab's stack file with a change, if there is one."""
        if change is None:
            return self.deployment.config_file
        content = yaml_value(self.deployment.config_file.read_text())
        change(content["config"][stack_file.SPEC])
        file = self.layout.state / "Pulumi.chaos.yaml"
        file.write_text(yaml.safe_dump(content))
        return file

    def spec_of(self, change: Edit | None) -> PlatformSpec:
        """That stack file as the program reads it."""
        return parse(self._data(change), base_dir=CHECKOUT)

    def _data(self, change: Edit | None) -> dict[str, Any]:
        data: dict[str, Any] = yaml_value(self.config_file(change).read_text())["config"][stack_file.SPEC]
        return data

    def up(self, change: Edit | None = None, *words: str) -> Outcome:
        """`pulumi up` with the policy pack, to its end."""
        return self.deployment.run("up", *words, config_file=self.config_file(change), progress=self.progress)

    @contextlib.contextmanager
    def updating(self, change: Edit | None) -> Iterator[Future[Outcome]]:
        """`pulumi up` in the background. The body waits for it by `result`; an engine that is left is killed."""

        def run() -> Outcome:
            with fabric.inside(OPERATOR):
                return self.deployment.run("up", config_file=file)

        file = self.config_file(change)
        self.log.unlink(missing_ok=True)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(run)
            try:
                yield running
            except BaseException:
                kill("op")
                raise

    @property
    def log(self) -> Path:
        """The output of the update of now."""
        return self.layout.logs / "pulumi-up.log"

    def wait_for_step(self, running: Future[Outcome], number: int = 0, word: str = "") -> None:
        """Until the update has ended so many steps that change something; with `word`, has begun one that names it.

        Raises:
            LabError: the update ended before that.
        """
        deadline = time.monotonic() + _BEGIN_SECONDS + _STEP_SECONDS * bool(number)
        while not self._reached(number, word):
            if running.done() and not self._reached(number, word):
                raise LabError(f"the update ended before the fault:\n{running.result().diagnostics[-800:]}")
            if time.monotonic() > deadline:
                raise LabError("the update did not come to the step at which the fault is made")
            time.sleep(0.02)

    def interrupt(self, running: Future[Outcome]) -> None:
        """Ctrl-C, as often as the engine needs; at last it is killed."""
        for _ in range(_INTERRUPTS):
            for process in members("op"):
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{process}/comm").read_text().strip() == "pulumi":
                        os.kill(process, signal.SIGINT)
            with contextlib.suppress(TimeoutError):
                running.result(timeout=_INTERRUPT_SECONDS)
                return
        kill("op")

    def _reached(self, number: int, word: str) -> bool:
        if not self.log.exists():
            return False
        # The output has the preview first.
        _, _, update = self.log.read_text(errors="replace").partition("\nUpdating (")
        begun = re.findall(rf"^ .*{re.escape(word)}.* (?:creating|updating|deleting|created|updated)\b", update, re.M)
        ended = re.findall(r"^ .* (?:created|updated|deleted|replaced)\b", update, re.MULTILINE)
        return len(ended) >= number if number else bool(begun)

    def locks(self) -> list[Path]:
        """The stack's locks in the backend."""
        return list((self.layout.state / "pulumi" / ".pulumi" / "locks").rglob("*.json"))

    def state_file(self) -> Path:
        """The stack's state in the backend."""
        [file] = (self.layout.state / "pulumi" / ".pulumi" / "stacks").rglob(f"{STACK}.json")
        return file

    def recover(self) -> None:
        """`vds recover`."""
        self.deployment.recover()

    def holdings(self, change: Edit | None = None) -> Holdings:
        """What the platform has now."""
        words = ["--stack", STACK, "--show-secrets", "--json"]
        exported = [json.loads(self.deployment.quietly(["stack", "export", "--stack", STACK]))]
        exported += registered.states(self.deployment)
        outputs = json.loads(self.deployment.quietly(["stack", "output", *words]))
        config = json.loads(self.deployment.quietly(["config", *words]))
        found = holdings.read(self.layout, self.cluster, exported, outputs, config, self._data(change))
        done = ssh(self.layout, WORKERS[0].address, f"sha256sum <{VOLUME}/{KEPT}")
        return Holdings(**{**vars(found), "tenants": {**found.tenants, f"volume {VOLUME}": done.stdout.strip()}})

    def in_machine(self, host: Host, script: str) -> str:
        """Run a script in a machine, without SSH; its output. Raises LabError if it fails."""
        argv = machine.inside(self.layout, host, ["sh", "-c", script])
        done = subprocess.run(argv, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise LabError(f"{host.name}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def wait_for_api(self, seconds: float = 240) -> None:
        """Until the API server answers and every node of the lab's own stack file is Ready."""

        def good() -> bool:
            items = self.cluster.request("GET", "/api/v1/nodes")["items"]
            return bool(items) and all(holdings._node(item) == "ready" for item in items)

        wait_until(good, seconds, lambda: "not every node is Ready")

    @staticmethod
    def processes(host: Host, name: str) -> list[int]:
        """The machine's processes with this name, by this machine's numbers."""
        found = []
        for process in members(host.name):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{process}/comm").read_text().strip() == name[:15]:
                    found.append(process)
        return found


def seen(outcome: Outcome, **facts: Any) -> Seen:
    """What the user reads: the errors, without the lines that surround them."""
    return Seen(None if outcome.exit_code < 0 else outcome.exit_code, errors(outcome), facts)


def errors(outcome: Outcome) -> str:
    """Every error of an update, each once, without what only says that there were errors."""
    if outcome.exit_code == 0:
        return ""
    kept: dict[str, None] = {}
    ended = "Diagnostics:" in outcome.output or outcome.output.startswith("error: ")
    found = _errors(outcome.diagnostics) if ended else re.findall(r"error: (.*)", outcome.output)
    for text in found:
        if not re.fullmatch(r"(update|preview) failed|one or more .*", text):
            kept[text] = None
    return " | ".join(kept) or outcome.diagnostics


def _errors(text: str) -> Iterator[str]:
    """Each error with the lines that are indented below it, after the name of its resource."""
    current: list[str] = []
    indent, resource = 0, ""
    for line in [*text.splitlines(), ""]:
        if of := re.fullmatch(r"  (\S+) \((.+)\):", line):
            resource = "" if of[1] == "pulumi:pulumi:Stack" else f"{of[2]}: "
        begins = re.match(r"(\s*)error: ", line)
        inside = bool(line.strip()) and len(line) - len(line.lstrip()) >= max(indent, 1)
        if current and (begins or not inside):
            yield " ".join(" ".join(current).split())
            current = []
        if begins:
            indent = len(begins[1])
            current = [resource + line[begins.end() :]]
        elif current:
            current.append(line)
