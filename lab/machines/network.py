"""A machine's network at boot: only its link and address, as on a server."""

import json
import subprocess
from typing import Any

from lab import fabric
from lab.layout import FABRIC, Host
from lab.processes import LabError


def renew(host: Host) -> None:
    """Give a machine a new network namespace, because links, rules and values that were set die with a server's boot.

    It keeps its hardware address, and its cable stays pulled if it was.
    """
    address = _link(host.namespace, "eth0")["address"]
    cut = "master" not in _link(FABRIC, host.name)
    fabric.take_out(host)
    fabric.add(host)
    fabric.run_ip(f"link set eth0 address {address}", namespace=host.namespace)
    if cut:
        fabric.cut(host)


def _link(namespace: str, name: str) -> dict[str, Any]:
    done = subprocess.run(["ip", "-n", namespace, "-j", "link", "show", name], capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"the lab's network lacks {name} in {namespace}: {done.stderr.strip()}; run `make down`")
    link: dict[str, Any] = json.loads(done.stdout)[0]
    return link
