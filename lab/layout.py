"""Names, addresses and folders of the lab: the one place that decides them.

Everything the lab makes carries the prefix `vdslab`, so that taking it down needs no list of what was made.
Addresses are from the documentation range 192.0.2.0/24 (RFC 5737) and exist only inside the lab's namespaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PREFIX = "vdslab"
GATEWAY_ADDRESS = "192.0.2.1"
OPERATOR_ADDRESS = "192.0.2.2"
CLIENT_ADDRESS = "192.0.2.3"
API_ADDRESS = "192.0.2.10"
API_PORT = 6443
PREFIX_LENGTH = 24
POD_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"  # the first address of the service range, by Kubernetes' own rule
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Host:
    """A machine of the lab: a network namespace with one link, `eth0`, on the lab's bridge."""

    name: str
    address: str

    @property
    def namespace(self) -> str:
        """The network namespace's name as `ip netns` shows it."""
        return f"{PREFIX}-{self.name}"


FABRIC = f"{PREFIX}-fabric"  # holds the bridge, so that the machine's own namespace gets no link at all
OPERATOR = Host("op", OPERATOR_ADDRESS)  # the platform engineer's laptop: Pulumi runs here
CLIENT = Host("client", CLIENT_ADDRESS)  # a customer: asks the gateway from outside
CONTROL_PLANE = Host("ctl", API_ADDRESS)
NODES = (Host("osl-1", "192.0.2.11"), Host("osl-2", "192.0.2.12"), Host("osl-3", "192.0.2.13"))
HOSTS = (OPERATOR, CLIENT, CONTROL_PLANE, *NODES)


@dataclass(frozen=True)
class Layout:
    """Folders of one lab; all of them under `.lab` of the checkout it was started from."""

    state: Path = CHECKOUT / ".lab"

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.state / "logs"

    @property
    def pki(self) -> Path:
        """Certificates, keys and kubeconfigs of the control plane."""
        return self.state / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.pki / "admin.kubeconfig"

    @property
    def ssh_key(self) -> Path:
        """The operator's private key, which every node's root accepts."""
        return self.state / "ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Host keys of all nodes, as Pulumi.lab.yaml's `ssh.knownHostsFile` names it."""
        return self.state / "known_hosts"

    @property
    def report(self) -> Path:
        """What the last `make up` saw."""
        return self.state / "report.json"

    def node(self, name: str) -> Path:
        """A node's own folder."""
        return self.state / "nodes" / name
