"""The stack file's `gateway.issuer`: who makes the certificates of HTTPS listeners."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from components.charts.reference import Chart
from components.core.authority import AuthorityCertificate
from components.core.model import Spec
from components.core.types import DnsLabel, DnsName, RefusedError, Version
from components.core.waivers import IsoDate

NAMESPACE = "cert-manager"
"""The name of cert-manager's chart, of its release and of its namespace."""


class Secrets(Spec):
    """The stack's secret `certificates` has a certificate with its key for every HTTPS listener."""

    kind: Literal["secrets"]


class Existing(Spec):
    """Somebody else writes the Secrets into the gateway's namespace, before the platform makes the Gateway."""

    kind: Literal["existing"]


class PrivateCa(Spec):
    """The platform signs certificates with a private certificate authority, whose key is the secret `issuerKey`.

    A certificate is valid for `days`. It is replaced by the first update in its last `renewDays`. Until then, every
    update makes the same bytes. ADR 18 says why.
    """

    kind: Literal["private-ca"]
    ca_certificate: AuthorityCertificate
    """The authority's certificate, which clients trust."""
    valid_from: IsoDate
    """The first day of the first certificate. The days of all later ones follow from it."""
    days: int = Field(default=90, ge=2, le=825)
    """How long a certificate is valid. Apple's systems refuse more than 825 days (support.apple.com/HT210176)."""
    renew_days: int = Field(default=30, ge=1, le=400)
    """How long before its end a certificate is replaced. Run an update at least this often."""

    @model_validator(mode="after")
    def _overlap(self) -> "PrivateCa":
        if self.renew_days * 2 > self.days:
            raise RefusedError(f"renewDays is more than half of {self.days} days", f"write at most {self.days // 2}")
        return self


class Http01(Spec):
    """The ACME server asks the gateway itself, on port 80. The host names must lead to the gateway's address."""

    kind: Literal["http-01"]


class Rfc2136(Spec):
    """A name server of your own that takes updates with a TSIG key (RFC 2136). The key is the secret `dnsKey`."""

    kind: Literal["rfc2136"]
    nameserver: str = Field(pattern=r"^[0-9.]+(:[0-9]{1,5})?$")
    """Its address, optionally with a port."""
    key_name: DnsName
    """Name of the TSIG key."""
    algorithm: Literal["HMACSHA256", "HMACSHA512"] = "HMACSHA256"
    """Of the TSIG key."""


class DnsService(Spec):
    """Another DNS service, as in `dns01` of cert-manager's documentation."""

    kind: Literal["service"]
    name: Literal["acmeDNS", "akamai", "azureDNS", "cloudDNS", "cloudflare", "digitalocean", "route53", "webhook"]
    """The service's name in cert-manager."""
    settings: dict[str, Any]
    """Its settings, as cert-manager's ClusterIssuer has them. Secrets that they name must be in `cert-manager`."""


class Dns01(Spec):
    """The ACME server asks DNS. Also for wildcards and for gateways that the server can't reach."""

    kind: Literal["dns-01"]
    by: Annotated[Rfc2136 | DnsService, Field(discriminator="kind")]


class Acme(Spec):
    """An account at an ACME server. cert-manager makes its key."""

    server: str = Field(pattern=r"^https://[^\s@]+$")
    """The server's directory, as in https://acme-v02.api.letsencrypt.org/directory."""
    email: str | None = Field(default=None, pattern=r"^[^\s@]+@[^\s@]+\.[^\s@]+$")
    """Where the server writes to. It is personal data that leaves the platform."""
    ca_certificate: AuthorityCertificate | None = None
    """The authority that signed the server's own certificate. Default: a public one."""
    solver: Annotated[Http01 | Dns01, Field(discriminator="kind")]


class CertManager(Spec):
    """cert-manager from its own Helm chart, after the CNI. It orders certificates and renews them."""

    kind: Literal["cert-manager"]
    version: Version
    """Version of the chart, which is cert-manager's version."""
    repository: str = Field(default="https://charts.jetstack.io", pattern=r"^(https|oci)://\S+$")
    """Chart repository, or a mirror of it."""
    timeout_seconds: int = Field(default=300, ge=60, le=3600)
    """Time limit of the installation. After that the update fails, and names what does not run."""
    values: dict[str, Any] = Field(default_factory=dict)
    """More values for the chart. Keys that the platform sets are refused."""
    acme: Acme

    @property
    def chart(self) -> Chart:
        """The chart, whose version has a `v` in its repository."""
        return Chart(NAMESPACE, NAMESPACE, f"v{self.version}", self.repository, self.timeout_seconds)


class ClusterIssuer(Spec):
    """A ClusterIssuer of a cert-manager that somebody else runs in this cluster."""

    kind: Literal["cluster-issuer"]
    name: DnsLabel
    """Its name."""


Issuer = Annotated[
    Secrets | Existing | PrivateCa | CertManager | ClusterIssuer,
    Field(discriminator="kind"),
]
ByCertManager = CertManager | ClusterIssuer
"""Issuers whose certificates are objects of cert-manager."""


def asks_the_gateway(issuer: Issuer) -> bool:
    """Whether the Gateway must answer on port 80 before there are certificates. Somebody else's issuer may want it."""
    return isinstance(issuer, ClusterIssuer) or (
        isinstance(issuer, CertManager) and isinstance(issuer.acme.solver, Http01)
    )
