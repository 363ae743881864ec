"""The real engine on a copy of the project, with a backend, a home and a folder for temporary files of its own.

Nothing is asked of the network: the plugins are the lab's, and charts are in a folder of the project, `mirror`.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from components.kubernetes_api import Cluster
from components.stackfile.parsing import parse
from lab.plugins import install
from lab.progress import Progress
from lab.toolchain import build
from lab.toolchain.pins import TOOLS
from tests.support.charts import pack_folder
from tests.support.modules import cert_manager_chart, cilium_chart, metallb_chart
from tests.support.stacks import ROOT

_LINKED = ("Pulumi.yaml", "__main__.py", "components", "vds", "pyproject.toml", "charts.lock.yaml")
_WANTED = ("pulumi", install.KUBERNETES, "helm")


class Engine:
    """A project in a folder, and the engine that runs it."""

    def __init__(self, folder: Path, passphrase: str) -> None:
        self.folder = folder
        self.project = folder / "project"
        for name in ("project", "bin", "home", "tmp", "cache", "state", "pulumi"):
            (folder / name).mkdir(parents=True)
        for name in _LINKED:
            (self.project / name).symlink_to(ROOT / name)
        (self.project / ".venv").symlink_to(sys.prefix)
        shutil.copytree(ROOT / "policies", self.project / "policies")  # its environment is beside it
        tools = build.ensure(Progress(total=1, quiet=True), [tool for tool in TOOLS if tool.name in _WANTED])
        for name in ("pulumi", "helm"):
            (folder / "bin" / name).symlink_to(tools.path(name))
        install.provide(folder / "bin", built=tools.path(install.KUBERNETES), version=tools.version(install.KUBERNETES))
        self.environment = {
            "PATH": os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(self.project),  # `make` writes a .pth file for that
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PULUMI_HOME": str(folder / "pulumi"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": passphrase,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DEBUG_COMMANDS": "true",
        }

    def add_stack(self, spec: Mapping[str, Any], secrets: Mapping[str, str], **settings: str) -> None:
        """A stack of this spec, with its charts and its secrets."""
        name = spec["environment"]
        config = {"vds-platform:spec": dict(spec), **{f"vds-platform:{key}": value for key, value in settings.items()}}
        self.file(name).write_text(yaml.safe_dump({"config": config}))
        read = parse(spec, base_dir=self.project)
        for chart in read.wanted_charts:
            pack_folder(self.project / "mirror", self._source(chart.name, chart.version), chart.name, chart.version)
        self.must("stack", "init", name, "--no-select")
        for key, value in secrets.items():
            self.must("config", "set", "--stack", name, "--secret", f"vds-platform:{key}", stdin=value)

    def _source(self, chart: str, version: str) -> Path:
        made = {"cilium": lambda: cilium_chart(version), "metallb": metallb_chart}
        return made[chart]() if chart in made else cert_manager_chart(self.folder)

    def file(self, stack: str) -> Path:
        """The stack's file."""
        return self.project / f"Pulumi.{stack}.yaml"

    def without_nodes(self, stack: str) -> str:
        """A copy of the stack's file by which no node is read; its name."""
        copy = self.folder / f"Pulumi.{stack}.yaml"
        content = yaml.safe_load(self.file(stack).read_text())
        content["config"]["vds-platform:readNodes"] = False
        copy.write_text(yaml.safe_dump(content))
        return str(copy)

    def run(self, *words: str, stdin: str = "", program: str = "pulumi") -> subprocess.CompletedProcess[str]:
        """One operation of the engine, or of another program in the project."""
        first = [program, "--non-interactive"] if program == "pulumi" else [program]
        return subprocess.run(
            [*first, *words],
            cwd=self.project,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def must(self, *words: str, stdin: str = "") -> str:
        """What an operation prints that may not fail."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, f"pulumi {words[0]}: {done.stderr}"
        return done.stdout

    def export(self, stack: str, *, decrypted: bool = False) -> dict[str, Any]:
        """The stack's state."""
        words = ["--show-secrets"] if decrypted else []
        exported: dict[str, Any] = json.loads(self.must("stack", "export", "--stack", stack, *words))
        return exported


class ProgramOnApiServer:
    """The stack `real` of a short program of a test, and the API server that it changes."""

    def __init__(self, folder: Path, kubeconfig: str, program: str) -> None:
        self.kubeconfig, self.api = kubeconfig, Cluster(kubeconfig)
        self.engine = Engine(folder, "passphrase")
        (self.engine.project / "__main__.py").unlink()
        (self.engine.project / "__main__.py").write_text(program)
        self.engine.file("real").write_text("config: {}\n")
        self.engine.must("stack", "init", "real", "--no-select")

    def ask(self, **asked: Any) -> None:
        """What the program reads in `asked.json`; the kubeconfig is in it too."""
        written = json.dumps({"kubeconfig": self.kubeconfig, **asked})
        (self.engine.project / "asked.json").write_text(written)
