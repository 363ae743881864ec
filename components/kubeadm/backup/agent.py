"""Takes, checks and restores snapshots of etcd. Runs on a control plane, with the Python of its operating system.

`script.backup_script` sends this file on standard input, with a call of `main` at its end, and a verb as argument:
    install  put this file, its settings and its units in place, and start the timer
    remove   take them away again; what is in the bucket stays
    run      take a snapshot, encrypt it and upload it. The timer's service does it
    status   print what the last run on this node did, and when the next one comes
    list     print what is in the bucket
    check    restore the newest snapshot into an etcd of its own, count its keys, and delete it again
    restore  make etcd's folder, and the keys that the cluster can't do without, from the newest snapshot
It needs Python 3.9 or newer, curl, age, and etcd's programs, which it takes out of etcd's image.
The result is a line of JSON on standard output. Exit codes: 0 done, 3 not fit (nothing was changed), 5 a step failed.
Secrets are in the text alone and reach other programs on standard input: no process has them among its arguments.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.parse
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

Request = dict[str, Any]  # of the stack file and its secrets, from JSON

FOLDER = Path("/usr/local/lib/vds-platform")
SETTINGS = Path("/etc/vds-platform/backup.json")
UNITS = Path("/etc/systemd/system")
STATE = Path("/var/lib/vds-platform-backup")
WORK = Path("/var/lib")  # on disk: a snapshot may be larger than the memory
CLUSTER = Path("/var/lib/vds-platform-cluster")
ETCD_DATA = Path("/var/lib/etcd")
PKI = Path("/etc/kubernetes/pki")
MANIFEST = Path("/etc/kubernetes/manifests/etcd.yaml")
PROGRAMS = ("etcd", "etcdctl", "etcdutl")
KEYS = ("sa.key", "sa.pub", "front-proxy-ca.crt", "front-proxy-ca.key")
"""With other keys of service accounts, no pod's token would be valid any more."""
CLIENT = {"ca.crt": "etcd/ca.crt", "client.crt": "apiserver-etcd-client.crt", "client.key": "apiserver-etcd-client.key"}
ENDPOINT = "https://127.0.0.1:2379"
OLDEST_CURL = (7, 88)  # the first that signs a given x-amz-content-sha256 (curl's CHANGES, 7.88.0)
EMPTY = hashlib.sha256(b"").hexdigest()
NAMED = r"/[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[a-z0-9-]+-[0-9a-f]{8}\.age"  # as new_name makes them; sorted by time
REVISION_BUMP = 1_000_000_000  # etcd's documentation, "Restoring with revision bump": more than were written since
LARGEST_UPLOAD = 5 * 2**30  # one PUT of S3
UNFIT, FAILED = 3, 5


DAMAGED = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, KeyError, TypeError, ValueError)
"""What reading an archive raises that is not as `seal` made it."""


class StepError(Exception):
    """A step failed; the text has what to do."""


def stop(text: str, code: int = UNFIT) -> NoReturn:
    sys.stderr.write(text + "\n")
    sys.exit(code)


def call(argv: list[str], *, given: str | None = None, what: str = "", env: dict[str, str] | None = None) -> str:
    """Standard output of a program. `given` is its standard input, where secrets go."""
    try:
        done = subprocess.run(argv, input=given or "", capture_output=True, text=True, env=env, check=False)
    except OSError as error:
        raise StepError(f"{argv[0]} can't be run ({error.strerror}): install it") from None
    if done.returncode:
        raise StepError(f"{what or argv[0]} failed: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout


# --- the bucket ----------------------------------------------------------------------------------------------


class Bucket:
    """Objects of one environment in an S3 bucket, by curl, which signs the requests (AWS Signature Version 4)."""

    def __init__(self, request: Request) -> None:
        self.url = f"{request['endpoint']}/{request['bucket']}"
        self.region, self.folder, self._key = request["region"], request["environment"], request["access_key"]
        self._named = re.compile(re.escape(self.folder) + NAMED)

    def new_name(self, node: str, now: float) -> str:
        """A name that no object has: nothing is overwritten."""
        stamp = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}.{int(now * 1000) % 1000:03}Z"
        return f"{self.folder}/{stamp}-{node}-{secrets.token_hex(4)}.age"

    def put(self, name: str, file: Path) -> None:
        size = file.stat().st_size
        if size > LARGEST_UPLOAD:
            raise StepError(f"the encrypted snapshot has {size} bytes, and S3 takes 5 GiB at once: make etcd smaller")
        digest = hashlib.sha256()
        with file.open("rb") as opened:
            for piece in iter(lambda: opened.read(2**20), b""):
                digest.update(piece)
        self._call("uploading", f"/{name}", "--upload-file", str(file), sha256=digest.hexdigest())

    def get(self, name: str, file: Path) -> None:
        self._call("downloading", f"/{name}", output=file)

    def delete(self, name: str) -> None:
        self._call("deleting", f"/{name}", "--request", "DELETE")

    def names(self) -> list[str]:
        """The snapshots of this environment, oldest first. Other objects are left out."""
        found, token = [], ""
        while True:
            query = f"list-type=2&prefix={urllib.parse.quote(self.folder + '/', safe='')}"
            if token:  # sorted, as they are signed
                query = f"continuation-token={urllib.parse.quote(token, safe='')}&{query}"
            text = self._call("listing", f"/?{query}")
            found += re.findall(r"<Key>([^<]*)</Key>", text)
            more = re.search(r"<NextContinuationToken>([^<]*)</NextContinuationToken>", text)
            if not more:
                return sorted(name for name in found if self._named.fullmatch(name))
            token = more[1]

    def _call(self, what: str, path: str, *words: str, sha256: str = EMPTY, output: Path | None = None) -> str:
        with tempfile.TemporaryDirectory(prefix="vds-platform-s3-") as folder:
            answer = output or Path(folder, "answer")
            argv = ["curl", "--silent", "--show-error", "--config", "-", "--aws-sigv4", f"aws:amz:{self.region}:s3"]
            argv += ["--connect-timeout", "20", "--max-time", "1500", "--retry", "2"]
            argv += ["--header", f"x-amz-content-sha256: {sha256}", "--output", str(answer)]
            status = call(
                [*argv, "--write-out", "%{http_code}", *words, self.url + path],
                given=f'user = "{self._key}"\n',
                what=f"{what} {self.url}{path.partition('?')[0]}",
            )
            if not status.startswith("2"):
                said = answer.read_text(errors="replace")[:1000] if answer.exists() else ""
                code = re.search(r"<Code>([A-Za-z]+)</Code>", said)
                raise StepError(
                    f"{what} {self.url}{path.partition('?')[0]}: the server answered {status}"
                    f"{f' ({code[1]})' if code else ''}: correct cluster.backup, the secret, or its rights"
                )
            return "" if output else answer.read_text(errors="replace")


# --- snapshots -----------------------------------------------------------------------------------------------


def credential(name: str, otherwise: Path) -> Path:
    """A file that systemd gives the service, or the file itself for root."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder, name) if folder else otherwise


def etcdctl(*words: str, endpoint: str = ENDPOINT) -> str:
    argv = [str(FOLDER / "etcdctl"), "--endpoints", endpoint, "--command-timeout", "600s"]
    if endpoint.startswith("https:"):
        certificate, own, key = (str(credential(name, PKI / path)) for name, path in CLIENT.items())
        argv += ["--cacert", certificate, "--cert", own, "--key", key]
    return call([*argv, *words], what=f"etcdctl {' '.join(words[:2])}")


def snapshot_status(file: Path) -> Request:
    found: Request = json.loads(call([str(FOLDER / "etcdutl"), "snapshot", "status", str(file), "-w", "json"]))
    return {
        "hash": found["hash"],
        "revision": found["revision"],
        "keys": found["totalKey"],
        "bytes": found["totalSize"],
    }


def run(request: Request) -> Request:
    """One snapshot in the bucket, by the member that leads etcd: there is one at a time."""
    status = json.loads(etcdctl("endpoint", "status", "-w", "json"))[0]["Status"]
    if status["leader"] != status["header"]["member_id"]:
        return {"state": "another member of etcd leads, and takes the snapshot"}
    bucket, began = Bucket(request), time.time()
    name = bucket.new_name(request["node"], began)
    with tempfile.TemporaryDirectory(prefix="snapshot-", dir=STATE) as folder:
        plain, sealed = Path(folder, "snapshot.db"), Path(folder, "sealed")
        etcdctl("snapshot", "save", str(plain))
        about = {"node": request["node"], "taken": int(began), **snapshot_status(plain)}
        Path(folder, "about.json").write_text(json.dumps(about))
        seal(Path(folder), sealed, request["recipient"])
        bucket.put(name, sealed)
        about = {**about, "object": name, "uploaded": sealed.stat().st_size, "seconds": round(time.time() - began, 1)}
    result = {"state": "uploaded", **about, "deleted": []}
    try:
        for old in bucket.names()[: -request["keep"]] if request["keep"] else ():
            bucket.delete(old)
            result["deleted"].append(old)
    except StepError as error:  # the snapshot is there all the same
        result["problem"] = str(error)
    return result


def seal(folder: Path, sealed: Path, recipient: str) -> None:
    """One encrypted file of the snapshot, of what is said of it, and of the keys in KEYS."""
    packed = folder / "packed"
    with tarfile.open(packed, "w:gz", compresslevel=1) as archive:
        for name in ("about.json", "snapshot.db"):
            archive.add(folder / name, name)
        for name in KEYS:
            archive.add(credential(name, PKI / name), f"pki/{name}")
    call(["age", "--encrypt", "--recipient", recipient, "--output", str(sealed), str(packed)], what="encrypting")
    packed.unlink()


@contextmanager
def opened_snapshot(request: Request) -> Iterator[tuple[Path, Request]]:
    """A folder with the newest snapshot, or the one that is asked for, decrypted; and what is said of it."""
    bucket = Bucket(request)
    names = [request["object"]] if request.get("object") else bucket.names()[-2:]
    if not names:
        raise StepError(f"{bucket.url}/{bucket.folder}/ has no snapshot: nothing can be restored")
    other = f"choose another with --object{f', for example {names[0]}' if len(names) > 1 else ''}"
    with tempfile.TemporaryDirectory(prefix="vds-platform-restore-", dir=WORK) as folder:
        sealed, packed, plain = (Path(folder, name) for name in ("sealed", "packed", "plain"))
        bucket.get(names[-1], sealed)
        try:
            call(
                ["age", "--decrypt", "--identity", "-", "--output", str(packed), str(sealed)],
                given=request["identity"] + "\n",
                what=f"decrypting {names[-1]}",
            )
        except StepError as error:
            remedy = "set the backupIdentity that belongs to the recipient of that time, or"
            raise StepError(f"{error}: {remedy} {other}") from None
        sealed.unlink()
        plain.mkdir(mode=0o700)
        try:
            about = {**unpacked(packed, plain), "object": names[-1]}
        except DAMAGED as error:
            raise StepError(f"{names[-1]} is damaged ({type(error).__name__}: {error}): {other}") from None
        packed.unlink()
        if snapshot_status(plain / "snapshot.db")["hash"] != about["hash"]:
            raise StepError(f"{names[-1]} is not what was taken: its hash differs: {other}")
        yield plain, about


def unpacked(packed: Path, plain: Path) -> Request:
    """What is said of the snapshot; its files are in the folder then. Raises one of DAMAGED."""
    with tarfile.open(packed, "r:gz") as archive:
        for name in ("about.json", "snapshot.db", *(f"pki/{key}" for key in KEYS)):
            source = archive.extractfile(name)
            if source is None:
                raise KeyError(f"{name} is no file")
            (plain / name).parent.mkdir(exist_ok=True)
            with (plain / name).open("wb") as target:
                shutil.copyfileobj(source, target)
    about = json.loads((plain / "about.json").read_text())
    return {name: about[name] for name in ("node", "taken", "hash", "revision", "keys", "bytes")}


def restore_data(snapshot: Path, target: Path, name: str, peer: str) -> None:
    """A folder for a new cluster of one member. Its revision is far above the old one, so that no watch goes on with
    what the old cluster said (etcd's documentation, "Disaster recovery")."""
    argv = [str(FOLDER / "etcdutl"), "snapshot", "restore", str(snapshot), "--data-dir", str(target)]
    argv += ["--name", name, "--initial-cluster", f"{name}={peer}", "--initial-advertise-peer-urls", peer]
    argv += ["--bump-revision", str(REVISION_BUMP), "--mark-compacted"]
    call(argv, what="etcdutl snapshot restore")


def check(request: Request) -> Request:
    """Whether the newest snapshot makes an etcd that answers."""
    began = time.time()
    programs(request)
    with opened_snapshot(request) as (folder, about):
        peer, client = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        restore_data(folder / "snapshot.db", folder / "data", "check", peer)
        with scratch_etcd(folder, peer, client):
            asked = ("/registry/namespaces/kube-system", "/registry/")
            found = [etcdctl("get", key, "--prefix", "--limit", "1", "-w", "json", endpoint=client) for key in asked]
        known, every = (json.loads(text) for text in found)
        keys, revision = every.get("count", 0), every["header"]["revision"]
        if not known.get("count") or revision < about["revision"]:
            raise StepError(f"{about['object']} is no snapshot of a cluster: kube-system is not in it")
    return {**about, "restored_keys": keys, "check_seconds": round(time.time() - began, 1)}


@contextmanager
def scratch_etcd(folder: Path, peer: str, client: str) -> Iterator[None]:
    """An etcd on the node's loopback addresses."""
    argv = [str(FOLDER / "etcd"), "--name", "check", "--data-dir", str(folder / "data")]
    argv += ["--listen-client-urls", client, "--advertise-client-urls", client]
    argv += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"check={peer}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(120):
            with suppress(StepError):
                etcdctl("endpoint", "health", endpoint=client)
                break
            if process.poll() is not None:
                break
            time.sleep(0.5)
        else:
            process.terminate()
        if process.poll() is not None:
            raise StepError(f"an etcd of the snapshot does not start: {(folder / 'log').read_text()[-1000:]}")
        yield
    finally:
        process.terminate()
        process.wait(60)


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def restore(request: Request) -> Request:
    """What kubeadm needs to make the lost cluster again, on a node that is in no cluster."""
    with alone():
        return _restore(request)


def _restore(request: Request) -> Request:
    if (CLUSTER / "joined").exists():
        stop("is a member of a cluster already: nothing was restored")
    if (CLUSTER / "started").exists():  # half a member, of a run that ended
        call(["kubeadm", "reset", "--force"], what="kubeadm reset")
        (CLUSTER / "started").unlink()
    marks = [CLUSTER / "restoring", CLUSTER / "restored"]
    if any(mark.exists() for mark in marks):  # of a run that ended before kubeadm
        for part in ETCD_DATA.iterdir() if ETCD_DATA.exists() else ():
            shutil.rmtree(part)
        for mark in marks:
            mark.unlink(missing_ok=True)
    if ETCD_DATA.exists() and any(ETCD_DATA.iterdir()):
        stop(f"has data in {ETCD_DATA}, which may be newer than the snapshot: move it away, and run again")
    began = time.time()
    programs(request)
    with opened_snapshot(request) as (folder, about):
        replace_file(marks[0], about["object"].encode(), 0o644)
        # In place: the folder may be a disk of its own.
        restore_data(folder / "snapshot.db", ETCD_DATA, request["node"], f"https://{request['address']}:2380")
        ETCD_DATA.chmod(0o700)
        for name in KEYS:
            replace_file(PKI / name, (folder / "pki" / name).read_bytes(), 0o600 if name.endswith(".key") else 0o644)
        marks[0].rename(marks[1])
    return {**about, "restore_seconds": round(time.time() - began, 1)}


@contextmanager
def alone() -> Iterator[None]:
    """Holds the lock of `member.sh`. A run whose operator has gone goes on, and another must not restore beside it."""
    CLUSTER.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(CLUSTER, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        stop(f"another run of vds-platform holds {CLUSTER}: wait for it to end, or end it")
    finally:
        os.close(descriptor)


# --- on the node ---------------------------------------------------------------------------------------------


def programs(request: Request) -> None:
    """etcd's programs of the version that the cluster runs, out of etcd's image, and age."""
    if not shutil.which("age"):
        install_age()
    version = re.match(r"curl (\d+)\.(\d+)", call(["curl", "--version"]))
    if version is None or (int(version[1]), int(version[2])) < OLDEST_CURL:
        stop("has a curl that can't sign uploads: curl 7.88 is in Debian 12 and Ubuntu 24.04")
    listed = call(
        ["kubeadm", "config", "images", "list"]
        + ["--kubernetes-version", f"v{request['kubernetes']}", "--image-repository", request["registry"]]
    ).split()
    [image] = [name for name in listed if "/etcd:" in name]
    mark = FOLDER / "etcd-image"
    if mark.exists() and mark.read_text() == image and all((FOLDER / name).exists() for name in PROGRAMS):
        return
    call(["crictl", "pull", image], what=f"pulling {image}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vds-platform-etcd-") as folder:
        call(["ctr", "--namespace", "k8s.io", "images", "mount", image, folder], what=f"opening {image}")
        try:
            for name in PROGRAMS:
                replace_file(FOLDER / name, Path(folder, "usr/local/bin", name).read_bytes(), 0o755)
        finally:
            call(["ctr", "--namespace", "k8s.io", "images", "unmount", "--rm", folder])
    replace_file(mark, image.encode(), 0o644)


def install_age() -> None:
    options = ["-q", "-y", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3"]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    call(["apt-get", *options, "update"], what="apt-get update", env=env)
    call(["apt-get", *options, "--no-install-recommends", "install", "age"], what="installing age", env=env)


def replace_file(path: Path, content: bytes, mode: int) -> bool:
    """Whole or not at all. True if it was another file before."""
    if path.exists() and path.read_bytes() == content and path.stat().st_mode & 0o777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=0o600, exist_ok=False)
    beside.write_bytes(content)
    beside.chmod(mode)
    beside.replace(path)
    return True


def install(request: Request, source: str) -> Request:
    programs(request)
    public = ("identity", "object", "units", "address")  # what no timer needs
    settings = {key: value for key, value in request.items() if key not in public}
    FOLDER.chmod(0o755)  # the service is not root
    text = f"{source}\n\nmain_of_the_service()\n"
    changed = replace_file(FOLDER / "backup.py", text.encode(), 0o755)
    changed |= replace_file(SETTINGS, json.dumps(settings).encode(), 0o600)
    for name, text in request["units"].items():
        changed |= replace_file(UNITS / name, text.encode(), 0o644)
    call(["systemctl", "daemon-reload"])
    call(["systemctl", "enable", "vds-platform-backup.timer"])
    call(["systemctl", "restart" if changed else "start", "vds-platform-backup.timer"])
    return {"node": request["node"], "changed": changed}


def remove(request: Request) -> Request:
    with suppress(StepError):  # it may be gone already
        call(["systemctl", "disable", "--now", "vds-platform-backup.timer"])
    for path in (*(UNITS / name for name in request["units"]), SETTINGS, FOLDER / "backup.py", FOLDER / "etcd-image"):
        path.unlink(missing_ok=True)
    for name in PROGRAMS:
        (FOLDER / name).unlink(missing_ok=True)
    call(["systemctl", "daemon-reload"])
    return {"node": request["node"], "changed": True}


def status(request: Request) -> Request:
    """What the service and its timer say. A run that failed has no result, and the unit says so."""
    last = STATE / "last.json"
    words = ["--property", "Result,ActiveState,ExecMainExitTimestamp", "vds-platform-backup.service"]
    unit = dict(line.partition("=")[::2] for line in call(["systemctl", "show", *words]).splitlines())
    timer = call(["systemctl", "show", "--property", "ActiveState", "--value", "vds-platform-backup.timer"]).strip()
    return {
        "node": request["node"],
        "timer": timer,
        "result": unit.get("Result", ""),
        "last": json.loads(last.read_text()) if last.exists() else None,
    }


def take(request: Request) -> Request:
    """One run now, of the service."""
    call(["systemctl", "start", "vds-platform-backup.service"], what="vds-platform-backup.service")
    return status(request)


def listed(request: Request) -> Request:
    return {"node": request["node"], "objects": Bucket(request).names()}


VERBS = {"remove": remove, "status": status, "now": take, "list": listed, "check": check, "restore": restore}


def main(request: Request, source: str = "") -> None:
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    os.environ["LC_ALL"] = "C"
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
    os.umask(0o077)
    try:
        if verb == "install":
            result = install(request, source)
        elif verb in VERBS:
            result = VERBS[verb](request)
        else:
            stop(f"use: python3 -I - install|{'|'.join(VERBS)}", 2)
    except (StepError, OSError) as error:  # OSError: the disk is full, for example
        stop(str(error), FAILED)
    print(json.dumps(result))


def main_of_the_service() -> None:
    """`run`, with the settings that systemd gives the service."""
    os.umask(0o077)
    try:
        result = run(json.loads(credential("settings", SETTINGS).read_text()))
    except (StepError, OSError) as error:
        stop(str(error), FAILED)
    if "object" in result:
        (STATE / "last.json").write_text(json.dumps(result))
    print(json.dumps(result))
    if "problem" in result:
        stop(result["problem"], FAILED)
