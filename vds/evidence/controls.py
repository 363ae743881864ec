"""Controls of five frameworks, and what the evidence can say about each. Pure.

Numbers are those of the frameworks. Titles and texts are ours: we found no license for NSM's text, and that of the CIS
(CC BY-NC-SA 4.0) allows no commercial use. Sources, read in November 2026:

- NSM, Grunnprinsipper for IKT-sikkerhet 2.1 (June 2024): the 21 principles
- NSM, Faktorer for kontroll (nsm.no/regelverk-og-hjelp/rapporter/faktorer-for-kontroll): six factors
- European Commission, Cloud Sovereignty Framework 1.2.1 (October 2025): eight objectives
- Regulation (EU) 2016/679 (GDPR)
- CIS Kubernetes Benchmark 1.12: the points that the lab checks
"""

from typing import Literal, NamedTuple

Proof = Literal["proved by machine", "declared", "not provable here"]

FRAMEWORKS = {
    "nsm-principles": "NSM, Grunnprinsipper for IKT-sikkerhet 2.1",
    "nsm-control": "NSM, six factors of national control",
    "eu-csf": "European Commission, Cloud Sovereignty Framework 1.2.1",
    "gdpr": "Regulation (EU) 2016/679 (GDPR)",
    "cis": "CIS Kubernetes Benchmark 1.12, points that the lab checks",
}

_PLACES = ("residency", "residency-place", "residency-destinations", "residency-state")
_TENANTS = (
    "tenancy-label",
    "tenancy-forged-label",
    "tenancy-one-bundle",
    "tenancy-default-deny",
    "tenancy-external-name",
    "tenancy-isolation",
    "tenancy-node-access",
    "tenancy-pod-security",
    "network-no-host",
)
_RIGHTS = ("tenancy-rights", "tenancy-cluster-binding", "tenancy-cluster-role", "tenancy-token")
_SHARES = ("tenancy-quota", "tenancy-limits", "tenancy-priority", "tenancy-control-plane", "tenancy-disruption")
_NETWORK = ("cni-no-flannel", "gateway-no-node-port", "tenancy-external-ips", "ssh-host-key", "cluster-tls")
_TLS = ("gateway-tls", "cluster-tls", "ssh-host-key")

_TRUE = "whether a declared country or owner is true: compare it with contracts and registers"
_NO_PART = "no part of this platform"

Declaration = Literal["operator", "role", "controllers", "owners", "backups", "sinks"]
"""What a stack file can declare: `control_results` says what each is."""


class Control(NamedTuple):
    """A control, and what in the evidence is about it."""

    framework: str
    """A key of FRAMEWORKS."""
    number: str
    title: str
    proof: Proof
    policies: tuple[str, ...] = ()
    """Policies of the pack whose results are about it."""
    declared: tuple[Declaration, ...] = ()
    """Declarations that it needs."""
    open: str = ""
    """What the evidence does not show of it."""

    @property
    def id(self) -> str:
        """The name that OSCAL documents use: `gdpr-32-1-a`."""
        return f"{self.framework}-{self.number}".replace("(", "-").replace(")", "").lower()


def _principle(
    number: str, title: str, proof: Proof, *policies: str, open: str, declared: tuple[Declaration, ...] = ()
) -> Control:
    return Control("nsm-principles", number, title, proof, policies, declared, open)


BY_MACHINE: Proof = "proved by machine"
DECLARED: Proof = "declared"
NOT_HERE: Proof = "not provable here"

CONTROLS = (
    _principle(
        "1.1",
        "Management, services and flows of information are known",
        DECLARED,
        declared=("operator", "controllers"),
        open="the management of security and of risks",
    ),
    _principle(
        "1.2",
        "Machines and software are known",
        BY_MACHINE,
        "residency-place",
        "charts-rendered",
        "charts-shown",
        "stack-judged",
        open="what was installed without Pulumi; packages of the nodes' operating system",
    ),
    _principle(
        "1.3",
        "Users and their needs for access are known",
        NOT_HERE,
        open="people are known to the identity provider and not to the stack",
    ),
    _principle(
        "2.1",
        "Security in procurement and development",
        BY_MACHINE,
        "tenancy-images",
        "residency-destinations",
        open="contracts, and how software is developed",
    ),
    _principle(
        "2.2", "A secure architecture with separated zones", BY_MACHINE, *_TENANTS, open="the provider's own network"
    ),
    _principle(
        "2.3",
        "A secure configuration",
        BY_MACHINE,
        "cni-consistent",
        "cni-values-read",
        "cni-mtu",
        "tenancy-pod-security",
        *_SHARES,
        open="the operating system of the nodes beyond the settings that the platform writes, and whether its security "
        "updates arrive: vds doctor says that, with osUpdates in the stack file",
    ),
    _principle("2.4", "The network is protected", BY_MACHINE, *_NETWORK, open="firewalls of the provider"),
    _principle(
        "2.5",
        "Flows of data are controlled",
        BY_MACHINE,
        "tenancy-default-deny",
        "tenancy-isolation",
        "residency-destinations",
        open="what an allowed destination does with data",
    ),
    _principle(
        "2.6",
        "Identities and access are controlled",
        BY_MACHINE,
        *_RIGHTS,
        open="accounts at the identity provider; holders of the administrator's kubeconfig and of SSH keys",
    ),
    _principle(
        "2.7",
        "Data is protected at rest and in transit",
        BY_MACHINE,
        *_TLS,
        "residency-state",
        open="encryption of disks; traffic between pods",
    ),
    _principle("2.8", "E-mail and browsers are protected", NOT_HERE, open=_NO_PART),
    _principle(
        "2.9",
        "Data can be restored",
        DECLARED,
        "stack-protected",
        declared=("backups",),
        open="whether backups are made and can be restored",
    ),
    _principle(
        "2.10",
        "Changes are controlled",
        NOT_HERE,
        open="reviews are on the forge: its log shows who approved which preview",
    ),
    _principle("3.1", "Known vulnerabilities are found and removed", NOT_HERE, open="scan the images of sbom.cdx.json"),
    _principle("3.2", "Security is monitored", DECLARED, declared=("sinks",), open="what is logged, and for how long"),
    _principle("3.3", "Data of the monitoring is analysed", NOT_HERE, open="work of people"),
    _principle("3.4", "Attacks are tested", NOT_HERE, open="work of people"),
    _principle("4.1", "The organisation is prepared for incidents", NOT_HERE, open="work of people"),
    _principle("4.2", "Incidents are judged", NOT_HERE, open="work of people"),
    _principle("4.3", "Incidents are handled", NOT_HERE, open="work of people"),
    _principle("4.4", "Incidents are learned from", NOT_HERE, open="work of people"),
    Control("nsm-control", "1", "Where the data centres are", DECLARED, _PLACES, ("owners",), _TRUE),
    Control(
        "nsm-control",
        "2",
        "Where the people who operate and support it are",
        NOT_HERE,
        open="where people are; the place of the CI runners is in the record",
    ),
    Control("nsm-control", "3", "Preparedness in peace, crisis and war", NOT_HERE, open="plans and agreements"),
    Control(
        "nsm-control",
        "4",
        "Owners and nationality in the whole supply chain",
        DECLARED,
        _PLACES,
        ("owners",),
        f"{_TRUE}; owners of those whom a supplier uses",
    ),
    Control(
        "nsm-control",
        "5",
        "Trust in software and hardware",
        BY_MACHINE,
        ("tenancy-images", "charts-rendered"),
        open="the hardware; who wrote the software",
    ),
    Control(
        "nsm-control",
        "6",
        "Customers on the same infrastructure are separated",
        BY_MACHINE,
        (*_TENANTS, *_RIGHTS, *_SHARES),
        open="how the provider separates its customers' servers",
    ),
    Control(
        "eu-csf",
        "SOV-1",
        "Strategic sovereignty",
        DECLARED,
        (),
        ("operator", "owners"),
        "owners of owners, financing and influence",
    ),
    Control(
        "eu-csf",
        "SOV-2",
        "Legal and jurisdictional sovereignty",
        DECLARED,
        _PLACES,
        ("owners",),
        f"{_TRUE}; which law a court would apply",
    ),
    Control(
        "eu-csf",
        "SOV-3",
        "Data and AI sovereignty",
        DECLARED,
        (*_PLACES, *_TLS),
        ("owners",),
        f"{_TRUE}; encryption of disks; services of AI that tenants call",
    ),
    Control("eu-csf", "SOV-4", "Operational sovereignty", NOT_HERE, open="people, skills and contracts of support"),
    Control(
        "eu-csf",
        "SOV-5",
        "Supply chain sovereignty",
        DECLARED,
        ("residency-destinations",),
        ("owners",),
        "hardware and firmware; who wrote the software of sbom.cdx.json",
    ),
    Control(
        "eu-csf",
        "SOV-6",
        "Technology sovereignty",
        NOT_HERE,
        open="licenses and standards of the software of sbom.cdx.json",
    ),
    Control(
        "eu-csf",
        "SOV-7",
        "Security and compliance sovereignty",
        NOT_HERE,
        open="who operates security, and certificates; policies.md is a part of the answer",
    ),
    Control(
        "eu-csf",
        "SOV-8",
        "Environmental sustainability",
        NOT_HERE,
        open="energy, water and hardware of the data centres",
    ),
    Control(
        "gdpr",
        "25",
        "Protection by design and by default",
        BY_MACHINE,
        (*_TENANTS, *_RIGHTS),
        open="applications of the tenants",
    ),
    Control("gdpr", "28", "Processors", DECLARED, (), ("operator", "role", "controllers"), "the contracts"),
    Control(
        "gdpr",
        "30",
        "Records of processing",
        DECLARED,
        ("residency-record",),
        ("operator", "role", "controllers"),
        "purposes and categories, where the record says that they are not declared",
    ),
    Control("gdpr", "32(1)(a)", "Encryption", BY_MACHINE, _TLS, open="disks, traffic between pods, and applications"),
    Control(
        "gdpr",
        "32(1)(b)",
        "Confidentiality, integrity, availability",
        BY_MACHINE,
        (*_TENANTS, *_RIGHTS, *_SHARES),
        open="applications of the tenants",
    ),
    Control(
        "gdpr",
        "32(1)(c)",
        "Restoring after an incident",
        DECLARED,
        ("stack-protected",),
        ("backups",),
        "whether backups are made and can be restored",
    ),
    Control(
        "gdpr", "32(1)(d)", "Regular tests of the measures", NOT_HERE, open="how often this evidence is made and read"
    ),
    Control("gdpr", "33", "Notice of a breach", NOT_HERE, open="work of people"),
    Control(
        "gdpr",
        "44",
        "Transfers to third countries",
        DECLARED,
        (*_PLACES, "residency-exceptions"),
        ("owners",),
        f"{_TRUE}; safeguards of the places that are excepted",
    ),
)
