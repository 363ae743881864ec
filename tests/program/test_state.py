"""What a real engine keeps of a cluster that it has made: an update, and then the exported state."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab import plugins
from lab.toolchain import build
from lab.toolchain.pins import TOOLS
from tests.support.bootstraps import CA_KEY
from tests.support.sshd import listening
from tests.support.stacks import ROOT

ADMIN = "apiVersion: v1\nkind: Config\nusers: [{user: {client-key-data: QURNSU4=}}]\n"
NODES = ("osl-cp-1", "osl-cp-2", "osl-w-1", "osl-w-2")
TIMEOUT = """#!/bin/sh
case "$4" in
openssl)
	shift 3
	exec sh -c "$(printf '%s' "$*" | sed "s|/etc/kubernetes|$FOLDER|")"
	;;
esac
cat >"$FOLDER/script-$(date +%s%N)-$6"
[ ! -e "$FOLDER/fails-$6" ] || { cat "$FOLDER/fails-$6"; exit 5; }
printf '{"node": "n"}\\nchanged\\n'
"""

# In place of `vds upgrade`: writes down which node it was called for, and when it had done that.
UPGRADE = """#!/bin/sh
node=$(sed -n 's/.*"node": "\\([a-z0-9-]*\\)".*/\\1/p')
echo "begin $node" >>upgrades
[ ! -e "fails-$node" ] || exit 1
sleep 0.3
echo "end $node" >>upgrades
"""


def engine() -> Path | None:
    """Pulumi's engine, if one is installed or the lab has built it."""
    [tool] = [tool for tool in TOOLS if tool.name == "pulumi"]
    found, missing = build.look([tool])
    return None if missing else found.path("pulumi")


pytestmark = pytest.mark.skipif(engine() is None, reason="needs pulumi, which `make tools NAME=pulumi` builds")


_VERBS = ("prepare", "authority", "apply", "keep", "admit", "upload", "remove")
_STACK = ("--stack", "test")


class Project:
    """A folder with a project, its backend, and a folder for each server."""

    def __init__(self, folder: Path, addresses: dict[str, tuple[str, int, str]], key: str) -> None:
        self.folder, self._addresses = folder, addresses
        (folder / "Pulumi.yaml").write_text("name: vds-platform\nruntime: python\n")
        start = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests.support.members import declare\ndeclare()\n"
        (folder / "__main__.py").write_text(start)
        (folder / "state").mkdir()
        path = engine()
        assert path
        programs = folder / "programs"
        plugins.provide(programs, built=Path("/bin/false"), version="0.0.0")
        self._environment = {
            "PATH": f"{programs}:{path.parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        self.pulumi("stack", "init", "test")
        self.secret("sshPrivateKey", key)
        self.secret("caKey", CA_KEY)

    def secret(self, name: str, value: str) -> None:
        self.pulumi("config", "set", "--secret", f"vds-platform:{name}", said=value)

    def pulumi(self, *words: str, said: str = "", fails: bool = False) -> str:
        """What pulumi prints."""
        done = subprocess.run(
            ["pulumi", "--non-interactive", "--color", "never", *words, *([] if words[0] == "stack" else _STACK)],
            cwd=self.folder,
            env=self._environment,
            input=said,
            capture_output=True,
            text=True,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def up(self, *names: str, fails: bool = False) -> str:
        """An update of a stack of these nodes."""
        (self.folder / "servers.json").write_text(json.dumps({name: self._addresses[name] for name in names}))
        return self.pulumi("up", "--yes", "--skip-preview", fails=fails)

    def export(self) -> str:
        """The state with all of its secrets in clear."""
        return self.pulumi("stack", "export", "--show-secrets", "--stack", "test")

    def verbs(self, node: str) -> list[str]:
        """What the member script was run for on a node."""
        found = [file.name.rsplit("-", 1)[1] for file in sorted((self.folder / node).glob("script-*"))]
        return [verb for verb in found if verb in _VERBS]

    def scripts(self, node: str, verb: str) -> list[str]:
        """The scripts that ran for a verb."""
        return [file.read_text() for file in sorted((self.folder / node).glob(f"script-*-{verb}"))]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    addresses, key = {}, ""
    with ExitStack() as stack:
        for number, name in enumerate(NODES, 1):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "timeout").write_text(TIMEOUT.replace("$FOLDER", str(folder)))
            (folder / "ls").write_text(f'#!/bin/sh\n[ ! -e "{folder}/joined" ] || echo joined\n')
            for tool in ("timeout", "ls"):
                (folder / tool).chmod(0o755)
            (folder / "admin.conf").write_text(ADMIN)
            made = stack.enter_context(listening([f"127.0.0.{number}"], f"{folder}:/usr/bin:/bin", key=key))
            key = made.private_key
            addresses[name] = (f"127.0.0.{number}", made.port, made.host_key)
        yield Project(tmp_path, addresses, key)


def token_of(script: str) -> str:
    return re.search(r'"token": "([a-z0-9]{6}\.[a-z0-9]{16})"', script)[1]


def test_the_state_of_a_cluster_has_no_key_of_its_authority_and_no_token_that_lives(project):
    first, worker, second = "osl-cp-1", "osl-w-1", "osl-w-2"
    assert shutil.which("openssl")
    project.up(first, "osl-cp-2", worker)
    assert project.verbs(first)[:2] == ["prepare", "authority"]
    assert set(project.verbs(first)[2:]) == {"apply", "keep", "admit", "upload"}
    assert CA_KEY.strip() in project.scripts(first, "authority")[0]
    state = project.export()
    for line in CA_KEY.strip().splitlines():
        assert line not in state, "the authority's key"
    old = token_of(project.scripts(worker, "apply")[0])
    assert old == token_of(project.scripts(first, "admit")[0])
    assert json.loads(project.pulumi("stack", "output", "--show-secrets", "--json", "--stack", "test")) == {
        "kubeconfig": ADMIN
    }

    project.pulumi("config", "rm", "vds-platform:caKey")
    for name in (first, "osl-cp-2", worker):
        (project.folder / name / "joined").touch()
    ran = project.verbs(first)
    assert re.search(r"\d+ unchanged\n", project.up(first, "osl-cp-2", worker))
    assert project.verbs(first) == ran, "nothing was let in"

    project.up(first, "osl-cp-2", worker, second)
    assert project.verbs(first) == [*ran, "admit"], "a worker needs no certificates of control planes"
    new = token_of(project.scripts(first, "admit")[-1])
    assert new == token_of(project.scripts(second, "apply")[0]) != old
    assert len(project.scripts(worker, "apply")) == 1


def test_a_token_that_was_too_old_is_drawn_anew_by_the_next_run(project):
    first, worker = "osl-cp-1", "osl-w-1"
    (project.folder / worker / "fails-apply").write_text("the token has expired\n")
    project.up(first, worker, fails=True)
    (project.folder / worker / "fails-apply").unlink()
    project.up(first, worker)
    before, after = (token_of(script) for script in project.scripts(first, "admit"))
    assert before != after == token_of(project.scripts(worker, "apply")[-1])


def test_a_lost_membership_does_not_make_a_second_cluster(project):
    """The first server was installed anew, and its membership was taken out of the state."""
    first, worker = "osl-cp-1", "osl-w-1"
    project.up(first, worker)
    (project.folder / worker / "joined").touch()
    state = json.loads(project.export())
    for item in state["deployment"]["resources"]:
        if item["urn"].endswith(("osl-cp-1-membership", "osl-cp-1-member", "osl-cp-1-kubeconfig")):
            item["protect"] = False
            project.pulumi("state", "unprotect", "--yes", item["urn"])
    [urn] = [item["urn"] for item in state["deployment"]["resources"] if item["urn"].endswith("osl-cp-1-membership")]
    project.pulumi("state", "delete", "--yes", "--force", "--target-dependents", urn)
    said = project.up(first, worker, fails=True)
    assert "osl-cp-1 would make a new cluster, but osl-w-1 already in one" in said
    assert project.verbs(first).count("apply") == project.verbs(first).count("authority") == 1


def test_an_upgrade_reaches_one_node_after_the_other_and_goes_on_after_a_failure(project):
    python = project.folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(UPGRADE)
    python.chmod(0o755)
    upgrades = project.folder / "upgrades"
    project.up(*NODES)
    assert not upgrades.exists(), "nodes join with the packages of the stack file"

    project.pulumi("config", "set", "vds-platform:kubernetesVersion", "1.36.4")
    (project.folder / "fails-osl-w-1").touch()
    kept = [project.verbs(node).count("keep") for node in NODES]
    project.up(*NODES, fails=True)
    first = [f"{when} {node}" for node in NODES[:2] for when in ("begin", "end")]
    assert upgrades.read_text().splitlines() == [*first, "begin osl-w-1"]
    assert [project.verbs(node).count("keep") for node in NODES] == [kept[0] + 1, kept[1] + 1, *kept[2:]]

    (project.folder / "fails-osl-w-1").unlink()
    upgrades.unlink()
    project.up(*NODES)
    assert upgrades.read_text().splitlines() == [f"{when} {node}" for node in NODES[2:] for when in ("begin", "end")]
    assert re.search(r"\d+ unchanged\n", project.up(*NODES))
