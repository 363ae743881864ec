"""A control plane's backup without a cluster: a real etcd, age, curl, and an S3 server that verifies signatures."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.kubeadm.backup import render
from components.kubeadm.backup.model import BackupSpec
from lab.progress import Progress
from lab.toolchain import build
from lab.toolchain.pins import TOOLS
from tests.support.bootstraps import ACCESS_KEY

RECIPIENT = "age195uzr7ry99jwlrt3wva5ynlekcqnz2m3tm2t2aj2yz7nsk4n7a0sfjsluz"
IDENTITY = "AGE-SECRET-KEY-1HGVF884G7K4DS7LXHDSFTVVR45KKGZ9A5CH8Q9YLN6AS4XGFG2SSLW9P3S"
BUCKET = "cluster-backups"
_NAMES = ("etcd", "etcdctl", "etcdutl", "age", "age-keygen", "s3server")
_SECONDS = 60


def spec(**changed: Any) -> BackupSpec:
    """What a stack file has."""
    given = {"host": "s3.example.no", "bucket": BUCKET, "region": "no-1", "recipient": RECIPIENT}
    return BackupSpec.model_validate({**given, **changed})


def free_port() -> int:
    """A port of the loopback address that nothing listens on."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Ends a process at the end."""
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_for_port(port: int) -> None:
    """Until something listens."""
    until = time.monotonic() + _SECONDS
    while True:
        with socket.socket() as opened:
            if opened.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < until, f"nothing listens on port {port}"
        time.sleep(0.1)


class Node:
    """A folder in place of a control plane's files, and the agent in it, run as the node runs it."""

    def __init__(self, folder: Path, tools: build.Tools) -> None:
        self.folder, self.tools, self.etcd = folder, tools, f"http://127.0.0.1:{free_port()}"
        self.port = free_port()
        keygen = subprocess.run([tools.path("age-keygen")], capture_output=True, text=True, check=True)
        self.identity = keygen.stdout.strip().splitlines()[-1]
        self.recipient = keygen.stderr.split()[-1]
        for name in ("bin", "lib", "pki", "state", "work", "cluster"):
            (folder / name).mkdir()
        for name in ("etcd", "etcdctl", "etcdutl"):
            (folder / "lib" / name).symlink_to(tools.path(name))
        (folder / "lib/etcd-image").write_text("registry.example.no/etcd:3.6.8-0")
        (folder / "bin/age").symlink_to(tools.path("age"))
        self.program("kubeadm", 'echo "kubeadm $@" >>"$CALLS"; echo registry.example.no/etcd:3.6.8-0')
        self.program("systemctl", 'echo "systemctl $@" >>"$CALLS"')
        for name in ("sa.key", "sa.pub", "front-proxy-ca.crt", "front-proxy-ca.key"):
            (folder / "pki" / name).write_text(f"content of {name}\n")

    def program(self, name: str, text: str) -> None:
        """A stand-in for a program of the node."""
        file = self.folder / "bin" / name
        file.unlink(missing_ok=True)  # it may be a link to a tool of the lab
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def settings(self, **changed: Any) -> dict[str, Any]:
        """What the agent is given."""
        return {
            "node": "osl-cp-1",
            "address": "127.0.0.1",
            "environment": "oslo",
            "kubernetes": "1.36.3",
            "registry": "registry.example.no",
            "endpoint": f"http://127.0.0.1:{self.port}",
            "bucket": BUCKET,
            "region": "no-1",
            "recipient": self.recipient,
            "keep": None,
            "units": render.units(spec()),
            "access_key": ACCESS_KEY,
            "identity": self.identity,
            **changed,
        }

    def run(self, verb: str, **changed: Any) -> "subprocess.CompletedProcess[str]":
        """A verb of the agent; `run` as the service, with the settings in a file."""
        text = render.agent_program(self.settings(**changed), installs=verb == "install")
        argv = [sys.executable, "-I", "-", verb]
        if verb == "run":
            settings = {key: value for key, value in self.settings(**changed).items() if key != "identity"}
            (self.folder / "backup.json").write_text(json.dumps(settings))
            text, argv = f"{render._AGENT}\n\nmain_of_the_service()\n", argv[:-1]
        for path, own in (
            ("/usr/local/lib/vds-platform", "lib"),
            ("/etc/vds-platform/backup.json", "backup.json"),
            ("/var/lib/vds-platform-backup", "state"),
            ("/var/lib/vds-platform-cluster", "cluster"),
            ("/var/lib/etcd", "etcd-data"),
            ("/etc/kubernetes/pki", "pki"),
            ("/etc/systemd/system", "units"),
        ):
            text = text.replace(f'Path("{path}")', f'Path("{self.folder / own}")')
        return self._python(text, *argv)

    def put(self, name: str, file: Path) -> None:
        """Upload a file."""
        self._in_bucket(f"put({name!r}, Path({str(file)!r}))")

    def delete(self, name: str) -> None:
        """Delete an object."""
        self._in_bucket(f"delete({name!r})")

    def _in_bucket(self, code: str) -> None:
        text = f"{render._AGENT}\n\nBucket(json.loads({json.dumps(self.settings())!r})).{code}\n"
        done = self._python(text, sys.executable, "-I", "-")
        assert done.returncode == 0, done.stderr

    def _python(self, text: str, *argv: str) -> "subprocess.CompletedProcess[str]":
        text = text.replace('WORK = Path("/var/lib")', f'WORK = Path("{self.folder / "work"}")')
        text = text.replace("https://127.0.0.1:2379", self.etcd)
        environment = {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "CALLS": str(self.folder / "calls")}
        return subprocess.run(argv, input=text, capture_output=True, text=True, env=environment, check=False)

    def result(self, verb: str, **changed: Any) -> dict[str, Any]:
        """What a verb printed."""
        done = self.run(verb, **changed)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def etcdctl(self, *words: str, endpoint: str = "") -> str:
        """What etcd answers."""
        argv = [self.tools.path("etcdctl"), "--endpoints", endpoint or self.etcd, *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    @contextmanager
    def running_etcd(self, data: Path, client: str) -> Iterator[None]:
        """An etcd of this folder."""
        peer = f"http://127.0.0.1:{free_port()}"
        argv = [self.tools.path("etcd"), "--data-dir", data, "--name", "osl-cp-1"]
        argv += ["--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer]
        argv += ["--initial-advertise-peer-urls", peer, "--initial-cluster", f"osl-cp-1={peer}", "--unsafe-no-fsync"]
        with (self.folder / "etcd.log").open("w") as log:
            process = subprocess.Popen([str(word) for word in argv], stdout=log, stderr=log, text=True)
        with ended(process):
            wait_for_port(int(client.rpartition(":")[2]))
            yield


@contextmanager
def control_plane(folder: Path) -> Iterator[Node]:
    """A node whose etcd and bucket answer."""
    tools = build.ensure(Progress(total=1, quiet=True), [tool for tool in TOOLS if tool.name in _NAMES])
    node = Node(folder, tools)
    key_id, _, secret = ACCESS_KEY.partition(":")
    argv = [str(tools.path("s3server")), f"127.0.0.1:{node.port}", key_id, BUCKET]
    server = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdin
    server.stdin.write(f"{secret}\n")
    server.stdin.close()
    with ended(server):
        wait_for_port(node.port)
        with node.running_etcd(folder / "etcd", node.etcd):
            node.etcdctl("endpoint", "health")
            yield node
