"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler in the namespace `vdslab-ctl`."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab import certificates
from lab.cluster import Cluster
from lab.layout import API_ADDRESS, API_PORT, CONTROL_PLANE, POD_CIDR, SERVICE_CIDR, Layout
from lab.processes import LabError, members, start, tail
from lab.toolchain.build import Tools

_READY_SECONDS = 180  # three are usual; a machine busy with a build takes longer


def ensure(layout: Layout, tools: Tools) -> None:
    """Start what is not running and wait until the API server answers.

    Raises:
        LabError: a process ended or the API server is not ready in time; the text has its log's end.
    """
    certificates.ensure(layout)
    for name, argv in _commands(layout, tools).items():
        if not members(f"ctl/{name}"):
            start(argv, part=f"ctl/{name}", namespace=CONTROL_PLANE.namespace, log=layout.logs / f"{name}.log")
        if name == "kube-apiserver":  # the two others would only wait for it, noisily
            _wait(Cluster(layout.kubeconfig).is_ready, "kube-apiserver", layout)


def _commands(layout: Layout, tools: Tools) -> dict[str, list[str]]:
    pki, data = layout.pki, layout.state / "etcd"
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    etcd_url = "http://127.0.0.1:2379"
    return {
        "etcd": [
            str(tools.path("etcd")),
            f"--data-dir={data}",
            f"--listen-client-urls={etcd_url}",
            f"--advertise-client-urls={etcd_url}",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--unsafe-no-fsync",  # a lab's state is thrown away: waiting for the disk proves nothing
            "--log-level=warn",
        ],
        "kube-apiserver": [
            str(tools.path("kube-apiserver")),
            f"--etcd-servers={etcd_url}",
            f"--advertise-address={API_ADDRESS}",
            f"--bind-address={API_ADDRESS}",
            f"--secure-port={API_PORT}",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            "--authorization-mode=RBAC",
            "--anonymous-auth=false",
            "--allow-privileged=true",
            f"--client-ca-file={pki / 'ca.crt'}",
            f"--tls-cert-file={pki / 'apiserver.crt'}",
            f"--tls-private-key-file={pki / 'apiserver.key'}",
            f"--cert-dir={pki}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki / 'service-account.key'}",
            f"--service-account-signing-key-file={pki / 'service-account.key'}",
        ],
        "kube-controller-manager": [
            str(tools.path("kube-controller-manager")),
            f"--kubeconfig={pki / 'controller-manager.kubeconfig'}",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={pki / 'service-account.key'}",
            f"--root-ca-file={pki / 'ca.crt'}",
            "--allocate-node-cidrs=true",
            f"--cluster-cidr={POD_CIDR}",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            "--namespace-sync-period=10s",
        ],
        "kube-scheduler": [
            str(tools.path("kube-scheduler")),
            f"--kubeconfig={pki / 'scheduler.kubeconfig'}",
            "--leader-elect=false",
        ],
    }


def _wait(ready: Callable[[], bool], name: str, layout: Layout) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not ready():
        log = layout.logs / f"{name}.log"
        if not members(f"ctl/{name}"):
            raise LabError(f"{name} ended:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise LabError(f"{name} is not ready after {_READY_SECONDS} s; its log {log} ends:\n{tail(log)}")
        time.sleep(0.1)
