"""The secret that the guide to a first environment makes of two files is what the platform takes."""

import re
import subprocess
import sys
from pathlib import Path

from components.gateway.certificates import certificate_problems
from tests.support.certificates import BEGAN, made
from tests.support.stacks import ROOT, stack

GUIDE = (ROOT / "docs/howto/first-environment.md").read_text()


def test_the_command_of_the_guide_makes_a_secret_without_problems(tmp_path: Path) -> None:
    certificate, key = made("*.example.no")
    (tmp_path / "fullchain.pem").write_text(certificate)
    (tmp_path / "privkey.pem").write_text(key)
    [command] = re.findall(r"(\.venv/bin/python -c 'import json.*?privkey\.pem) \|", GUIDE, re.DOTALL)
    command = command.replace(".venv/bin/python", sys.executable)
    done = subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert certificate_problems(done.stdout, stack("oslo").gateway, BEGAN.timestamp() + 1) == []
