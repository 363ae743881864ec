"""What the guide tells people to write and to run is what the platform takes."""

import re
import subprocess

import yaml

from tests.support.bootstraps import bootstrap_data
from tests.support.stacks import ROOT, problems

GUIDE = (ROOT / "docs/howto/bootstrap-a-cluster.md").read_text()
FIRST = (ROOT / "docs/howto/first-environment.md").read_text()


def test_the_stack_file_of_the_guide_is_right_but_for_the_keys_that_it_leaves_out():
    data = bootstrap_data()
    block = re.search(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    written = yaml.safe_load(block[1])["cluster"]
    written["packages"]["signingKey"] = data["cluster"]["packages"]["signingKey"]
    written["caCertificate"] = data["cluster"]["caCertificate"]
    assert problems({**data, "cluster": written}) == []


def test_the_authority_that_the_guide_makes_is_one(tmp_path):
    commands = re.search(r"(\(umask 077; openssl req -x509[^`]*?-out ca\.crt\))\n", FIRST)
    subprocess.run(["sh", "-ec", commands[1]], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "ca.key").stat().st_mode & 0o077 == 0
    data = bootstrap_data()
    data["cluster"]["caCertificate"] = (tmp_path / "ca.crt").read_text()
    assert problems(data) == []
