"""Cilium's agent (and, on one node, its operator), run from the `cilium-config` ConfigMap as the DaemonSet would."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from lab.node.pods import Settings

# Where this node keeps what the agent writes. Settings of the data path come from the ConfigMap alone.
_RUN = Path("/run/cilium")


class CiliumAgent:
    """The agent's process on this node, for one content of the ConfigMap at a time."""

    def __init__(self, settings: Settings, kubeconfig: str, bpf_source: Path, *, with_operator: bool) -> None:
        self._settings = settings
        self._kubeconfig = kubeconfig
        self._bpf_source = bpf_source
        self._with_operator = with_operator
        self._digest = ""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def converge(self, config: dict[str, str] | None) -> bool:
        """Run the agent with this configuration, stop it where there is none; whether one was started now."""
        started = False
        digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest() if config else ""
        if digest != self._digest:
            self.stop()
            if config:
                self._write(config)
            self._digest = digest
        if config:
            for name, argv in self._commands().items():
                process = self._processes.get(name)
                if process is None or process.poll() is not None:
                    self._processes[name] = self._start(name, argv)
                    started = True
        return started

    def is_healthy(self) -> bool:
        """Whether the agent answers `cilium-dbg status --brief` with OK."""
        process = self._processes.get("cilium-agent")
        if process is None or process.poll() is not None or not (_RUN / "cilium.sock").exists():
            return False
        done = subprocess.run(
            [self._settings.tools["cilium-dbg"], "status", "--brief"],
            capture_output=True,
            text=True,
            timeout=20,
        )
        return done.returncode == 0

    def stop(self) -> None:
        """End agent and operator; the data path they made stays until `cleanup`, as on a real node."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes = {}

    def _write(self, config: dict[str, str]) -> None:
        folder = _RUN / "config"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for key, value in config.items():
            (folder / key).write_text(value)
        library = Path("/var/lib/cilium")
        if not library.exists():
            library.mkdir()
            # Module files are read-only; the agent writes beside the sources.
            subprocess.run(["cp", "-r", "--no-preserve=mode", str(self._bpf_source), str(library / "bpf")], check=True)
        # Cilium calls `clang` and `llc` by these names.
        programs = _RUN / "bin"
        programs.mkdir(exist_ok=True)
        for name in ("clang", "llc"):
            found = shutil.which(f"{name}-19") or shutil.which(name)
            link = programs / name
            if found and not link.exists():
                link.symlink_to(found)

    def _commands(self) -> dict[str, list[str]]:
        tools = self._settings.tools
        commands = {
            "cilium-agent": [
                tools["cilium-agent"],
                f"--config-dir={_RUN / 'config'}",
                f"--k8s-kubeconfig-path={self._kubeconfig}",
                "--lib-dir=/var/lib/cilium",
                f"--state-dir={_RUN}",
                f"--socket-path={_RUN / 'cilium.sock'}",
                "--bpf-root=/sys/fs/bpf",
                f"--cgroup-root={_RUN / 'cgroupv2'}",
            ]
        }
        if self._with_operator:
            commands["cilium-operator"] = [
                tools["cilium-operator"],
                f"--config-dir={_RUN / 'config'}",
                f"--k8s-kubeconfig-path={self._kubeconfig}",
            ]
        return commands

    def _start(self, name: str, argv: list[str]) -> subprocess.Popen[bytes]:
        with (self._settings.logs / f"{self._settings.node}-{name}.log").open("ab") as log:
            return subprocess.Popen(
                argv,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={
                    "PATH": f"{_RUN / 'bin'}:{os.environ['PATH']}",
                    "K8S_NODE_NAME": self._settings.node,
                    "CILIUM_K8S_NAMESPACE": "kube-system",
                },
            )
