"""Find the official plugins, and write launchers of stand-ins for those that are missing."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# The plugin's binary → the module under lab.plugins, the SDK whose version the engine asks for.
_STAND_INS = {
    "pulumi-language-python": ("language", "pulumi"),
    "pulumi-resource-kubernetes": ("kubernetes", "pulumi-kubernetes"),
    "pulumi-resource-command": ("command", "pulumi-command"),
}
BINARIES = frozenset(_STAND_INS)
"""The plugins that the platform needs and that have a stand-in here."""
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
    for binary in _STAND_INS:
        plugin = _on_path(binary, path) or _beside_engine(binary, path) or _downloaded(binary, home)
        if plugin:
            found[binary] = plugin
    return found


def install(into: Path, *, missing: Iterable[str] | None = None, python: Path | None = None) -> dict[str, Plugin]:
    """Write launchers of the stand-ins into `into`, a folder for the PATH; return what was written.

    `missing` names the binaries to write; left out, it is those that `official()` does not find. Launchers
    of plugins that are not missing (any more) are taken away, so that the official ones win.
    """
    wanted = set(_STAND_INS) - set(official()) if missing is None else set(missing)
    into.mkdir(parents=True, exist_ok=True)
    written = {}
    for binary, (module, distribution) in _STAND_INS.items():
        launcher = into / binary
        if binary not in wanted:
            if _is_stand_in(launcher):
                launcher.unlink()
            continue
        start = Path(__file__).with_name("start.py")
        command = shlex.join([str(python or sys.executable), str(start), module])
        draft = launcher.with_name(f".{binary}.new")
        draft.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        draft.chmod(0o755)
        draft.replace(launcher)
        written[binary] = Plugin(binary, launcher, sdk_version(distribution), stand_in=True)
    return written


def sdk_version(distribution: str) -> str:
    """The version of the SDK installed beside us: what the engine asks a plugin to be."""
    try:
        return version(distribution)
    except PackageNotFoundError:
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
    for number in sorted(versions, key=_numbers, reverse=True):
        plugin = versions[number] / binary
        if os.access(plugin, os.X_OK) and not _is_stand_in(plugin):
            return Plugin(binary, plugin, number, stand_in=False)
    return None


def _numbers(version_text: str) -> tuple[int, ...]:
    release = version_text.split("-")[0].split("+")[0]
    return tuple(int(part) for part in release.split(".") if part.isdigit())


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
