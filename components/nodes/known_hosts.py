"""Host keys from an OpenSSH known_hosts file, hashed names and patterns included."""

import asyncssh
from pydantic import TypeAdapter

from components.core.types import HostKey, RefusedError

_HOST_KEY: TypeAdapter[str] = TypeAdapter(HostKey)


class KnownHostsError(RefusedError):
    """A line that is not an entry of known_hosts. The text gives its number and never repeats it."""


def known_hosts(text: str) -> asyncssh.SSHKnownHosts:
    """The entries of a known_hosts file.

    Raises:
        KnownHostsError: at the first line that ssh could not read either.
    """
    entries = asyncssh.SSHKnownHosts()
    for number, line in enumerate(text.splitlines(), 1):
        try:
            entries.load(line)
            _check(line)
        except ValueError:
            raise KnownHostsError(f"line {number} is not an entry of known_hosts", "correct it or remove it") from None
    return entries


def _check(line: str) -> None:
    """Raises ValueError for an ed25519 key that is none, which asyncssh leaves out in silence."""
    words = line.split()[1 if line.startswith("@") else 0 :]
    if words[1:2] == ["ssh-ed25519"]:
        _HOST_KEY.validate_python(" ".join(words[1:3]))


def key_for(entries: asyncssh.SSHKnownHosts, *, name: str, address: str, port: int) -> str | None:
    """A node's ed25519 key, `ssh-ed25519 AAAA…`, by its address or its name; the first one that is not revoked.

    As in ssh(1), an entry without a port also serves other ports, and a certificate authority is not a host key.
    """
    matches = [entries.match(host, address, None if port == 22 else port) for host in (address, name)]
    revoked = [key for _, _, found, *_ in matches for key in found]
    for keys, *_ in matches:
        for key in keys:
            if key.get_algorithm() == "ssh-ed25519" and key not in revoked:
                return " ".join(key.export_public_key("openssh").decode().split()[:2])
    return None
