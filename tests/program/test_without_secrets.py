"""A preview needs no secret, no node and no cluster; an update refuses to run so."""

import sys

import pytest

from components.stackfile.parsing import SpecError
from tests.support import bootstraps
from tests.support.program import SECRETS, run_program
from tests.support.stacks import ROOT, existing_data
from vds.preview_comment.touched import code_folders, is_data

NONE = dict.fromkeys([*SECRETS, *bootstraps.SECRETS, "certificates"])


@pytest.mark.parametrize("data", [None, existing_data()], ids=["kubeadm", "existing"])
def test_a_preview_declares_the_same_resources_without_any_secret(data):
    """Finding 2: sshPrivateKey was demanded, so a job that only previews held root's key of every node."""
    without = run_program("oslo", data, preview=True, withoutSecrets="true", **NONE)
    with_secrets = run_program("oslo", data, preview=True)
    assert set(without.resources) == set(with_secrets.resources)
    assert {urn: one.secret_inputs for urn, one in without.resources.items()} == {
        urn: one.secret_inputs for urn, one in with_secrets.resources.items()
    }


def test_an_update_refuses_to_run_without_secrets():
    with pytest.raises(SpecError, match=r"withoutSecrets: is for previews, .*pulumi config rm") as caught:
        run_program("oslo", withoutSecrets="true", **NONE)
    assert "nothing was changed" in str(caught.value)


def test_every_file_of_the_project_that_a_program_opens_is_program_or_data():
    """Which stacks a change touches is decided by what the program reads."""
    opened = set()
    watching = True

    def note(event, arguments):
        if watching and event == "open" and isinstance(arguments[0], str):
            opened.add(arguments[0])

    sys.addaudithook(note)  # it can't be removed
    run_program("oslo", preview=True, withoutSecrets="true", **NONE)
    watching = False
    ours = {name.removeprefix(f"{ROOT}/") for name in opened if name.startswith(f"{ROOT}/")}
    relative = {name for name in opened if not name.startswith(("/", "<")) and (ROOT / name).is_file()}
    read = {name for name in ours | relative if "__pycache__" not in name and not name.startswith(("tests/", ".venv"))}
    assert "Pulumi.oslo.yaml" in read
    assert "charts.lock.yaml" in read
    named, code = {"Pulumi.oslo.yaml", "charts.lock.yaml"}, code_folders(["components/x.py"])
    data = {name for name in read if is_data(name, named, code)}
    assert data == named
    assert {name.split("/")[0] for name in read - data} <= {"__main__.py", "components", "Pulumi.yaml", ".github"}
