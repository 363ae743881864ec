"""What a node says of its versions: its packages, and the API server that kubeadm runs there."""

import re
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Annotated, NamedTuple

from pydantic import Field, ValidationError

from components.core.untrusted import Count, Line, Untrusted, json_value, printable
from components.core.versions import minor

STATE = "/var/lib/vds-platform-cluster"
_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_FORMAT = r"package ${db:Status-Status} ${Package} ${Version}\n"
_WORD = re.compile(r"[A-Za-z0-9.+~:_-]+")
_REMOVED_APIS = (Path(__file__).parent / "removed_apis.py").read_text(encoding="utf-8")

Release = Annotated[str, Field(pattern=r"^\d{1,3}\.\d{1,3}$")]


class RemovedApi(Untrusted):
    """An API that a later release of Kubernetes removes, and that is in use."""

    api: Line
    """As an object's `apiVersion` has it."""
    resource: Line
    release: Release
    """The minor that removes it, as in "1.38"."""
    clients: list[Line]
    """Who asked for it, as far as the audit log says: user and program."""
    stored: Count
    """How many objects are there that no other API shows."""


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
    removed: tuple[RemovedApi, ...] = ()
    """APIs in use that a later release removes, of its API server."""
    asked: bool = False
    """Whether its API server has said which."""
    unasked: str = ""
    """Why it has not, where it was asked."""

    def behind(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """Every package that has another version than wanted → the installed one, `none` if it is not installed."""
        found = {name: self.packages.get(name, "none") for name in wanted}
        return {name: version for name, version in sorted(found.items()) if version != wanted[name]}


def question(packages: Mapping[str, str], *, removed_apis: bool = False) -> str:
    """The command line that prints the versions of a node. It changes nothing, and needs root for the manifest.

    `removed_apis`: it also asks an API server of another minor than `packages` has for APIs that are removed.
    """
    lines = [
        f"[ -e {STATE}/joined ] || exit 0; echo member",
        f"[ ! -e {STATE}/upgrading ] || echo unfinished",
        f'server=$(sed -n "s/^ *image: .*kube-apiserver:v//p" {_MANIFEST} 2>/dev/null)',
        '[ -z "$server" ] || echo "api-server $server"',
        f"dpkg-query -W -f {quote(_FORMAT)} {' '.join(map(quote, sorted(packages)))} 2>/dev/null",
    ]
    if removed_apis:
        same = f"{minor(packages['kubeadm'])}.*"
        lines.append(f'case $server in "" | {same}) ;; *) python3 -I -c {quote(_REMOVED_APIS)} ;; esac')
    return f"sh -c {quote('; '.join([*lines, 'exit 0']))}"


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
            case ["asked"]:
                found = found._replace(asked=True)
            case ["unasked", *_]:
                found = found._replace(unasked=printable(line.removeprefix("unasked "))[:500])
            case ["removed", *_]:
                found = found._replace(removed=(*found.removed, _removed(line.removeprefix("removed "))))
            case _:
                raise ValueError(f"its answer about versions is not understood: {line[:80]!r}")
    return found._replace(packages=packages)


def _removed(text: str) -> RemovedApi:
    try:
        return RemovedApi.model_validate(json_value(text))
    except ValidationError:
        raise ValueError("its answer about APIs that are removed is not understood") from None
