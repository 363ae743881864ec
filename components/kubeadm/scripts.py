"""The shell script that makes a node a member of a cluster: `member.sh` with what the stack file wants."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote

from components.core.shell import for_each, shell_script
from components.kubeadm import renewal
from components.kubeadm.credentials import Credentials
from components.kubeadm.model import Bootstrap
from components.kubeadm.render import (
    KEYRING,
    SOCKET,
    api_server,
    apt_source,
    containerd_config,
    crictl_config,
    endpoint,
    ignored_checks,
    kubeadm_config,
    networks,
    packages,
    settings,
)
from components.kubeadm.security.render import FOLDER
from components.kubeadm.security.render import files as security_files
from components.nodes.model import NodeSpec

RUN_SECONDS = 900
"""The script's own limit. Packages and images of a control plane are about a gigabyte, kubeadm itself waits 4 min."""

_FOLDER = Path(__file__).parent
_MEMBER_SH = (_FOLDER / "member.sh").read_text(encoding="utf-8")
for _part in ("settings", "upgrade"):
    _MEMBER_SH = _MEMBER_SH.replace(f"#: {_part}\n", (_FOLDER / f"{_part}.sh").read_text(encoding="utf-8"))
_SOURCE = "/etc/apt/sources.list.d/vds-platform-kubernetes.sources"
_CRICTL = "/etc/crictl.yaml"


IS_MEMBER = "ls /var/lib/vds-platform-cluster 2>/dev/null || true"
"""The command line that prints `joined`, among others, on a node that is a member of a cluster."""


def command(verb: str) -> str:
    """The command line that runs the script from standard input, with one of the verbs in its first lines."""
    return f"timeout -k 10 {RUN_SECONDS} sh -s {quote(verb)}"


def member_script(bootstrap: Bootstrap, node: NodeSpec, credentials: Credentials, ca_key: str = "") -> str:
    """The POSIX shell text for one node. It holds secrets, so it may be passed by standard input only.

    `ca_key`: for the verb `authority` alone.
    """
    spec = bootstrap.cluster
    joins_control = "control-plane" in node.roles
    hidden = [credentials.bootstrap_token, *([credentials.certificate_key] if joins_control else [])]
    return _script(
        bootstrap,
        node,
        {
            "ca_key": ca_key.strip(),
            "kubeadm_config": kubeadm_config(bootstrap, node, credentials),
            "settings": settings(bootstrap, node),
        },
        security_files(spec.security, spec.kubernetes_version) | renewal.files(bootstrap, node)
        if joins_control
        else {},
        [word for word in hidden if word],
    )


def script_without_secrets(bootstrap: Bootstrap, node: NodeSpec) -> str:
    """The text without secrets, for the verbs that need none: `prepare`, `keep`, `remove`, and the first `apply`."""
    return member_script(bootstrap, node, Credentials())


def upgrade_script(bootstrap: Bootstrap, node: NodeSpec) -> str:
    """The text for the verb `upgrade`. It has no settings, because a change of them is no upgrade."""
    return _script(bootstrap, node, {"ca_key": "", "kubeadm_config": "", "settings": ""}, {}, [])


def _script(
    bootstrap: Bootstrap, node: NodeSpec, more: Mapping[str, str], more_files: Mapping[str, str], hidden: Sequence[str]
) -> str:
    spec = bootstrap.cluster
    joins_control = "control-plane" in node.roles
    first = node == bootstrap.control_planes[0]
    facts = {
        "node": node.name,
        "kubernetes": spec.kubernetes_version,
        "role": "first" if first else "control-plane" if joins_control else "worker",
        "ignored_checks": ",".join(ignored_checks(spec)),
        "endpoint": endpoint(bootstrap),
        "cri_socket": SOCKET,
        "ca_certificate": spec.ca_certificate.strip(),
        "containerd_package": spec.containerd.package,
        "containerd_config": containerd_config(bootstrap),
        "networks": networks(bootstrap),
        "server": api_server(bootstrap, node) if joins_control else "",
        "api_server_files": FOLDER,
        "renewal_timer": f"{renewal.NAME}.timer",
        **more,
    }
    files = [
        (KEYRING, spec.packages.signing_key.armoured.strip()),
        (_SOURCE, apt_source(spec)),
        (_CRICTL, crictl_config()),
        *more_files.items(),
    ]
    return shell_script(
        _MEMBER_SH,
        facts,
        for_each("packages", packages(spec).items()),
        for_each("files", files),
        for_each("secret_words", [(word,) for word in hidden]),
    )
