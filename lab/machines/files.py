"""A machine's disk: a layer over the Debian root, with the files that a server's installation writes."""

import shutil
import stat
import uuid
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from lab.layout import DOMAIN, SITE, Host

Files = Mapping[str, tuple[bytes, int]]
"""Path in the machine → content and mode."""

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
AUTHORITIES = "/usr/local/share/ca-certificates"
# By default the kubelet evicts pods when 15 % of the disk is free. The lab's machines share the host's disk.
_KUBELET = "KUBELET_EXTRA_ARGS=--eviction-hard=imagefs.available<1%,nodefs.available<1%,memory.available<100Mi\n"


def default_files(
    host: Host, *, authorized_key: bytes, host_key: bytes, authority: bytes
) -> dict[str, tuple[bytes, int]]:
    """What a new server has when its operator gets it: name, name server, keys, the trusted authority."""
    hosts = f"127.0.0.1 localhost\n{host.address} {host.name}.{DOMAIN} {host.name}\n::1 localhost ip6-localhost\n"
    return {
        "/etc/hostname": (f"{host.name}\n".encode(), 0o644),
        "/etc/hosts": (hosts.encode(), 0o644),
        "/etc/resolv.conf": (f"nameserver {SITE.address}\n".encode(), 0o644),
        "/etc/machine-id": (f"{uuid.uuid4().hex}\n".encode(), 0o444),
        "/etc/ssh/ssh_host_ed25519_key": (host_key, 0o600),
        "/root/.ssh/authorized_keys": (authorized_key, 0o600),
        f"{AUTHORITIES}/lab.crt": (authority, 0o644),
        "/etc/default/kubelet": (_KUBELET.encode(), 0o644),
    }


def install(files: Files, upper: Path, root: Path) -> None:
    """Put files into a machine's layer while it is off.

    An authority in the folder of local ones goes into the bundle too, as update-ca-certificates would put it.
    """
    bundle = (root / BUNDLE.lstrip("/")).read_bytes() if (root / BUNDLE.lstrip("/")).exists() else b""
    for path, (content, mode) in files.items():
        _write(path, content, mode, upper, root)
        if PurePosixPath(path).is_relative_to(AUTHORITIES):
            bundle += content
            _write(BUNDLE, bundle, 0o644, upper, root)


def _write(path: str, content: bytes, mode: int, upper: Path, root: Path) -> None:
    relative = PurePosixPath(path).relative_to("/")
    for parent in reversed(relative.parents):
        _folder(upper / parent, root / parent)
    target = upper / relative
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)  # before it has content
    target.write_bytes(content)
    target.chmod(mode)


def _folder(mine: Path, below: Path) -> None:
    """A folder of the upper layer hides the lower one's owner and mode, so it has the same."""
    if mine.is_dir():
        return
    mine.mkdir()
    if below.is_dir():
        shutil.copystat(below, mine)
        status = below.stat()
        shutil.chown(mine, status.st_uid, status.st_gid)
        mine.chmod(stat.S_IMODE(status.st_mode))
    else:
        mine.chmod(0o700 if mine.name == ".ssh" else 0o755)
