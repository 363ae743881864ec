"""The script that writes encryption keys, run for real in a folder, with a stand-in for kubectl."""

import os
import subprocess

import pytest

from components.kubeadm.security.encryption import key_name, rewrite_script, write_script
from components.kubeadm.security.model import SecuritySpec

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the script writes files of root")
OLD, NEW = "A" * 43 + "=", "B" * 43 + "="
KUBECTL = """#!/bin/sh
echo "$@" >>"$MACHINE/calls"
case "$*" in
*metrics*) echo "process_start_time_seconds 9.9e+11" ;;
*' get secrets '*) echo '{}' ;;
*' replace '*) cat >/dev/null; [ ! -e "$MACHINE/conflict" ] || { rm "$MACHINE/conflict"; echo Conflict; exit 1; } ;;
esac
"""


class ControlPlane:
    """A folder with what the script reads and writes."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("bin", "state"):
            (folder / name).mkdir()
        (folder / "bin/kubectl").write_text(KUBECTL)
        (folder / "bin/kubectl").chmod(0o755)
        (folder / "calls").touch()
        (folder / "kube-apiserver.yaml").write_text("--encryption-provider-config=x\n")

    def run(self, verb, *keys, first=True):
        given = {"security": SecuritySpec(), "keys": ",".join(keys)}
        if verb == "write":
            text = write_script("osl-cp-1", "https://198.51.100.11:6443", first=first, **given)
        else:
            text = rewrite_script("osl-cp-1", "https://198.51.100.11:6443", **given)
        for path, own in (
            ("/etc/kubernetes/vds-platform", f"{self.folder}/keys"),
            ("/var/lib/vds-platform-cluster", f"{self.folder}/state"),
            ("/etc/kubernetes/manifests", str(self.folder)),
        ):
            text = text.replace(path, own)
        environment = {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "MACHINE": str(self.folder)}
        return subprocess.run(
            ["sh", "-s", verb], input=text, capture_output=True, text=True, env=environment, check=False
        )

    @property
    def file(self):
        return self.folder / "keys/encryption.json"


@pytest.fixture
def control_plane(tmp_path):
    return ControlPlane(tmp_path)


def test_the_keys_are_for_root_alone_and_are_no_argument_of_anything(control_plane):
    assert control_plane.run("write", OLD).stdout == "changed\n"
    assert OLD in control_plane.file.read_text()
    assert control_plane.file.stat().st_mode & 0o777 == 0o600
    assert control_plane.file.parent.stat().st_mode & 0o777 == 0o700
    assert control_plane.run("write", OLD).stdout == "unchanged\n"
    assert OLD not in (control_plane.folder / "calls").read_text()


def test_a_key_is_rotated_in_three_steps_and_no_other_order_is_taken(control_plane):
    def refused(*keys):
        before = control_plane.file.read_text()
        done = control_plane.run("write", *keys)
        assert done.returncode == 3
        assert control_plane.file.read_text() == before
        assert OLD not in done.stderr
        return done.stderr

    control_plane.run("write", OLD)
    control_plane.run("rewrite", OLD)
    (control_plane.folder / "state/joined").touch()
    assert "does not know the first key of encryptionKeys yet" in refused(NEW, OLD)
    assert "does not know the first key" in refused(NEW)
    assert control_plane.run("write", OLD, NEW).stdout == "changed\n"
    assert "may still need the key that leaves" in refused(NEW)
    assert control_plane.run("write", NEW, OLD).stdout == "changed\n"
    assert "may still need the key that leaves" in refused(NEW)
    assert control_plane.run("rewrite", NEW, OLD).stdout == "changed\n"
    assert (control_plane.folder / "state/encrypted-with").read_text() == f"{key_name(NEW)}\n"
    assert control_plane.run("write", NEW).stdout == "changed\n"
    assert OLD not in control_plane.file.read_text()
    assert control_plane.run("rewrite", NEW).stdout == "unchanged\n"


def test_a_secret_that_changes_in_the_meantime_is_read_again(control_plane):
    control_plane.run("write", OLD)
    (control_plane.folder / "conflict").touch()
    assert control_plane.run("rewrite", OLD).stdout == "changed\n"
    assert (control_plane.folder / "calls").read_text().count("replace") == 2
