"""The lab's stand-in for crictl answers what `operations look` asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.node.crictl import answer
from operations.look import scripts
from operations.place import Place

ASKED = ("pods", "--quiet", "--state", "ready", "--latest")


def record(folder: Path, uid: str, name: str, pid: int) -> None:
    (folder / "pods" / uid).mkdir(parents=True)
    (folder / "pods" / uid / "pod.json").write_text(json.dumps({"namespace": "butikk", "name": name, "pid": pid}))


def labels(name: str, namespace: str = "butikk") -> list[str]:
    return ["--label", f"io.kubernetes.pod.namespace={namespace}", "--label", f"io.kubernetes.pod.name={name}"]


def test_a_pod_is_found_by_its_labels_and_gives_its_process(tmp_path: Path) -> None:
    record(tmp_path, "u1", "api", os.getpid())
    record(tmp_path, "u2", "api-2", os.getpid())
    assert answer(tmp_path, [*ASKED, *labels("api")]) == "u1\n"
    assert answer(tmp_path, [*ASKED, *labels("api", "other")]) == ""
    asked = ["inspectp", "--output", "go-template", "--template", "{{.info.pid}}", "u1"]
    assert answer(tmp_path, asked) == f"{os.getpid()}\n"


def test_a_pod_whose_process_is_gone_is_not_there(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    record(tmp_path, "u1", "api", gone.pid)
    assert answer(tmp_path, [*ASKED, *labels("api")]) == ""


def test_no_container_runs_where_there_is_no_runtime(tmp_path: Path) -> None:
    assert answer(tmp_path, ["ps", *ASKED[1:], "--label", "io.kubernetes.container.name=cilium-agent"]) == ""


def test_what_the_stand_in_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        answer(tmp_path, ["exec", "u1", "sh"])


def test_a_look_finds_its_way_through_the_stand_in(tmp_path: Path) -> None:
    record(tmp_path, "u1", "api", os.getpid())
    tools = tmp_path / "bin"
    tools.mkdir()
    programs = {
        "crictl": f'exec {sys.executable} -m lab.node.crictl {tmp_path} "$@"',
        "nsenter": 'echo "$@" >&2; echo "[]"',
        "id": "echo 0",
        "ip": "",
    }
    for name, shell in programs.items():
        (tools / name).write_text(f"#!/bin/sh\n{shell}\n")
        (tools / name).chmod(0o755)
    done = subprocess.run(
        ["sh", "-s"],
        input=scripts.routes(Place("butikk", "api", "osl-1", "10.244.0.9", host_network=False)),
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"-t {os.getpid()} -n ip -j address show" in done.stderr
