"""Security settings of a cluster that kubeadm makes: all are on, and an exception switches one off by its name."""

import re
from typing import Annotated, Literal, Self

from cryptography import x509
from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from components.core.duplicates import duplicates
from components.core.model import Spec
from components.core.types import RefusedError
from components.core.waivers import Waiver

Setting = Literal[
    "encryption-at-rest",
    "audit-log",
    "anonymous-requests",
    "external-ips",
    "pod-security",
    "event-rate-limit",
    "kernel-defaults",
    "seccomp-default",
]
"""What can be switched off. docs/cis-benchmark.md has the points of the benchmark that each of them is for."""


def _certificates(pem: str) -> str:
    if "PRIVATE KEY" in pem:
        raise RefusedError("has a private key", "write only certificates")
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise ValueError("write certificates in PEM") from None
    return pem


Certificates = Annotated[
    str, AfterValidator(_certificates), WithJsonSchema({"type": "string", "pattern": "BEGIN CERTIFICATE"})
]
"""One certificate or several, PEM."""

_CLAIM = r"^[A-Za-z0-9_.:/-]+$"


class IdentityProvider(Spec):
    """An OpenID Connect provider whose ID tokens the API server accepts.

    A name or group that begins with `system:` is refused, because such names are Kubernetes' own.
    """

    issuer: str = Field(pattern=r"^https://[^\s?#]+$")
    """The address of the issuer, as in the claim `iss`. The API server reads its keys from there."""
    audiences: tuple[str, ...] = Field(min_length=1)
    """The client IDs: a token must be made for one of them."""
    ca_certificate: Certificates | None = None
    """The authority of the issuer's own certificate; left out: the ones of the control plane's operating system."""
    username_claim: str = Field(default="sub", pattern=_CLAIM)
    """The claim with the user's name."""
    username_prefix: str = "oidc:"
    """Put before the user's name, so that no token can take the name of somebody else in the cluster."""
    groups_claim: str = Field(default="groups", pattern=_CLAIM)
    """The claim with the user's groups."""
    groups_prefix: str = ""
    """Put before each group. Without it `tenants[].owner.group` is the group's name at the provider."""


class AuditLog(Spec):
    """How long a control plane keeps its audit log, in /var/log/kubernetes/audit."""

    max_age_days: int = Field(default=30, ge=1, le=3650)
    """Days after which a file is deleted."""
    max_files: int = Field(default=10, ge=1, le=1000)
    """Files besides the present one."""
    max_file_megabytes: int = Field(default=100, ge=1, le=10000)
    """Size at which a new file begins."""


class SettingException(Waiver):
    """A security setting that is off until a day."""

    setting: Setting
    """The setting that is off."""


class SecuritySpec(Spec):
    """Security settings. Everything is on without being written."""

    identity_providers: tuple[IdentityProvider, ...] = ()
    """Where users and their groups come from; left out: only client certificates and service accounts."""
    audit_log: AuditLog = AuditLog()
    exceptions: tuple[SettingException, ...] = ()
    """Settings that are off."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for name in duplicates(item.setting for item in self.exceptions):
            raise RefusedError(f"has an exception for {name} twice", "remove one of them")
        for issuer in duplicates(item.issuer for item in self.identity_providers):
            raise RefusedError(f"has the issuer {issuer} twice", "write its audiences in one list")
        return self

    def is_on(self, setting: Setting) -> bool:
        """Whether no exception switches it off. A day that is over is refused before anything runs."""
        return all(item.setting != setting for item in self.exceptions)


_KEY = r"[A-Za-z0-9+/]{43}="
KEYS = re.compile(f"{_KEY}(,{_KEY})*")
"""The form of the secret `encryptionKeys`: keys of 32 bytes in base64, the one that encrypts first."""
