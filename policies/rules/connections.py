"""Policies of connections: to servers over SSH, and to clusters."""

import re
from collections.abc import Iterator

from components.core.finding import Finding
from components.core.kubeconfig import kubeconfig_problems
from policies.machines import KUBERNETES, REMOTE
from policies.policy import CIS, CRITICAL, LOW, PLATFORM, OtherResource, Settings, policy
from policies.unknowns import plain

_UNCHECKED_HOST = re.compile(
    r"StrictHostKeyChecking[= ]+[\"']?(no|off|accept-new)\b|UserKnownHostsFile[= ]+[\"']?/dev/null", re.IGNORECASE
)
_UNCHECKED_CLUSTER = re.compile(r"--insecure-skip-tls-verify(?!=false)\b|--kube-insecure-skip-tls-verify(?!=false)\b")


def _texts(resource: OtherResource) -> Iterator[tuple[str, str]]:
    """What a command runs on the machine that runs the update; nothing for other resources."""
    if resource.type.startswith("command:local:"):
        yield from ((name, resource.text(name)) for name in ("create", "update", "delete"))


@policy(
    id="ssh-host-key",
    title="Every server that is reached over SSH proves who it is.",
    severity=CRITICAL,
    framework=PLATFORM,
    reference="pulumi-command, connection.hostKey",
    why="pulumi-command verifies no host key where none is given. Anybody on the way then gets the commands, what they "
    "read, and a password.",
    remedy="Write connection.hostKey, and connection.proxy.hostKey where there is a proxy.",
    kinds=(f"{REMOTE}*", "command:local:*"),
)
def ssh_host_key(resource: OtherResource, _: Settings) -> Iterator[Finding]:
    connections = [resource.group("connection")] if "connection" in resource else []
    while connections:
        connection = connections.pop()
        if not connection.text("hostKey").strip():
            yield resource.finding(
                f"{connection.at('hostKey')} is missing, so the server is not verified", "write the server's host key"
            )
        connections += [connection.group("proxy")] if "proxy" in connection else []
    for name, text in _texts(resource):
        if found := _UNCHECKED_HOST.search(text):
            yield resource.finding(
                f"{name} has {found[0]}, so no server is verified",
                "remove it, and give ssh a file of known hosts",
            )


@policy(
    id="cluster-tls",
    title="Every cluster is reached over TLS and proves who it is.",
    severity=CRITICAL,
    framework=CIS,
    reference="4.2, 5.1",
    why="An administrator's credentials are sent to whatever answers at the kubeconfig's address. A kubeconfig with "
    "exec also runs a program on the machine that runs the update.",
    remedy="Write a kubeconfig with an https server, certificate-authority-data, and a certificate or token.",
    kinds=(KUBERNETES, "command:local:*"),
)
def cluster_tls(resource: OtherResource, _: Settings) -> Iterator[Finding]:
    if _shown(resource):
        for problem in kubeconfig_problems(resource.text("kubeconfig"), one=False):
            yield resource.finding(f"its kubeconfig: {problem.message}", problem.remedy)
    for name, text in _texts(resource):
        if found := _UNCHECKED_CLUSTER.search(text):
            yield resource.finding(f"{name} has {found[0]}, so no API server is verified", "remove it")


@policy(
    id="cluster-shown",
    title="The kubeconfig of every cluster is shown.",
    severity=LOW,
    framework=PLATFORM,
    reference="what a policy can see",
    why="Without it the kubeconfig of the machine is used, and no policy can say which cluster answers and how it is "
    "verified. That of a cluster that does not exist yet is judged by `cluster-tls` in the update.",
    remedy="Give the provider the text of a kubeconfig.",
    kinds=(KUBERNETES,),
    mandatory=False,
)
def cluster_shown(provider: OtherResource, _: Settings) -> Iterator[Finding]:
    if not provider.text("kubeconfig"):
        yield provider.finding(
            "has no kubeconfig, so that of the machine is used, and is not judged", "write the text of a kubeconfig"
        )


def _shown(provider: OtherResource) -> bool:
    """Whether its kubeconfig is given and known. One that is made in the same update is judged then."""
    value = plain(provider.raw).get("kubeconfig")
    return isinstance(value, str) and bool(value)
