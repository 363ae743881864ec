"""The pinger as it runs in a pod: text given to a Python that knows nothing of this project."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port
from vds.bench import pinger
from vds.bench.readings import latency

TEXT = Path(pinger.__file__).read_text()


def test_round_trips_between_two_processes_are_counted_and_ranked(tmp_path: Path):
    port, result = str(free_port()), tmp_path / "result"
    isolated = [sys.executable, "-I", "-c", TEXT]
    server = subprocess.Popen([*isolated, "serve", port])
    try:
        done = subprocess.run([*isolated, "ask", "127.0.0.1", port, "0.3", str(result)])
    finally:
        server.kill()
        server.wait()
    assert done.returncode == 0
    reading = latency(result.read_text())
    assert reading.round_trips > 0  # how many is this machine's business
    assert 0 < reading.p50_ms <= reading.p99_ms <= reading.max_ms


def test_nobody_there_is_an_error_and_not_a_latency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pinger, "_CONNECT_SECONDS", 0)
    result = tmp_path / "result"
    assert pinger.main(["ask", "127.0.0.1", str(free_port()), "1", str(result)]) == 1
    assert "refused" in json.loads(result.read_text())["error"]


def test_percentiles_are_round_trips_that_happened():
    assert pinger.summary(list(range(1, 201))) == {"round_trips": 200, "p50_ms": 100, "p99_ms": 198, "max_ms": 200}
    assert pinger.summary([7.0])["p99_ms"] == 7


def test_it_is_python_that_old_images_have_too():
    tree = ast.parse(TEXT, feature_version=(3, 8))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported <= set(sys.stdlib_module_names)
