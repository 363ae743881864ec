"""`vds validate` as a person or a program runs it: exit status, lines, JSON."""

import json
import subprocess
import sys

import pytest

from tests.support.commands import vds
from tests.support.stack_file_changes import changed
from tests.support.stacks import ROOT

OSLO = (ROOT / "Pulumi.oslo.yaml").read_text(encoding="utf-8")


@pytest.fixture
def run(monkeypatch):
    def runs(*words, cwd=ROOT, given=""):
        monkeypatch.chdir(cwd)
        return vds("validate", *map(str, words), stdin=given)

    return runs


@pytest.fixture
def wrong(tmp_path):
    file = tmp_path / "Pulumi.oslo.yaml"
    text = changed(OSLO, {"replace": "podCidr: 10.244.0.0/16", "with": "podCidr: 10.244.0.1/16"})
    file.write_text(changed(text, {"replace": "hubble: true", "with": "hubbel: true"}))
    return file


def line_of(file, text):
    return next(number for number, line in enumerate(file.read_text().splitlines(), 1) if text in line)


def test_a_valid_file_ends_with_0_and_says_which_secrets_it_has_not(run):
    done = run("Pulumi.oslo.yaml")
    assert (done.exit_code, done.stderr) == (0, "")
    *advice, last = done.stdout.splitlines()
    assert last == "Pulumi.oslo.yaml: valid"
    assert len(advice) == 3
    assert all(line.startswith("advice: Pulumi.oslo.yaml:") for line in advice)


def test_each_mistake_is_a_line_with_file_and_line(run, wrong):
    done = run(wrong)
    assert done.exit_code == 1
    lines = [line for line in done.stdout.splitlines() if not line.startswith("advice")]
    first, second = line_of(wrong, "podCidr"), line_of(wrong, "hubbel")
    assert lines[0] == f"{wrong}:{first} network.podCidr: '10.244.0.1/16' has host bits set: write 10.244.0.0/16"
    assert lines[1].startswith(f"{wrong}:{second} cni.hubbel: is not a setting here: did you mean hubble?")
    assert lines[2:] == [f"{wrong}: 2 problems"]


def test_json_has_every_part_of_a_finding(run, wrong):
    done = run("--json", wrong)
    assert done.exit_code == 1
    first, second, *advice = json.loads(done.stdout)
    assert first == {
        "file": str(wrong),
        "line": line_of(wrong, "podCidr"),
        "lines": [line_of(wrong, "podCidr")],
        "item": "network.podCidr",
        "value": "10.244.0.1/16",
        "message": "'10.244.0.1/16' has host bits set",
        "remedy": "write 10.244.0.0/16",
        "rule": "stack-file",
        "severity": "error",
    }
    assert (second["item"], second["value"]) == ("cni.hubbel", "")
    assert {one["severity"] for one in advice} == {"advice"}


def test_a_file_that_cannot_be_read_ends_with_2_and_the_others_are_checked(run, tmp_path, wrong):
    (tmp_path / "latin").write_bytes(b"config: \xff\xfe")
    done = run(tmp_path / "nowhere.yaml", tmp_path / "latin", tmp_path, wrong)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 3
    assert "it is no UTF-8 text" in done.stderr
    assert "did you mean hubble?" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_read_is_in_the_json_too(run, tmp_path, wrong):
    (tmp_path / "latin").write_bytes(b"config: \xff\xfe")
    done = run("--json", "nowhere.yaml", tmp_path / "latin", wrong)
    assert done.exit_code == 2
    first, second, *others = json.loads(done.stdout)
    assert (first["file"], first["line"], first["remedy"]) == (
        "nowhere.yaml",
        None,
        "name a stack file that you may read",
    )
    assert (first["severity"], second["remedy"]) == ("error", "save it as UTF-8")
    assert others


def test_a_dash_is_standard_input(run):
    done = run("-", given=OSLO.replace("hubble: true", "hubbel: true"))
    assert done.exit_code == 1
    assert "\n-:" in f"\n{done.stdout}"
    assert "cni.hubbel: is not a setting here" in done.stdout


def test_files_that_it_names_are_looked_for_beside_it(run, tmp_path):
    file = tmp_path / "Pulumi.oslo.yaml"
    file.write_text(changed(OSLO, {"set": {"ssh.knownHostsFile": "hosts"}}))
    assert run(file, cwd=tmp_path.parent).exit_code == 1
    (tmp_path / "hosts").write_text("")
    assert run(file, cwd=tmp_path.parent).exit_code == 0


LOADED = """
import sys
from vds.main import run
code = run(["validate", "Pulumi.oslo.yaml"])
sys.exit(f"loads {found}" if (found := {"grpc", "kubernetes", "pulumi", "typst"} & set(sys.modules)) else code)
"""


def test_it_needs_no_engine_and_loads_none_of_the_libraries_that_take_a_second():
    environment = {"PATH": "/nowhere", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
