"""What makes a namespace look like a server: its own name, mounts and sshd."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Folders of the machine that a node may change: each node sees the machine's content and keeps its own changes.
_OWN_COPIES = ("/etc", "/var/lib", "/root")


def mount_own_folders(hostname: str) -> None:
    """Give this process's mount namespace the folders of a server of its own; nothing reaches the machine's."""
    socket.sethostname(hostname)
    _mount("-t", "sysfs", "sysfs", "/sys")  # shows this network namespace's links
    _mount("-t", "bpf", "bpffs", "/sys/fs/bpf")
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for folder in _OWN_COPIES:
        overlay(folder)
    Path("/etc/hostname").write_text(f"{hostname}\n")


def place_tools(tools: Mapping[str, str]) -> None:
    """Put commands where a server's administrator finds them over SSH: name → shell text, for this node alone."""
    folder = Path("/usr/local/bin")
    if not folder.is_dir():  # then it is on no PATH that sshd gives
        return
    overlay(str(folder))
    for name, shell in tools.items():
        (folder / name).unlink(missing_ok=True)  # a link would lead out of our layer
        (folder / name).write_text(f"#!/bin/sh\n{shell}\n")
        (folder / name).chmod(0o755)


def overlay(folder: str) -> None:
    """Put a writable layer over `folder`, kept in this namespace's /run."""
    layers = Path("/run/overlay") / folder.strip("/").replace("/", "-")
    upper, work = layers / "upper", layers / "work"
    upper.mkdir(parents=True)
    work.mkdir()
    mode = Path(folder).stat().st_mode & 0o7777
    upper.chmod(mode)
    _mount("-t", "overlay", "-o", f"lowerdir={folder},upperdir={upper},workdir={work}", "overlay", folder)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def start_sshd(folder: Path, authorized_key: str, log: Path) -> subprocess.Popen[bytes]:
    """The node's sshd: keys only, root only, its own host key."""
    run = Path("/run/sshd")
    run.mkdir(mode=0o755, exist_ok=True)
    (folder / "authorized_keys").write_text(authorized_key + "\n")
    # Copied because sshd refuses a key below a folder that others may write, which a checkout's folder may be.
    keys = Path("/run/ssh")
    keys.mkdir(mode=0o700, exist_ok=True)
    for name in ("ssh_host_ed25519_key", "authorized_keys"):
        (keys / name).write_bytes((folder / name).read_bytes())
        (keys / name).chmod(0o600)
    options = {
        "HostKey": keys / "ssh_host_ed25519_key",
        "AuthorizedKeysFile": keys / "authorized_keys",
        "PermitRootLogin": "prohibit-password",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "AllowUsers": "root",
        "UsePAM": "no",
        "MaxStartups": "100:30:200",
        "PidFile": "none",
    }
    arguments = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    with log.open("ab") as out:
        return subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", *arguments],
            stdout=out,
            stderr=out,
            env={"PATH": os.environ["PATH"]},
        )
