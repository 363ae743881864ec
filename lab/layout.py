"""Names, addresses and folders of the lab, in one place.

All names have the prefix `vdslab`, so the lab can be removed without a list. Addresses are from the documentation range
192.0.2.0/24 (RFC 5737) and exist only in the lab's namespaces.
"""

from dataclasses import dataclass
from pathlib import Path

PREFIX = "vdslab"
STACK = "lab"
DOMAIN = "lab.example.no"
GATEWAY_ADDRESS = "192.0.2.1"
PREFIX_LENGTH = 24
API_PORT = 6443
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Host:
    """A host of the lab: a network namespace with one link, `eth0`, on the lab's bridge."""

    name: str
    address: str

    @property
    def namespace(self) -> str:
        """The network namespace's name as `ip netns` shows it."""
        return f"{PREFIX}-{self.name}"


FABRIC = f"{PREFIX}-fabric"  # contains the bridge, so the host's namespace gets no link
OPERATOR = Host("op", "192.0.2.2")  # the platform engineer's laptop: Pulumi runs here
CLIENT = Host("client", "192.0.2.3")  # a customer: sends requests to the gateway from outside
SITE = Host("site", "192.0.2.4")  # services of a closed network: names, images, charts, packages
PACKAGES_ADDRESS = "192.0.2.5"  # also of the site: the apt repository
API_ADDRESS = "192.0.2.10"  # also of the site: load balancer of the API servers
SITE_ADDRESSES = (PACKAGES_ADDRESS, API_ADDRESS)

CONTROL_PLANES = (
    Host("osl-cp-1", "192.0.2.11"),
    Host("osl-cp-2", "192.0.2.12"),
    Host("osl-cp-3", "192.0.2.13"),
)
WORKERS = (Host("osl-w-1", "192.0.2.21"), Host("osl-w-2", "192.0.2.22"), Host("osl-w-3", "192.0.2.23"))
NODES = (CONTROL_PLANES[0], *WORKERS[:2])
"""The machines of `Pulumi.lab.yaml`: what `make up` starts."""
SPARES = (*CONTROL_PLANES[1:], WORKERS[2])
"""Machines that only a test starts."""
MACHINES = (*NODES, *SPARES)
ROUTER = Host("router", "192.0.2.6")
"""The provider's router, which speaks BGP: a machine that only tests of BGP start."""
CUSTOMER = Host("customer", "198.51.100.10")
"""A host behind the router."""
CUSTOMER_GATEWAY = "198.51.100.1"
CUSTOMER_NETWORK = "198.51.100.0/24"
HOSTS = (OPERATOR, CLIENT, SITE)
"""Hosts that are nothing but a network namespace."""

REGISTRY_NAME = f"registry.{DOMAIN}"
BUCKETS_NAME = f"s3.{DOMAIN}"  # only a test serves it
PACKAGES_NAME = f"packages.{DOMAIN}"
API_NAME = f"api.{DOMAIN}"
NAMES = {
    REGISTRY_NAME: SITE.address,
    BUCKETS_NAME: SITE.address,
    PACKAGES_NAME: PACKAGES_ADDRESS,
    API_NAME: API_ADDRESS,
    **{f"{host.name}.{DOMAIN}": host.address for host in MACHINES},
}
"""What the lab's name server answers."""


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
        """Certificates and keys that a customer would have: its authority, the cluster's, the servers'."""
        return self.state / "pki"

    @property
    def authority(self) -> Path:
        """The certificate of the lab's own authority, which machines and the operator trust."""
        return self.pki / "authority.crt"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, from the stack's output."""
        return self.state / "kubeconfig"

    @property
    def ssh_key(self) -> Path:
        """The operator's private key, which every machine's root accepts."""
        return self.state / "ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Host keys of all machines, as Pulumi.lab.yaml's `ssh.knownHostsFile` names it."""
        return self.state / "known_hosts"

    @property
    def gateway_crds(self) -> Path:
        """Gateway API's CRDs in one file, as Pulumi.lab.yaml's `gateway.crds` names it."""
        return self.state / "gateway-api.yaml"

    @property
    def resolver(self) -> Path:
        """The operator's resolv.conf."""
        return self.state / "resolv.conf"

    @property
    def supplies(self) -> Path:
        """What the site's services hand out: versions of packages, digests of images, the signing key."""
        return self.state / "supplies.json"

    @property
    def report(self) -> Path:
        """What the last `make up` saw."""
        return self.state / "report.json"

    def machine(self, name: str) -> Path:
        """A machine's own folder."""
        return self.state / "machines" / name
