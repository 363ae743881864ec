"""Host keys out of an OpenSSH known_hosts file."""

from collections.abc import Mapping


def host_keys(text: str) -> Mapping[str, str]:
    """Host pattern (`192.0.2.11`, `[192.0.2.11]:2222`) → `ssh-ed25519 AAAA…`; the first of several wins.

    Other key types, hashed names, revoked keys and certificate authorities are passed over: a node has one
    ed25519 key, written by name or address, or it has none.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3 or fields[0].startswith(("#", "@", "|")) or fields[1] != "ssh-ed25519":
            continue
        for host in fields[0].split(","):
            found.setdefault(host, f"{fields[1]} {fields[2]}")
    return found


def key_for(keys: Mapping[str, str], *, name: str, address: str, port: int) -> str | None:
    """A node's key by its address or its name, as ssh(1) writes them for this port."""
    hosts = (address, name) if port == 22 else (f"[{address}]:{port}", f"[{name}]:{port}")
    return next((keys[host] for host in hosts if host in keys), None)
