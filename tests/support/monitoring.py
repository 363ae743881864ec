"""Stacks that are watched, and promtool."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from components.monitoring.model import MonitoringContext, MonitoringSpec
from components.stackfile.parsing import parse
from components.stackfile.spec import PlatformSpec
from lab.progress import Progress
from lab.toolchain import build
from lab.toolchain.pins import MONITORING
from tests.support.stacks import ROOT, stack_data


def watched(name: str = "oslo", **monitoring: Any) -> PlatformSpec:
    """A committed stack with these settings of `monitoring`."""
    return parse(stack_data(name) | {"monitoring": monitoring}, base_dir=ROOT)


def parts(spec: PlatformSpec) -> tuple[MonitoringSpec, MonitoringContext]:
    """What renderers of `components.monitoring` take."""
    assert spec.monitoring is not None
    return spec.monitoring, spec.monitoring_context


@cache
def promtool() -> Path:
    """The program; built once."""
    wanted = [tool for tool in MONITORING if tool.name == "promtool"]
    return build.ensure(Progress(total=1, quiet=True), wanted).path("promtool")


def run_promtool(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """promtool with its output."""
    command = [str(promtool()), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def write_json(folder: Path, name: str, content: Any) -> str:
    """A file; JSON is YAML."""
    (folder / name).write_text(json.dumps(content))
    return name
