"""The services of a customer's closed network, on the host `site`.

| service | program | address |
|---|---|---|
| names | CoreDNS | 192.0.2.4, port 53 |
| images and charts | distribution, the registry | 192.0.2.4, HTTPS |
| packages | Python's HTTP server | 192.0.2.5, HTTPS |
| API servers | haproxy | 192.0.2.10, port 6443 |
"""

import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import fabric
from lab.layout import API_ADDRESS, API_PORT, CONTROL_PLANES, DOMAIN, NAMES, OPERATOR, PACKAGES_ADDRESS, SITE, Layout
from lab.processes import LabError, members, start, tail, wait_until
from lab.toolchain.build import Tools, cache

_READY_SECONDS = 30
DNS_PORT = 53
HTTPS_PORT = 443


def ensure(layout: Layout, tools: Tools, packages: Path) -> None:
    """Start each service that does not run, and wait until all of them listen.

    Raises:
        LabError: one does not listen in time; the text ends with its log.
    """
    folder = layout.state / "services"
    folder.mkdir(parents=True, exist_ok=True)
    layout.resolver.write_text(f"nameserver {SITE.address}\n")
    registry = cache() / "registry"
    registry.mkdir(parents=True, exist_ok=True)
    (folder / "Corefile").write_text(corefile())
    (folder / "registry.yaml").write_text(registry_configuration(layout, registry))
    (folder / "haproxy.cfg").write_text(haproxy_configuration(layout))
    certificate = [str(layout.pki / "packages.crt"), str(layout.pki / "packages.key")]
    _run(layout, "dns", [str(tools.path("coredns")), "-conf", str(folder / "Corefile"), "-quiet"])
    _run(layout, "registry", [str(tools.path("registry")), "serve", str(folder / "registry.yaml")])
    server = [sys.executable, "-m", "lab.services.packages", PACKAGES_ADDRESS, str(HTTPS_PORT), *certificate]
    _run(layout, "packages", [*server, str(packages)])
    _run(layout, "haproxy", ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")])
    with fabric.inside(OPERATOR):
        for name, address, port in (
            ("dns", SITE.address, DNS_PORT),
            ("registry", SITE.address, HTTPS_PORT),
            ("packages", PACKAGES_ADDRESS, HTTPS_PORT),
            ("haproxy", API_ADDRESS, API_PORT),
        ):
            log = layout.logs / f"{name}.log"
            wait_until(
                lambda address=address, port=port: _listens(address, port),  # type: ignore[misc]
                _READY_SECONDS,
                lambda name=name, log=log: f"the lab's {name} does not listen; its log ends:\n{tail(log)}",  # type: ignore[misc]
            )


def corefile() -> str:
    """CoreDNS's configuration: the lab's names, and no others."""
    hosts = "\n".join(f"        {address} {name}" for name, address in sorted(NAMES.items()))
    return f"""\
{DOMAIN}:{DNS_PORT} {{
    bind {SITE.address}
    hosts {{
{hosts}
    }}
    errors
}}
.:{DNS_PORT} {{
    bind {SITE.address}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
    errors
}}
"""


def registry_configuration(layout: Layout, storage: Path) -> str:
    """The registry's configuration; its storage outlives the lab, so that images are pushed once."""
    return f"""\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {storage}}}
http:
  addr: {SITE.address}:{HTTPS_PORT}
  tls: {{certificate: {layout.pki / "registry.crt"}, key: {layout.pki / "registry.key"}}}
"""


def haproxy_configuration(layout: Layout) -> str:
    """A TCP load balancer in front of every API server that is ready, as docs/howto/bootstrap-a-cluster.md asks for."""
    servers = "\n".join(f"    server {host.name} {host.address}:{API_PORT}" for host in CONTROL_PLANES)
    return f"""\
defaults
    mode tcp
    timeout connect 2s
    timeout client 10m
    timeout server 10m
    timeout check 5s
    default-server check check-ssl verify required ca-file {layout.pki / "cluster.crt"}
    default-server inter 2s fall 3 rise 1 on-marked-down shutdown-sessions
listen api
    bind {API_ADDRESS}:{API_PORT}
    balance leastconn
    option httpchk GET /readyz
{servers}
"""


def _run(layout: Layout, name: str, argv: Sequence[str]) -> None:
    if not members(f"site/{name}"):
        log = layout.logs / f"{name}.log"
        # The lab can't reach the host's resolver; with it, each lookup would take ten seconds.
        start(
            argv,
            part=f"site/{name}",
            log=log,
            namespace=SITE.namespace,
            resolver=layout.resolver,
            env={"OTEL_TRACES_EXPORTER": "none"},  # the registry would send traces to a missing collector
        )


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError as error:
        raise LabError(str(error)) from None
