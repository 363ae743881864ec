"""A program that installs one chart as the platform does: from a folder, after its digest was compared."""

from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes

from components.apply import apply_chart
from components.charts.lock import WantedChart
from components.charts.reference import Chart
from components.stackfile.config import RefusedStackError
from components.stackfile.referenced_files import chart_problems

config = pulumi.Config("mirrored")
wanted = WantedChart("vdslab-note", config.require("version"), "https://charts.example.no", "mirror", "note.version")
if problems := chart_problems([wanted], base_dir=Path.cwd()):
    raise RefusedStackError(problems)
apply_chart(
    "note",
    Chart(wanted.name, "default", wanted.version, wanted.source, 60),
    {"words": config.require("words")},
    pulumi.ResourceOptions(provider=kubernetes.Provider("cluster")),
)
