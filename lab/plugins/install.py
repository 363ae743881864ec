"""Find the official plugins. Provide missing ones: built from source, or a stand-in."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from components.core.versions import parse

KUBERNETES = "pulumi-resource-kubernetes"
"""The provider that the lab builds from its own Go module."""
# Binary of the plugin → module in lab.plugins, and the SDK whose version the engine wants. No module proxy has their Go
# modules.
_STAND_INS = {
    "pulumi-language-python": ("language", "pulumi"),
    "pulumi-resource-command": ("command", "pulumi-command"),
}
BINARIES = frozenset({KUBERNETES, *_STAND_INS})
"""The plugins that the platform needs."""
_LAUNCHER_MARK = "lab/plugins/start.py"


@dataclass(frozen=True)
class Plugin:
    """A plugin as the engine would find it."""

    binary: str
    path: Path
    version: str
    """As the plugin's folder or the SDK says it; empty when only the plugin itself knows."""
    stand_in: bool

    def __str__(self) -> str:
        origin = "stand-in" if self.stand_in else "official"
        return f"{self.binary} {self.version} ({origin}, {self.path})".replace("  ", " ")


def official(path: str | None = None, *, home: Path | None = None) -> dict[str, Plugin]:
    """The official plugins that the engine would find, by the name of their binary.

    The engine looks on the PATH, then beside the pulumi binary (language hosts), then in
    `PULUMI_HOME/plugins`. `path` and `home` default to the environment's.
    """
    path = os.environ.get("PATH", "") if path is None else path
    home = home or Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    found = {}
    for binary in sorted(BINARIES):
        plugin = _on_path(binary, path) or _beside_engine(binary, path) or _downloaded(binary, home)
        if plugin:
            found[binary] = plugin
    return found


def provide(into: Path, *, built: Path, version: str) -> dict[str, Plugin]:
    """Put what is missing into `into`, a folder for the PATH; return every plugin that the engine will use.

    `built` is the Kubernetes provider that was built from source, and `version` what it is. What is not missing any
    more is taken away, so that the official plugins win.
    """
    found = official()
    into.mkdir(parents=True, exist_ok=True)
    for binary in BINARIES:
        launcher = into / binary
        if binary in found:
            launcher.unlink(missing_ok=True)
        elif binary == KUBERNETES:
            _place(launcher, lambda draft: draft.symlink_to(built))
            found[binary] = Plugin(binary, built, version, stand_in=False)
        else:
            module, distribution = _STAND_INS[binary]
            start = Path(__file__).with_name("start.py")
            text = f'#!/bin/sh\nexec {shlex.join([sys.executable, str(start), module])} "$@"\n'
            _place(launcher, lambda draft, text=text: draft.write_text(text))  # type: ignore[misc]
            launcher.chmod(0o755)
            found[binary] = Plugin(binary, launcher, sdk_version(distribution), stand_in=True)
    return found


def _place(path: Path, make: Callable[[Path], object]) -> None:
    """Make a file beside its place and move it there: an engine that looks meanwhile finds one or the other."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    make(draft)
    draft.replace(path)


def sdk_version(distribution: str) -> str:
    """The version of the SDK installed beside us: what the engine asks a plugin to be."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _on_path(binary: str, path: str) -> Plugin | None:
    for folder in path.split(os.pathsep):
        found = shutil.which(binary, path=folder) if folder else None
        if found and not _is_stand_in(Path(found)):
            return Plugin(binary, Path(found), _ask_version(Path(found)), stand_in=False)
    return None


def _beside_engine(binary: str, path: str) -> Plugin | None:
    """Language hosts are released in one archive with the engine."""
    engine = shutil.which("pulumi", path=path)
    if engine is None or not binary.startswith("pulumi-language-"):
        return None
    bundled = Path(engine).resolve().with_name(binary)
    if not os.access(bundled, os.X_OK) or _is_stand_in(bundled):
        return None
    return Plugin(binary, bundled, _ask_version(bundled), stand_in=False)


def _downloaded(binary: str, home: Path) -> Plugin | None:
    """`PULUMI_HOME/plugins/resource-kubernetes-v4.34.2/pulumi-resource-kubernetes`: newest version first."""
    kind_and_name = binary.removeprefix("pulumi-")
    folders = (home / "plugins").glob(f"{kind_and_name}-v*")
    versions = {folder.name.removeprefix(f"{kind_and_name}-v"): folder for folder in folders if folder.is_dir()}
    for number in sorted(versions, key=parse, reverse=True):
        plugin = versions[number] / binary
        if os.access(plugin, os.X_OK) and not _is_stand_in(plugin):
            return Plugin(binary, plugin, number, stand_in=False)
    return None


def _ask_version(plugin: Path) -> str:
    """Official plugins print their version when asked; one that doesn't is still used."""
    try:
        answer = subprocess.run(
            [str(plugin), "--version"], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = answer.stdout.split()
    return words[-1].removeprefix("v") if answer.returncode == 0 and words else ""


def _is_stand_in(plugin: Path) -> bool:
    try:
        with plugin.open("rb") as file:
            return _LAUNCHER_MARK.encode() in file.read(4096)
    except OSError:
        return False
