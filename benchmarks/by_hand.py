"""A cluster as an administrator makes it with a shell: the fewest steps that end in the same as `pulumi up`.

The same packages, containerd configuration, kubeadm documents, images and Cilium values. What no cluster needs for
being a cluster is left out: checks beforehand, pins of packages, kernel settings beside the one that kubeadm asks for.
"""

import subprocess
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from shlex import quote
from typing import Any

import yaml

from components.charts.reference import reference
from components.core.names import KUBE_SYSTEM
from components.kubeadm.credentials import Credentials
from components.kubeadm.model import Bootstrap
from components.kubeadm.render import KEYRING, apt_source, containerd_config, crictl_config, kubeadm_config, packages
from components.network.cilium.values import cilium_values
from components.network.model import Cilium
from components.nodes.model import NodeSpec
from components.stackfile.spec import PlatformSpec
from lab import fabric
from lab.asking import ssh
from lab.deploy import Deployment
from lab.layout import OPERATOR, Layout
from lab.processes import LabError, command, kill

_CONFIG = "/root/kubeadm.yaml"
_PKI = "/etc/kubernetes/pki"
_STEP_SECONDS = 900  # as long as the platform's own script may take on a node


class Steps:
    """Seconds at which each step ended, since the first began."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def done(self, step: str) -> None:
        """Note a step; of one that several machines take, the last."""
        with self._lock:
            self.seconds[step] = time.monotonic() - self._began


def make(deployment: Deployment, spec: PlatformSpec, secrets: Credentials, ca_key: str) -> dict[str, float]:
    """Make the cluster; the second at which each step ended. Raises LabError with what a step said."""
    steps, layout, plan = Steps(), deployment.layout, spec.bootstrap
    if plan is None:
        raise LabError("the stack file's cluster is not kubeadm's")
    first, *planes = plan.control_planes
    with ThreadPoolExecutor(len(plan.nodes)) as pool:
        try:
            ready = {node: pool.submit(_prepare, layout, plan, node, steps) for node in plan.nodes}
            ready[first].result()
            _init(layout, plan, first, secrets, ca_key)
            steps.done("kubeadm init")
            chart = pool.submit(_install_cilium, deployment, spec, steps)
            joins = [pool.submit(_join, layout, plan, node, secrets, ready[node], steps) for node in plan.workers]
            for node in planes:  # etcd takes one new voter after the other
                _join(layout, plan, node, secrets, ready[node], steps)
            for step in (chart, *joins):
                step.result()
        except BaseException:
            kill("probe")  # the other machines' connections, for which the pool would wait
            raise
    return steps.seconds


def _prepare(layout: Layout, plan: Bootstrap, node: NodeSpec, steps: Steps) -> None:
    wanted = " ".join(f"{name}={version}" for name, version in packages(plan.cluster).items())
    _run(
        layout,
        node,
        _file(KEYRING, plan.cluster.packages.signing_key.armoured.strip()),
        _file("/etc/apt/sources.list.d/kubernetes.sources", apt_source(plan.cluster)),
        _file("/etc/crictl.yaml", crictl_config()),
        "export DEBIAN_FRONTEND=noninteractive",
        "apt-get -q update",
        f"apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confold install {wanted}",
        _file("/etc/containerd/config.toml", containerd_config(plan)),
        "systemctl restart containerd",
        _file("/etc/sysctl.d/90-kubernetes.conf", "net.ipv4.ip_forward = 1"),
        "sysctl -q -p /etc/sysctl.d/90-kubernetes.conf",
    )
    steps.done("packages and containerd")


def _init(layout: Layout, plan: Bootstrap, node: NodeSpec, secrets: Credentials, ca_key: str) -> None:
    _run(
        layout,
        node,
        _file(f"{_PKI}/ca.crt", plan.cluster.ca_certificate.strip()),
        _file(f"{_PKI}/ca.key", ca_key.strip(), 600),
        _file(_CONFIG, kubeadm_config(plan, node, secrets), 600),
        f"kubeadm init --config {_CONFIG} --upload-certs --skip-token-print --skip-certificate-key-print",
    )


def _join(
    layout: Layout, plan: Bootstrap, node: NodeSpec, secrets: Credentials, ready: Future[None], steps: Steps
) -> None:
    ready.result()
    config = _file(_CONFIG, kubeadm_config(plan, node, secrets), 600)
    _run(layout, node, config, f"kubeadm join --config {_CONFIG}")
    steps.done("the last control plane" if node in plan.control_planes else "the last worker")


def _install_cilium(deployment: Deployment, spec: PlatformSpec, steps: Steps) -> None:
    layout, context = deployment.layout, spec.chart_context
    kubeconfig = layout.state / "by-hand.kubeconfig"
    kubeconfig.touch(mode=0o600)
    first = next(node for node in spec.nodes if "control-plane" in node.roles)
    kubeconfig.write_text(_run(layout, first, "cat /etc/kubernetes/admin.conf"))
    values = layout.state / "by-hand.yaml"
    values.write_text(yaml.safe_dump(_values(spec)))
    chart = reference("cilium", _cilium(spec).version, _cilium(spec).install.repository).chart
    argv = ["helm", "install", "cilium", chart, "--version", _cilium(spec).version, "--namespace", KUBE_SYSTEM]
    argv += ["--values", str(values), "--kubeconfig", str(kubeconfig)]
    with fabric.inside(OPERATOR):
        done = subprocess.run(
            command(argv, part="op", resolver=layout.resolver),
            env=deployment.environment(),
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise LabError(f"helm install failed for {context.cluster}: {done.stderr.strip()}")
    steps.done("helm install")


def _cilium(spec: PlatformSpec) -> Cilium:
    if not isinstance(spec.cni, Cilium):
        raise LabError(f"the stack file's network is {spec.cni.kind}, not Cilium")
    return spec.cni


def _values(spec: PlatformSpec) -> dict[str, Any]:
    """As `components.network.component` has them."""
    return cilium_values(_cilium(spec), spec.network, spec.chart_context)


def _file(path: str, text: str, mode: int = 644) -> str:
    """The shell's words that write a file."""
    return f"mkdir -p {Path(path).parent} && (umask 077 && printf '%s\\n' {quote(text)} >{path}) && chmod {mode} {path}"


def _run(layout: Layout, node: NodeSpec, *lines: str) -> str:
    """Run lines on a machine, over one connection; what they printed."""
    script = "\n".join(["set -e", "{", *lines, "} </dev/null", ""])  # no line may read the lines behind it
    done = ssh(layout, str(node.address), "sh -s", script, timeout_seconds=_STEP_SECONDS)
    if done.returncode:
        raise LabError(f"{node.name} failed by hand: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout
