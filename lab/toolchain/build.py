"""Build the lab's tools from pinned Go modules, once, into a cache outside the checkout."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from components.core.versions import parse
from lab.processes import LabError, tail
from lab.progress import Progress
from lab.toolchain import golang
from lab.toolchain.pins import BEFORE, EARLIER_FOLDERS, HERE, MODULES, TOOLS, Tool, batches, link_flags, module_version

Origin = Literal["built", "cache", "PATH"]
# The linker removes debugging data, so the compiler makes none. Measured: a sixth less work, a fifth less disk.
_COMPILE = "-gcflags=all=-dwarf=false"
_STOP_SECONDS = 10  # time for an interrupted build to remove its work folder


@dataclass(frozen=True)
class Tools:
    """Where the tools are."""

    _paths: dict[str, Path]
    _origins: dict[str, Origin]
    _versions: dict[str, str]
    _modules: dict[str, Path] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """The program."""
        return self._paths[name]

    def origin(self, name: str) -> Origin:
        """Whether it was built now, was in the cache, or was on the PATH."""
        return self._origins[name]

    def version(self, name: str) -> str:
        """The version in use: the pinned one, or what a fitting copy on the PATH said of itself."""
        return self._versions[name]

    def module_dir(self, name: str) -> Path:
        """A module's sources: `cilium`, `metallb` or `gateway-api`."""
        if name not in self._modules:
            self._modules[name] = _module_dir(*MODULES[name])
        return self._modules[name]

    def earlier(self) -> "Tools | None":
        """The same with programs of an earlier release; None where none of `pins.EARLIER` was asked for."""
        names = {name.removesuffix(BEFORE): name for name in self._paths if name.endswith(BEFORE)}
        if not names:
            return None
        own = (
            {"cilium": _module_dir(EARLIER_FOLDERS["cilium"], MODULES["cilium"][1])} if "cilium-agent" in names else {}
        )
        paths = self._paths | {name: self._paths[other] for name, other in names.items()}
        origins = self._origins | {name: self._origins[other] for name, other in names.items()}
        versions = self._versions | {name: self._versions[other] for name, other in names.items()}
        return Tools(paths, origins, versions, self._modules | own)


def cache() -> Path:
    """Where built tools are kept, and all that building them leaves, by XDG's rule."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "vds-platform"


def ensure(progress: Progress, wanted: Sequence[Tool] = TOOLS) -> Tools:
    """Find every tool on the PATH or in the cache, or build it.

    Raises:
        LabError: there is no Go and none could be fetched, or a build failed.
    """
    found, missing = look(wanted)
    if not missing:
        return found
    groups = batches(missing)
    for number, group in enumerate(groups, 1):
        go = golang.find(cache(), progress)
        _build(go, group, progress, f"{number} of {len(groups)}, {_title(group)}")
        found._origins.update((tool.name, "built") for tool in group)
    _forget_compiled()
    return found


def _forget_compiled() -> None:
    """Remove what Go has compiled, where it is our own and no other run builds: 15 GB that only another pin would use.

    The modules' sources stay, because images, charts and tests read them.
    """
    if "GOCACHE" in os.environ:
        return
    with contextlib.ExitStack() as held:
        for lock in (cache() / "tools").glob("draft-*.lock"):
            file = held.enter_context(lock.open("w"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        shutil.rmtree(cache() / "go-build", ignore_errors=True)


def look(wanted: Sequence[Tool] = TOOLS) -> tuple[Tools, list[Tool]]:
    """Where every tool is, or will be once it is built; and those that are not built yet."""
    paths: dict[str, Path] = {}
    origins: dict[str, Origin] = {}
    versions = {tool.name: tool.version for tool in wanted}
    missing: list[Tool] = []
    for tool in wanted:
        if found := _on_path(tool):
            (paths[tool.name], versions[tool.name]), origins[tool.name] = found, "PATH"
            continue
        paths[tool.name], origins[tool.name] = _place(tool), "cache"
        if not paths[tool.name].exists():
            missing.append(tool)
    return Tools(paths, origins, versions), missing


def _place(tool: Tool) -> Path:
    return cache() / "tools" / tool.key / tool.name


def _title(group: Sequence[Tool]) -> str:
    more = f" and {len(group) - 1} more" if len(group) > 1 else ""
    return f"{group[0].name} {group[0].version}{more}"


def _on_path(tool: Tool) -> tuple[Path, str] | None:
    found = shutil.which(tool.name) if tool.version_command else None
    if not found:
        return None
    try:
        done = subprocess.run([found, *tool.version_command], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
    return (Path(found), said.group()) if said and fits(said.group(), tool) else None


def fits(found: str, tool: Tool) -> bool:
    """Whether a version may stand for the pinned one: not older, and the same in the parts that the tool keeps to."""
    has, pinned = parse(found).release, parse(tool.version).release
    return has[: tool.same_parts] == pinned[: tool.same_parts] and has >= pinned


def _build(go: Path, group: Sequence[Tool], progress: Progress, title: str) -> None:
    """Build beside the places and move there: whole or not at all, also when two runs do it at once."""
    folder = group[0].folder
    log = cache() / "logs" / f"{folder}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    drafts = cache() / "tools" / f"draft-{folder}"
    drafts.parent.mkdir(parents=True, exist_ok=True)
    with drafts.with_suffix(".lock").open("w") as lock:
        progress.detail(f"{title}: waiting for another run that builds it")
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [tool for tool in group if not _place(tool).exists()]
        shutil.rmtree(drafts, ignore_errors=True)  # from a run that was killed; its Go may not have ended
        if not missing:
            return
        drafts.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=drafts) as draft:
            _compile(go, missing, Path(draft), log, progress, title)
            for tool in missing:
                _place(tool).parent.mkdir(exist_ok=True)
                Path(draft, tool.binary).replace(_place(tool))
        shutil.rmtree(drafts, ignore_errors=True)


def _compile(go: Path, group: Sequence[Tool], draft: Path, log: Path, progress: Progress, title: str) -> None:
    first = group[0]
    command = [str(go), *(["test", "-c"] if first.test else ["build"]), "-v", "-trimpath", _COMPILE]
    if first.tags:
        command += ["-tags", first.tags]
    if first.embeds:
        overlay = draft / "overlay.json"
        overlay.write_text(json.dumps({"Replace": _embedded(first)}))
        command += ["-overlay", str(overlay)]
    command += ["-ldflags", link_flags(group), "-o", f"{draft}/", *(tool.import_path for tool in group)]
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            cwd=HERE / first.folder,
            # The work folder of a killed build is removed with the draft.
            env={**golang.environment(cache()), "GOTMPDIR": str(draft)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            while process.poll() is None:
                progress.detail(f"{title}: {_last_line(log)}")
                time.sleep(0.5)
        except BaseException:
            process.send_signal(signal.SIGINT)  # unlike SIGTERM, it lets Go end its compilers
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            raise
    if process.returncode:
        raise LabError(
            f"{_title(group)} could not be built; the log {log} ends:\n{tail(log)}\n"
            "If a module could not be fetched, check that this machine reaches a Go module proxy (go env GOPROXY)."
        )


def _last_line(log: Path) -> str:
    """How far `go build -v` is: it prints a line for each module it fetches and each package it compiles."""
    lines = log.read_text(errors="replace").splitlines()
    packages = sum(not line.startswith("go: ") for line in lines)
    return f"{packages} packages, {lines[-1]}" if lines else "reading the module graph"


def _embedded(tool: Tool) -> dict[str, str]:
    """Go's overlay: the files that our main package embeds, as if they stood beside it, from the module's sources."""
    sources = _module_dir(tool.folder, tool.module) / tool.package
    return {str(HERE / tool.folder / name): str(sources / name) for name in tool.embeds}


def _module_dir(folder: str, module: str) -> Path:
    """The module's folder in Go's module cache; remembered, because asking costs a second."""
    version = module_version(folder, module)
    mark = cache() / "modules" / f"{module.replace('/', '+')}@v{version}"
    if mark.exists() and Path(mark.read_text()).is_dir():
        return Path(mark.read_text())
    done = subprocess.run(
        [str(golang.find(cache(), Progress(total=1, quiet=True))), "mod", "download", "-json", f"{module}@v{version}"],
        cwd=HERE / folder,
        env=golang.environment(cache()),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise LabError(f"the sources of {module} could not be downloaded: {(done.stderr or done.stdout).strip()}")
    found = str(json.loads(done.stdout)["Dir"])
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(found)
    return Path(found)
