"""Snapshots of etcd, with a real etcd, age, curl, and an S3 server that verifies signatures."""

import json
import shutil
import stat
import subprocess
import tarfile
import time

import pytest
from pydantic import ValidationError

from tests.support.backups import ACCESS_KEY, IDENTITY, RECIPIENT, control_plane, free_port, spec

SECRET = ACCESS_KEY.partition(":")[2]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with control_plane(tmp_path_factory.mktemp("restore")) as made:
        made.etcdctl("put", "/registry/namespaces/kube-system", "x")
        yield made


@pytest.fixture
def taken(node):
    """A snapshot, and what etcd has afterwards."""
    node.etcdctl("put", "/registry/secrets/butikk/password", "before")
    about = node.result("run")
    node.etcdctl("put", "/registry/secrets/butikk/password", "after")
    return about


def test_what_is_restored_is_what_was_there_when_the_snapshot_was_taken(node, taken):
    about = node.result("restore")
    assert about["object"] == taken["object"]
    client = f"http://127.0.0.1:{free_port()}"
    data = node.folder / "etcd-data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    with node.running_etcd(data, client):
        read = node.etcdctl("get", "/registry/secrets/butikk/password", "--print-value-only", endpoint=client)
        status = json.loads(node.etcdctl("endpoint", "status", "-w", "json", endpoint=client))[0]["Status"]
    assert read.strip() == "before"
    now = json.loads(node.etcdctl("endpoint", "status", "-w", "json"))[0]["Status"]
    assert status["header"]["revision"] > now["header"]["revision"] + 1000, "a watch would go on with old revisions"
    assert status["header"]["cluster_id"] != now["header"]["cluster_id"], "a member that comes back would join it"
    assert (node.folder / "pki/sa.key").read_text() == "content of sa.key\n"
    assert stat.S_IMODE((node.folder / "pki/sa.key").stat().st_mode) == 0o600
    assert (node.folder / "cluster/restored").read_text().strip() == taken["object"]
    assert node.result("restore")["object"] == taken["object"], "a second run begins anew"
    assert not list((node.folder / "work").iterdir()), "nothing that is decrypted stays"


def test_a_member_and_data_of_an_etcd_are_not_restored_over(node, taken):
    (node.folder / "cluster/restored").unlink(missing_ok=True)
    (node.folder / "etcd-data/member").mkdir(parents=True, exist_ok=True)
    done = node.run("restore")
    assert done.returncode == 3
    assert "move it away" in done.stderr
    (node.folder / "cluster/joined").touch()
    done = node.run("restore")
    assert done.returncode == 3
    assert "member of a cluster already" in done.stderr
    (node.folder / "cluster/joined").unlink()
    (node.folder / "cluster/restored").touch()


def test_a_check_starts_an_etcd_of_the_newest_snapshot_and_counts_its_keys(node, taken):
    checked = node.result("check")
    assert checked["object"] == taken["object"]
    assert checked["restored_keys"] == taken["keys"]
    assert not list((node.folder / "work").iterdir())


DAMAGE = {
    "not encrypted": "decrypting",
    "another hash": "its hash differs",
    "no cluster": "no snapshot of a cluster",
    "no archive": "is damaged (ReadError",
    "half an archive": "is damaged (ReadError",
    "no key": "is damaged (KeyError",
    "no record": "is damaged (JSONDecodeError",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_check_fails_if_the_snapshot_was_changed_or_is_of_no_cluster(node, taken, damage):
    folder = node.folder / "made"
    folder.mkdir()
    node.etcdctl("snapshot", "save", str(folder / "snapshot.db"))
    about = {**taken, "hash": 1 if damage == "another hash" else taken["hash"], "revision": 2**62}
    if damage == "no cluster":
        status = [node.tools.path("etcdutl"), "snapshot", "status", folder / "snapshot.db", "-w", "json"]
        about["hash"] = json.loads(subprocess.run(status, capture_output=True, check=True).stdout)["hash"]
    (folder / "about.json").write_text("{" if damage == "no record" else json.dumps(about))
    shutil.copytree(node.folder / "pki", folder / "pki")
    packed = folder / "packed"
    with tarfile.open(packed, "w:gz") as archive:
        for name in ("about.json", "snapshot.db", *(["pki"] if damage != "no key" else [])):
            archive.add(folder / name, name)
    if damage in ("no archive", "half an archive"):
        packed.write_bytes(b"" if damage == "no archive" else packed.read_bytes()[:-2000])
    sealed = folder / "sealed"
    age = [node.tools.path("age"), "-r", node.recipient, "-o", sealed, packed]
    subprocess.run(age, check=True)
    name = "oslo/20990101T000000.000Z-osl-cp-1-00000000.age"
    node.put(name, packed if damage == "not encrypted" else sealed)
    shutil.rmtree(folder)
    try:
        done = node.run("check")
    finally:
        node.delete(name)
    assert done.returncode == 5
    assert DAMAGE[damage] in done.stderr
    assert "Traceback" not in done.stderr
    assert damage == "no cluster" or f"choose another with --object, for example {taken['object']}" in done.stderr
    assert not list((node.folder / "work").iterdir()), "nothing that is decrypted stays"
    assert node.result("check")["object"] == taken["object"]


def test_no_two_runs_restore_at_once(node, taken):
    """The first one's operator may have gone; it goes on."""
    (node.folder / "cluster/restored").touch()
    with subprocess.Popen(["flock", node.folder / "cluster", "cat"], stdin=subprocess.PIPE) as other:
        while subprocess.run(["flock", "-n", node.folder / "cluster", "true"]).returncode == 0:
            time.sleep(0.01)
        done = node.run("restore")
        assert done.returncode == 3
        assert "another run of vds-platform holds" in done.stderr
        other.communicate()
    assert node.result("restore")["object"] == taken["object"]


def test_a_disk_that_is_full_is_said_without_a_traceback(node, taken):
    node.program("age", "echo 'age: error: no space left on device' >&2; exit 1")
    try:
        done = node.run("run")
    finally:
        (node.folder / "bin/age").unlink(missing_ok=True)
        (node.folder / "bin/age").symlink_to(node.tools.path("age"))
    assert (done.returncode, "no space left" in done.stderr) == (5, True)
    work = node.folder / "work"
    work.rmdir()
    try:
        done = node.run("check")
    finally:
        work.mkdir()
    assert done.returncode == 5
    assert "Traceback" not in done.stderr


def test_another_identity_opens_nothing(node, taken):
    done = node.run("check", identity=IDENTITY, object=taken["object"])
    assert done.returncode == 5
    assert "decrypting" in done.stderr
    assert "set the backupIdentity that belongs to the recipient of that time" in done.stderr
    assert IDENTITY not in done.stderr


def test_a_wrong_key_of_the_bucket_is_refused_by_the_server_and_is_not_shown(node):
    wrong = "BACKUPKEYID:another-secret-key"
    done = node.run("run", access_key=wrong)
    assert done.returncode == 5
    assert "403" in done.stderr
    assert "another-secret-key" not in done.stderr + done.stdout


def test_a_server_that_does_not_answer_fails_the_run(node):
    done = node.run("run", endpoint=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 5
    assert "uploading" in done.stderr


def test_a_follower_of_etcd_takes_none(node):
    node.program("etcdctl-real", 'echo \'[{"Status": {"leader": 1, "header": {"member_id": 2}}}]\'')
    link = node.folder / "lib/etcdctl"
    before = link.readlink()
    link.unlink()
    link.symlink_to(node.folder / "bin/etcdctl-real")
    try:
        assert "another member" in node.result("run")["state"]
    finally:
        link.unlink()
        link.symlink_to(before)


def test_only_the_oldest_snapshots_beyond_those_that_stay_are_deleted(node):
    for _ in range(3):
        node.result("run")
    before = node.result("list")["objects"]
    newest = node.result("run", keep=2)
    left = node.result("list")["objects"]
    assert left == [*before, newest["object"]][-2:]
    assert newest["deleted"] == before[:-1]
    assert not node.result("run", environment="bergen", keep=2)["deleted"], "another environment's stay"
    assert node.result("list")["objects"] == left


def test_no_secret_is_in_a_file_that_others_read_or_in_arguments(node):
    node.program("curl", 'echo "curl $@" >>"$CALLS"; exec /usr/bin/curl "$@"')
    try:
        node.result("run")
    finally:
        (node.folder / "bin/curl").unlink()
    calls = (node.folder / "calls").read_text()
    assert "curl --silent" in calls
    assert SECRET not in calls
    kept = (node.folder / "state/last.json").read_text()
    assert SECRET not in kept


def test_the_units_are_installed_with_settings_for_root_alone_and_removed_again(node):
    (node.folder / "lib").chmod(0o700)
    assert node.result("install")["changed"]
    for readable in ("lib", "lib/backup.py"):
        mode = stat.S_IMODE((node.folder / readable).stat().st_mode)
        assert mode == 0o755, "the service is not root, and runs it"
    assert not node.result("install")["changed"]
    settings = node.folder / "backup.json"
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    assert "identity" not in json.loads(settings.read_text()), "a node that is stolen opens no older snapshot"
    assert (node.folder / "lib/backup.py").read_text().endswith("\nmain_of_the_service()\n")
    assert "enable vds-platform-backup.timer" in (node.folder / "calls").read_text()
    programs = {name: (node.folder / "lib" / name).readlink() for name in ("etcd", "etcdctl", "etcdutl")}
    node.result("remove")
    assert not settings.exists()
    assert not list((node.folder / "units").iterdir())
    for name, target in programs.items():
        (node.folder / "lib" / name).symlink_to(target)
    (node.folder / "lib/etcd-image").write_text("registry.example.no/etcd:3.6.8-0")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"recipient": IDENTITY}, "is a secret key"),
        ({"recipient": "age1abc"}, "no recipient"),
        ({"recipient": RECIPIENT[:-1] + ("q" if RECIPIENT[-1] != "q" else "p")}, "damaged"),
        ({"every_minutes": 1}, "greater than or equal to 5"),
        ({"bucket": "UPPER"}, "match pattern"),
    ],
)
def test_a_stack_file_with_a_wrong_backup_is_refused(changed, said):
    with pytest.raises(ValidationError) as error:
        spec(**changed)
    assert said in str(error.value)
    assert IDENTITY not in str(error.value)
