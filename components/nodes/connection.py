"""How every part of this project connects to a node: one attempt, with one key, trusting one host key."""

import asyncssh


async def dial(
    address: str, port: int, *, user: str, host_key: str | None, seconds: float, key: asyncssh.SSHKey
) -> asyncssh.SSHClientConnection:
    """A connection, or what asyncssh raises. The user's own ssh configuration and agent are not used."""
    return await asyncssh.connect(
        address,
        port,
        username=user,
        client_keys=[key],
        known_hosts=asyncssh.import_known_hosts(f"* {host_key}\n"),
        server_host_key_algs=["ssh-ed25519"],
        agent_path=None,
        config=None,
        connect_timeout=seconds,
        login_timeout=seconds,
    )
