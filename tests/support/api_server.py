"""A real API server with etcd and no cluster behind it: what is applied, and what conflicts, is as in a cluster."""

import base64
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

from components.kubernetes_api import ApiError, Cluster, UnreachableError
from lab.progress import Progress
from lab.toolchain import build
from lab.toolchain.pins import TOOLS
from tests.support.certificates import authority
from tests.support.ports import free_port

_SECONDS = 180
_CONTROLLERS = "kube-controller-manager"


@contextmanager
def _running(program: Path, log: Path, **options: object) -> Iterator[None]:
    words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    with log.open("w") as output:
        process = subprocess.Popen([str(program), *words], stdout=output, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def api_server(folder: Path, people: Mapping[str, str] = MappingProxyType({}), **more: object) -> Iterator[str]:
    """The administrator's kubeconfig of a server that is ready. `people`: a group by the user who is in it. `more`:
    options of the API server."""
    wanted = [tool for tool in TOOLS if tool.name in ("etcd", "kube-apiserver")]
    tools = build.ensure(Progress(total=1, quiet=True), wanted)
    for name, text in zip(("accounts.crt", "accounts.key"), authority("rsa"), strict=True):
        (folder / name).write_text(text)
    known = {"admin": "system:masters", **people}
    (folder / "tokens").write_text("".join(f"token-{name},{name},{name},{group}\n" for name, group in known.items()))
    port, etcd, peers = free_port(), f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    with ExitStack() as running:
        running.enter_context(
            _running(
                tools.path("etcd"),
                folder / "etcd.log",
                data_dir=folder / "etcd",
                listen_client_urls=etcd,
                advertise_client_urls=etcd,
                listen_peer_urls=peers,
                unsafe_no_fsync="true",
            )
        )
        running.enter_context(
            _running(
                tools.path("kube-apiserver"),
                folder / "api.log",
                etcd_servers=etcd,
                secure_port=port,
                bind_address="127.0.0.1",
                advertise_address="127.0.0.1",
                endpoint_reconciler_type="none",
                cert_dir=folder / "certificates",
                service_account_key_file=folder / "accounts.crt",
                service_account_signing_key_file=folder / "accounts.key",
                service_account_issuer="https://accounts.example.no",
                token_auth_file=folder / "tokens",
                authorization_mode="RBAC",
                service_cluster_ip_range="10.96.0.0/16",
                **more,
            )
        )
        yield _ready(folder, port)


@contextmanager
def controllers(folder: Path, kubeconfig: str) -> Iterator[None]:
    """Kubernetes' own controllers of namespaces, quotas and service accounts, for that server."""
    tools = build.ensure(Progress(total=1, quiet=True), [tool for tool in TOOLS if tool.name == _CONTROLLERS])
    file = folder / "controllers.kubeconfig"
    file.write_text(kubeconfig)
    wanted = ("namespace-controller", "resourcequota-controller", "serviceaccount-controller")
    options = {"kubeconfig": file, "controllers": ",".join(wanted), "leader_elect": "false", "secure_port": 0}
    with _running(tools.path(_CONTROLLERS), folder / "controllers.log", **options):
        yield


def as_user(kubeconfig: str, token: str) -> str:
    """The same server for somebody else: a token, `token-` and the name for one of `people`."""
    content = json.loads(kubeconfig)
    content["users"][0]["user"] = {"token": token}
    return json.dumps(content)


def _ready(folder: Path, port: int) -> str:
    own = folder / "certificates" / "apiserver.crt"
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        try:
            kubeconfig = _kubeconfig(port, own.read_text())
            Cluster(kubeconfig).text("GET", "/readyz")
            return kubeconfig
        except (OSError, ApiError, UnreachableError):
            time.sleep(0.5)
    raise AssertionError((folder / "api.log").read_text()[-2000:])


def _kubeconfig(port: int, certificate: str) -> str:
    cluster = {
        "server": f"https://127.0.0.1:{port}",
        "certificate-authority-data": base64.b64encode(certificate.encode()).decode(),
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": "token-admin"}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
    )
