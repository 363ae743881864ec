"""Faults on the operator's side: the engine, its locks, and the backend that keeps its state."""

import shutil
import subprocess
from pathlib import Path

from lab import data_center, fabric, session, supplies
from lab.chaos import changes
from lab.chaos.runner import Fault
from lab.chaos.trial import Seen, Trial, seen
from lab.deploy import Outcome
from lab.layout import OPERATOR
from lab.processes import LabError, kill, wait_until
from lab.tenants import registered

_SPARE_BYTES = 32 << 20
_KILL_EACH = 10
_SAYS_SECONDS = 300
_MOST_KILLS = 40


def _lock_is_stale(trial: Trial) -> Seen:
    with trial.updating(changes.edge) as running:
        trial.wait_for_step(running, 3)
        kill("op")
        running.result()
    if not trial.locks():
        raise LabError("the killed update left no lock")
    return seen(trial.up(changes.edge))


def _state_is_cut(trial: Trial) -> Seen:
    file = trial.state_file()
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    return seen(trial.up(changes.edge))


def _two_operators(trial: Trial) -> Seen:
    with trial.updating(changes.edge) as running:
        wait_until(lambda: bool(trial.locks()), 60, lambda: "the first update took no lock")
        second = _second(trial, "up", "--yes")
        try:
            trial.recover()
        except LabError as error:
            refused = str(error)
        else:
            raise LabError("`vds recover` took the lock of an update that runs")
        first = running.result()
    if first.exit_code:
        raise LabError(f"the first update failed: {first.diagnostics[-800:]}")
    if "wait until that update ends" not in refused:
        raise LabError(f"`vds recover` was not refused for the lock: {refused}")
    return seen(second, **{"first update": "exit code 0", "vds recover": "refused"})


def _second(trial: Trial, *words: str) -> Outcome:
    """An update of a second operator, in a terminal of his own."""
    argv = [str(trial.deployment.engine), "--non-interactive", *words, "--stack", "lab", "--color", "never"]
    argv += ["--config-file", str(trial.deployment.config_file), "--policy-pack", "policies"]
    done = subprocess.run(
        argv, cwd=trial.deployment.project, env=trial.deployment.environment(), capture_output=True, text=True
    )
    return Outcome(done.returncode, output=done.stdout + done.stderr)


def _backend_is_full(trial: Trial) -> Seen:
    """A file system of memory, a little larger than the backend, in its place; full once the update has begun."""
    backend = trial.layout.state / "pulumi" / ".pulumi"
    aside = backend.with_name("backend-on-disk")
    used = sum(file.stat().st_size for file in backend.rglob("*") if file.is_file())
    shutil.copytree(backend, aside)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={used + _SPARE_BYTES}", "tmpfs", str(backend)], check=True)
    shutil.copytree(aside, backend, dirs_exist_ok=True)
    with trial.updating(changes.edge) as running:
        trial.wait_for_step(running, 2)
        _fill(backend / "ballast")
        # The engine tries each write for a minute and more, and says so; an operator does not wait for that.
        said = lambda: running.done() or "no space left" in trial.log.read_text()  # noqa: E731
        wait_until(said, _SAYS_SECONDS, lambda: "the engine does not say that the disk is full")
        trial.interrupt(running)
        outcome = running.result()
    return seen(outcome)


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as out:
        try:
            while out.write(bytes(64 << 10)):
                pass
        except OSError:  # full
            pass


def _make_space(trial: Trial) -> None:
    (trial.layout.state / "pulumi" / ".pulumi" / "ballast").unlink(missing_ok=True)
    trial.recover()


def _backend_on_disk(trial: Trial) -> None:
    """What the small file system holds goes to the disk: the state that the update has written, whole or not."""
    backend = trial.layout.state / "pulumi" / ".pulumi"
    if not backend.is_mount():
        return
    (backend / "ballast").unlink(missing_ok=True)
    aside = backend.with_name("backend-now")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(backend, aside)
    subprocess.run(["umount", str(backend)], check=True)
    shutil.rmtree(backend)
    aside.rename(backend)
    shutil.rmtree(backend.with_name("backend-on-disk"), ignore_errors=True)


def _killed_again_and_again(trial: Trial) -> Seen:
    """From bare machines to the platform, killed after every tenth step that changes something."""
    layout, kills, steps = trial.layout, 0, 0
    session.remove(layout)
    session.claim(layout)
    supplies.ensure(layout, trial.tools, trial.progress)
    data_center.ensure(layout, trial.progress)
    with fabric.inside(OPERATOR):  # of the new network
        while kills < _MOST_KILLS:
            trial.deployment.prepare()
            trial.recover()
            with trial.updating(None) as running:
                try:
                    trial.wait_for_step(running, _KILL_EACH)
                except LabError:
                    outcome = running.result()
                    if outcome.exit_code:
                        raise
                    break
                kill("op")
                running.result()
            kills, steps = kills + 1, steps + _KILL_EACH
            trial.progress.detail(f"killed {kills} times")
        else:
            raise LabError(f"not done after {kills} kills")
        trial.deployment.write_kubeconfig()
        registered.ensure(trial.deployment, trial.progress)
    return Seen(None, "", {"kills": kills, "steps before the last kill": steps})


def _recover(trial: Trial) -> None:
    trial.recover()


FAULTS = (
    Fault(
        "cli-killed",
        "the CLI is killed after every tenth step, from bare machines on, and resumed with `vds recover`",
        inject=_killed_again_and_again,
        replaces=True,
    ),
    Fault(
        "stale-lock",
        "an update is killed and leaves its lock in the backend",
        inject=_lock_is_stale,
        repair=_recover,
        put_back=_recover,
        change=changes.edge,
        says=("currently locked", "pulumi cancel"),
    ),
    Fault(
        "state-truncated",
        "the state file is cut to its half",
        inject=_state_is_cut,
        repair=_recover,
        put_back=_recover,
        change=changes.edge,
        says=("failed to load checkpoint",),
    ),
    Fault(
        "two-operators",
        "two operators run `pulumi up` at once",
        inject=_two_operators,
        change=changes.edge,
        says=("currently locked", "wait for the other process"),
    ),
    Fault(
        "backend-full",
        "the disk of the state backend is full in mid-update; then Ctrl-C",
        inject=_backend_is_full,
        repair=_make_space,
        put_back=_backend_on_disk,
        change=changes.edge,
        says=("no space left on device",),
    ),
)
