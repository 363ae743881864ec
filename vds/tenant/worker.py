"""A process that updates one tenant's stack after the other. `vds tenant up` has one for each stack at a time.

Python, the modules of the program and the policy pack start once here and not twice for each stack. The engine and the
Kubernetes provider are new for each: a provider that one engine has ended answers no other.

Jobs come by standard input and outcomes leave by standard output, one JSON value a line. When standard input closes,
the process ends after the update in hand: an update that has begun is not cut short with the command that began it.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from components.core.untrusted import json_value
from vds.shared import pulumi
from vds.shared.errors import OperationError

_SECONDS = 1800
"""Longest update of one tenant."""
_LINES = 20
"""Of the engine's output, for an update that failed."""
_CHANGES = "changes were proposed"
"""In what the engine (3.274) says of a preview with `--expect-no-changes`, for nothing but changes."""
_PACK = "pack"
_MEMORY = {"GOGC": "400"}
"""Engine and provider live for seconds: they may take more memory before Go collects garbage."""


class Job(NamedTuple):
    """One stack to update."""

    tenant: str
    new: bool
    """Whether the backend may have no such stack."""


class Outcome(NamedTuple):
    """How one update ended."""

    tenant: str
    ok: bool
    said: str
    """Empty if it succeeded."""


class Worker:
    """The process, as the command sees it."""

    def __init__(self, folder: Path, pack: Path) -> None:
        self._words = [sys.executable, "-m", __name__, str(pack.resolve())]
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def update(self, job: Job) -> Outcome:
        """Update a stack. A process that has ended is replaced for the next."""
        if self._process is None or self._process.poll() is not None:
            # Its modules are those of this command, whatever is installed.
            root = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
            self._process = subprocess.Popen(
                self._words,
                cwd=self._folder,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(root)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        given, answered = self._process.stdin, self._process.stdout
        try:
            print(json.dumps(job), file=given, flush=True)
            return Outcome(job.tenant, *json_value(answered.readline() if answered else ""))
        except (BrokenPipeError, ValueError):
            self.end()
            return Outcome(job.tenant, False, "the process that updates it ended before it: run this again")

    def end(self) -> None:
        """Let the process end, after what it does now."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


def main(pack: str) -> None:
    """Serve the command until standard input closes."""
    signal.signal(signal.SIGINT, lambda *_: None)  # the engine gets it too, and ends the update
    outcomes, sys.stdout = sys.stdout, sys.stderr
    running = _Pack(Path(pack))
    _server, port = _serve(running)  # it serves as long as this name has it
    environment = {**_MEMORY, **os.environ, "PULUMI_DEBUG_LANGUAGES": f"python:{port}"}
    for line in sys.stdin:
        tenant, new = json_value(line)
        try:
            said = _update(tenant, pack, environment, new=new)
        except OperationError as error:
            said = str(error)
        print(json.dumps([not said, said]), file=outcomes, flush=True)
    running.end()


def _update(tenant: str, pack: str, environment: Mapping[str, str], *, new: bool) -> str:
    """Why it failed; empty if it did not.

    A preview comes first: policies on the whole stack run at its end, and must stop the tenant before any change.
    """
    more = ["--color=never"]
    if new:
        _make(tenant, environment)
        more.append("--yes")
    else:
        words = pulumi.operation("preview", tenant, "--expect-no-changes", *more, pack=pack)
        checked = pulumi.run(*words, seconds=_SECONDS, environment=environment)
        if not checked.returncode:
            return ""
        if _CHANGES not in checked.stderr:
            return "\n".join(_reasons(f"{checked.stdout}\n{checked.stderr}"))
        more += ["--yes", "--skip-preview"]
    ended = pulumi.run(*pulumi.operation("up", tenant, *more, pack=pack), seconds=_SECONDS, environment=environment)
    return "\n".join(_reasons(f"{ended.stdout}\n{ended.stderr}")) if ended.returncode else ""


def _make(tenant: str, environment: Mapping[str, str]) -> None:
    """Make the stack, if the backend has none of this name."""
    made = pulumi.run("stack", "init", tenant, "--no-select", environment=environment)
    if made.returncode and "already exists" not in made.stderr:
        known = pulumi.known_error(made.stderr)
        said = " ".join(made.stderr.split()).removeprefix("error: ")
        raise OperationError(f"{said}{': ' + known.remedy if known else ''}")


def _reasons(output: str) -> Iterator[str]:
    """The lines of the engine's output that say why it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and "warning:" not in line]
    begins = [index for index, line in enumerate(lines) if line in ("Policies:", "Diagnostics:")]
    said = lines[begins[0] :] if begins else lines[-_LINES:]
    ends = [index for index, line in enumerate(said) if line in ("Outputs:", "Resources:")]
    yield from said[: ends[0] if ends else None][:_LINES] or ["the engine failed and did not say why"]


def _serve(running: "_Pack") -> tuple[Any, int]:
    """The language host of every engine that this process starts, and its port."""
    import grpc  # type: ignore[import-untyped]
    from pulumi.automation._server import LanguageServer
    from pulumi.runtime.proto import language_pb2, language_pb2_grpc

    class Host(LanguageServer):
        """Pulumi's own for programs in the same process, and one that runs policy packs."""

        def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
            return language_pb2.LanguageHandshakeResponse()

        def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
            ended = threading.Event()
            context.add_callback(ended.set)
            port = running.port(request.info.program_directory, request.args)
            if request.kind != "analyzer" or not port:
                yield language_pb2.RunPluginResponse(exitcode=1)
                return
            yield language_pb2.RunPluginResponse(stdout=port)
            ended.wait()

    server = grpc.server(ThreadPoolExecutor(8))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(_program), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def _program() -> None:
    runpy.run_path("__main__.py", run_name="__main__")


class _Pack:
    """The policy pack, which Pulumi's SDK serves in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port = b""

    def port(self, folder: str, arguments: list[str]) -> bytes:
        """Where it is served, as it says it; empty if it did not start, or if another folder's code was asked for.

        Every process of this machine can ask.
        """
        if Path(folder).resolve() != self._folder:
            return b""
        if self._process is None or self._process.poll() is not None:
            words = [sys.executable, "-u", "-m", __spec__.name, _PACK, *arguments, folder]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(words, cwd=folder, stdin=pipe, stdout=pipe)
            self._port = self._process.stdout.readline() if self._process.stdout else b""
        return self._port

    def end(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()


def _serve_pack(*arguments: str) -> None:
    """Serve a pack until standard input closes: it ends with the process that has started it."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
    sys.argv = ["pulumi.policy", *arguments]
    runpy.run_module("pulumi.policy", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve_pack(*sys.argv[2:]) if sys.argv[1] == _PACK else main(sys.argv[1])
