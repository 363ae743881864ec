"""What components and policies may not use: `tool.ruff.lint.flake8-tidy-imports.banned-api` of pyproject.toml."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def refused(path, code):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251", "--stdin-filename", path, "-"],
        input=code,
        text=True,
        capture_output=True,
        cwd=ROOT,
    )
    return "TID251" in done.stdout


INPUT_AND_OUTPUT = [
    "import subprocess",
    "from socket import create_connection",
    "import urllib.request",
    "import time\n\ntime.sleep(1)",
    "from datetime import datetime\n\nprint(datetime.now())",
    "import os\n\nprint(os.environ)",
    "import secrets",
]


@pytest.mark.parametrize("code", INPUT_AND_OUTPUT)
def test_what_computes_may_not_ask_outside(code):
    assert refused("components/network/mtu.py", code)


def test_policies_may_not_either_and_commands_may():
    assert refused("policies/rules/network.py", INPUT_AND_OUTPUT[0])
    assert not refused("vds/shared/stack.py", INPUT_AND_OUTPUT[0])
    assert not refused("policies/context.py", INPUT_AND_OUTPUT[4])


def test_parsing_is_not_input():
    assert not refused("components/core/endpoints.py", "from datetime import date\nfrom urllib.parse import urlsplit")


CLIENTS = {"aiohttp", "http.client", "httpx", "requests", "urllib.request", "urllib3"}


def test_commands_have_one_http_client():
    """`vds.shared.https`: only TLS, no credentials for other servers, counted redirects, a largest size."""
    found = {}
    for file in sorted((ROOT / "vds").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if used := {client for client in CLIENTS for name in names if f"{name}.".startswith(f"{client}.")}:
                found[file.relative_to(ROOT).as_posix()] = used
    assert set(found) == {"vds/shared/https.py"}
