"""The secret that the guide to a first environment makes of two files is what the platform takes."""

import re
import subprocess
import sys
from pathlib import Path

from components.gateway.certificates import certificate_problems
from components.gateway.model import GatewaySpec
from tests.support.certificates import BEGAN, made
from tests.support.stacks import ROOT, stack_data

GUIDE = (ROOT / "docs/howto/first-environment.md").read_text()


def test_the_command_of_the_guide_makes_a_secret_without_problems(tmp_path: Path) -> None:
    data = stack_data("oslo")["gateway"]
    data["listeners"][1]["certificateSecret"] = "wildcard"
    certificate, key = made("*.example.no")
    (tmp_path / "wildcard.crt").write_text(certificate)
    (tmp_path / "wildcard.key").write_text(key)
    [command] = re.findall(r"(\.venv/bin/python -c 'import json.*?wildcard\.key) \|", GUIDE, re.DOTALL)
    command = command.replace(".venv/bin/python", sys.executable)
    done = subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True, capture_output=True, text=True)
    gateway = GatewaySpec.model_validate(data)
    assert certificate_problems(done.stdout, gateway, BEGAN.timestamp() + 1) == []
