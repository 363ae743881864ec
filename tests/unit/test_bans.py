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


READERS = {
    "yaml": {"load", "load_all", "safe_load", "safe_load_all", "full_load", "unsafe_load", "parse", "scan"}
    | {"compose", "compose_all"},
    "json": {"load", "loads"},
}
ALLOWED = {
    "components/core/untrusted.py": "the reader within limits",
    "components/stackfile/reader.py": "reads events of ruamel.yaml, with the same limits and the lines of the file",
    "components/nodes/preflight/survey.py": "runs on the node, without our modules",
    "components/kubeadm/backup/agent.py": "runs on the node, without our modules",
    "components/monitoring/agent.py": "runs on the node, without our modules",
    "components/kubeadm/upgrade/removed_apis.py": "runs on the node, without our modules",
    "components/charts/render.py": "JSON that this process or an earlier one wrote and encrypted",
    "components/charts/releases.py": "JSON that this process wrote",
    "components/network/cilium/chart/trial.py": "JSON that this process or an earlier one wrote and encrypted",
}


def parsers(file):
    """Calls in a file that parse YAML or JSON."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in READERS.get(node.value.id, ()):
                yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            names = {name.name for name in node.names}
            yield from (f"{node.module}.{name}" for name in names & READERS.get(node.module or "", set()))
            if (node.module or "").startswith("ruamel.yaml") and "YAML" in names:
                yield "ruamel.yaml.YAML"
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("ruamel"))


@pytest.mark.parametrize("folder", ["components", "policies", "vds", "lab", "benchmarks"])
def test_what_others_wrote_is_parsed_within_limits(folder):
    # The lab and the benchmarks read JSON of their own programs.
    kinds = ("yaml", "ruamel") if folder in ("lab", "benchmarks") else ("yaml", "ruamel", "json")
    found = {
        str(file.relative_to(ROOT)): sorted(call for call in parsers(file) if call.startswith(kinds))
        for file in [*(ROOT / folder).rglob("*.py"), ROOT / "__main__.py"]
    }
    assert {name: calls for name, calls in found.items() if calls and name not in ALLOWED} == {}


def test_every_exception_is_needed():
    assert [name for name in ALLOWED if not list(parsers(ROOT / name))] == []
