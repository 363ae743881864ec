"""What a node says of its versions: its packages, and the API server that kubeadm runs there."""

import re
from collections.abc import Iterable, Mapping
from shlex import quote
from typing import NamedTuple

STATE = "/var/lib/vds-platform-cluster"
_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_FORMAT = r"package ${db:Status-Status} ${Package} ${Version}\n"
_WORD = re.compile(r"[A-Za-z0-9.+~:_-]+")


class NodeVersions(NamedTuple):
    """The versions of one node."""

    member: bool = False
    """Whether it is a member of a cluster that the platform made."""
    packages: Mapping[str, str] = {}
    """Package → installed version."""
    api_server: str = ""
    """Version of its API server's image; empty on a worker."""
    unfinished: bool = False
    """Whether an upgrade was begun there and not finished."""

    def behind(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """Every package that has another version than wanted → the installed one, `none` if it is not installed."""
        found = {name: self.packages.get(name, "none") for name in wanted}
        return {name: version for name, version in sorted(found.items()) if version != wanted[name]}


def question(packages: Iterable[str]) -> str:
    """The command line that prints the versions of a node. It changes nothing, and needs root for the manifest."""
    lines = (
        f"[ -e {STATE}/joined ] || exit 0; echo member",
        f"[ ! -e {STATE}/upgrading ] || echo unfinished",
        f'sed -n "s/^ *image: .*kube-apiserver:v/api-server /p" {_MANIFEST} 2>/dev/null',
        f"dpkg-query -W -f {quote(_FORMAT)} {' '.join(map(quote, sorted(packages)))} 2>/dev/null",
        "exit 0",
    )
    return f"sh -c {quote('; '.join(lines))}"


def parse(printed: str) -> NodeVersions:
    """What `question` printed. Raises ValueError for anything else."""
    found = NodeVersions()
    packages: dict[str, str] = {}
    for line in printed.splitlines():
        match line.split():
            case ["member"]:
                found = found._replace(member=True)
            case ["unfinished"]:
                found = found._replace(unfinished=True)
            case ["api-server", version] if _WORD.fullmatch(version) and not found.api_server:
                found = found._replace(api_server=version)
            case ["package", "installed", name, version] if _WORD.fullmatch(version) and name not in packages:
                packages[name] = version
            case ["package", status, _, *rest] if status != "installed" and len(rest) < 2:
                pass  # removed, with its configuration still there
            case _:
                raise ValueError(f"its answer about versions is not understood: {line[:80]!r}")
    return found._replace(packages=packages)
