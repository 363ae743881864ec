"""The lab's machines: started from one Debian root, each with its own name, keys and files."""

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

from lab import fabric, keys
from lab.layout import NODES, PACKAGES_NAME, Host, Layout
from lab.machines import machine, root
from lab.machines.files import Files, default_files
from lab.progress import Progress

_KEYRING = "/etc/apt/keyrings/site.asc"
# A closed network has this instead of Debian's mirrors. The container runtime comes from here.
_SOURCES = f"Types: deb\nURIs: https://{PACKAGES_NAME}/debian/\nSuites: /\nSigned-By: {_KEYRING}\n"


def ensure(
    layout: Layout,
    progress: Progress,
    machines: Sequence[Host] = NODES,
    *,
    packages: Sequence[str] = (),
    more: Files = MappingProxyType({}),
) -> None:
    """Start the machines that do not run, at once, and wait until all of them answer on SSH.

    `packages` of Debian, and `more` files, are on these machines only.
    """
    keys.ensure(layout)
    debian = root.ensure(progress, packages)
    for host in machines:
        fabric.add(host)
    with ThreadPoolExecutor(len(machines)) as pool:
        list(pool.map(lambda host: machine.start(layout, host, debian, _files(layout, host) | dict(more)), machines))


def replace(layout: Layout, progress: Progress, machines: Sequence[Host]) -> None:
    """New machines with the names, addresses and host keys of these, which are lost with their disks."""
    for host in machines:
        machine.stop(layout, host)
        fabric.take_out(host)  # with what the CNI left on its link
        shutil.rmtree(layout.machine(host.name))
    ensure(layout, progress, machines)


def _files(layout: Layout, host: Host) -> dict[str, tuple[bytes, int]]:
    files = default_files(
        host,
        authorized_key=layout.ssh_key.with_suffix(".pub").read_bytes(),
        host_key=keys.host_key(layout, host).read_bytes(),
        authority=layout.authority.read_bytes(),
    )
    signing_key = json.loads(layout.supplies.read_text())["signingKey"]["armoured"]
    files[_KEYRING] = (signing_key.encode(), 0o644)
    files["/etc/apt/sources.list.d/site.sources"] = (_SOURCES.encode(), 0o644)
    return files
