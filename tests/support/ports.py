"""TCP ports of loopback for servers that cannot choose one themselves."""

import random
import socket

# Below the ports that the kernel gives to connections (ip_local_port_range), of which tests open many at once.
_FROM, _TO = 20000, 32000


def free_port() -> int:
    """A port at which nothing listens. Random, so that tests that run at once do not choose the same."""
    while True:
        port = random.randrange(_FROM, _TO)  # noqa: S311  no secret
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
