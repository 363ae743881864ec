"""Runs Helm: where it is found, and what it says.

The only module of `components` that starts a process. Helm gets private folders, so no plugin, repository list or
setting of the user changes a result; logins to registries are the user's own.
"""

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from components.core.versions import parse

SECONDS = 60
"""Time limit of one rendering; Cilium's chart takes 0.1 s."""
PULL_SECONDS = 120
"""Time limit of one download."""
LARGEST_BYTES = 32_000_000
"""Largest output of one rendering; Cilium's has 70 kB, and Helm itself can store 1 MB of a release."""
_LONGEST_ERROR = 64_000


class Answer(NamedTuple):
    """What a run of Helm gave."""

    code: int
    output: bytes
    error: str


class HelmMissingError(Exception):
    """There is no Helm, or it can't be run. The text says why."""


class HelmTimeoutError(Exception):
    """Helm did not end in time, or its output was too large. The text says which."""


def cache_folder() -> Path:
    """Where everything that can be made again is kept, by XDG's rule."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "vds-platform"


def project_folders() -> list[Path]:
    """Where a path of a program may begin: the working directory; for a policy pack, which the engine starts in its own
    folder, also the folder around it and the one where Pulumi was started."""
    here = Path.cwd()
    if not (here / "PulumiPolicy.yaml").exists():
        return [here]
    return [here.parent, *([Path(started)] if (started := os.environ.get("PWD")) else [])]


def find() -> Path:
    """Helm from the PATH, else from VDS_HELM, else the newest that `make tools` has built.

    Raises HelmMissingError.
    """
    if found := shutil.which("helm"):
        return Path(found)
    if named := os.environ.get("VDS_HELM"):
        if os.access(named, os.X_OK):
            return Path(named)
        raise HelmMissingError(f"VDS_HELM is {named}, which is no program")
    built = [file for file in cache_folder().glob("tools/helm-*/helm") if os.access(file, os.X_OK)]
    if not built:
        raise HelmMissingError("helm is neither on the PATH nor named by VDS_HELM")
    return max(built, key=lambda file: parse(_version_in(file.parent.name)))


def identity(helm: Path) -> str:
    """Changes when another Helm is used."""
    about = helm.resolve().stat()
    return f"{helm.resolve()} {about.st_size} {about.st_mtime_ns}"


def run(
    helm: Path,
    arguments: Sequence[str],
    *,
    given: str = "",
    seconds: float = SECONDS,
    zone: str = "UTC",
    later: float = 0,
) -> Answer:
    """Run Helm with `given` on standard input and `zone` as time zone, `later` seconds from now.

    Raises HelmMissingError, HelmTimeoutError.
    """
    time.sleep(later)
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr, tempfile.TemporaryDirectory() as home:
        stdin.write(given.encode())  # a file without a name: values may be secret
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                [str(helm), *arguments],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**_environment(home), "TZ": zone},
                cwd="/",  # a chart's name must not find a folder that happens to be here
            )
        except OSError as error:
            raise HelmMissingError(f"{helm} can't be run ({error.strerror})") from None
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            output = process.stdout.read(LARGEST_BYTES + 1) if process.stdout else b""
            if len(output) > LARGEST_BYTES:
                process.kill()
            process.wait()
        finally:
            timer.cancel()
            process.kill()  # does nothing to one that has ended
            process.communicate()
        if late.is_set():
            raise HelmTimeoutError(f"helm {arguments[0]} did not end within {seconds:g} s")
        if len(output) > LARGEST_BYTES:
            raise HelmTimeoutError(f"helm {arguments[0]} wrote more than {LARGEST_BYTES} bytes")
        stderr.seek(0)
        return Answer(process.returncode, output, stderr.read(_LONGEST_ERROR).decode(errors="replace"))


def _environment(home: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HELM_") and name != "KUBECONFIG"}
    private = {f"HELM_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CACHE", "CONFIG", "DATA")}
    # A rendering is over before collecting garbage pays: a fifth of its time, for 10 MB more (measured with Cilium's).
    return {"GOGC": "400", **kept, **private, "HELM_REGISTRY_CONFIG": str(_registry_logins(os.environ))}


def _registry_logins(environment: Mapping[str, str]) -> Path:
    """Where `helm registry login` of this user keeps logins, by Helm's rule."""
    if named := environment.get("HELM_REGISTRY_CONFIG"):
        return Path(named)
    config = environment.get("HELM_CONFIG_HOME")
    above = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return (Path(config) if config else above / "helm") / "registry" / "config.json"


def _version_in(folder: str) -> str:
    found = re.match(r"helm-v?(\d+\.\d+\.\d+)", folder)
    return found[1] if found else "0.0.0"
