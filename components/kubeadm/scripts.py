"""The shell script that makes a node a member of a cluster: `member.sh` with what the stack file wants."""

from pathlib import Path
from shlex import quote

from components.core.shell import for_each, shell_script
from components.kubeadm.credentials import Credentials
from components.kubeadm.model import Bootstrap
from components.kubeadm.render import (
    KEYRING,
    SOCKET,
    apt_source,
    containerd_config,
    crictl_config,
    endpoint,
    kubeadm_config,
    packages,
)
from components.nodes.model import NodeSpec

RUN_SECONDS = 900
"""The script's own limit. Packages and images of a control plane are about a gigabyte, kubeadm itself waits 4 min."""

_MEMBER_SH = (Path(__file__).parent / "member.sh").read_text(encoding="utf-8")
_SOURCE = "/etc/apt/sources.list.d/vds-platform-kubernetes.sources"
_CRICTL = "/etc/crictl.yaml"


def read_kubeconfig(version: str) -> str:
    """The command line that prints the administrator's kubeconfig on a control plane.

    It does not depend on the stack's secrets. An upgrade renews the certificate in it, so the version is part of it.
    """
    return f"cat /etc/kubernetes/admin.conf # of Kubernetes {version}"


def command(verb: str) -> str:
    """The command line that runs the script from standard input: `prepare`, `apply`, `keep`, `admit` or `remove`."""
    return f"timeout -k 10 {RUN_SECONDS} sh -s {quote(verb)}"


def member_script(bootstrap: Bootstrap, node: NodeSpec, credentials: Credentials) -> str:
    """The POSIX shell text for one node. It holds secrets, so it may be passed by standard input only."""
    first = node == bootstrap.control_planes[0]
    joins_control = "control-plane" in node.roles
    facts = {
        "node": node.name,
        "role": "first" if first else "control-plane" if joins_control else "worker",
        "endpoint": endpoint(bootstrap),
        "cri_socket": SOCKET,
        "ca_certificate": bootstrap.cluster.ca_certificate.strip(),
        "containerd_package": bootstrap.cluster.containerd.package,
        "containerd_config": containerd_config(bootstrap),
        "token_name": "bootstrap-token-" + credentials.bootstrap_token.partition(".")[0],
        "ca_key": credentials.ca_key.strip() if first else "",
        "kubeadm_config": kubeadm_config(bootstrap, node, credentials),
    }
    words = [credentials.bootstrap_token, *([credentials.certificate_key] if joins_control else [])]
    hidden = [word for word in words if word]
    spec = bootstrap.cluster
    files = [
        (KEYRING, spec.packages.signing_key.armoured.strip()),
        (_SOURCE, apt_source(spec)),
        (_CRICTL, crictl_config()),
    ]
    return shell_script(
        _MEMBER_SH,
        facts,
        for_each("packages", packages(spec).items()),
        for_each("files", files),
        for_each("secret_words", [(word,) for word in hidden]),
    )


def script_without_secrets(bootstrap: Bootstrap, node: NodeSpec) -> str:
    """The text without secrets, for the verbs that need none: `prepare`, `keep` and `remove`."""
    return member_script(bootstrap, node, Credentials("", "", ""))
