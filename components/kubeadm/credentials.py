"""Secrets of a bootstrap. No model holds them; their form is checked, and they are never shown."""

import string
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from components.core.authority import key_problem
from components.core.finding import Finding
from components.core.kubeconfig import kubeconfig_problems
from components.core.names import PROJECT
from components.kubeadm.backup.credentials import ACCESS_KEY, backup_secret_problems
from components.kubeadm.model import Kubeadm
from components.kubeadm.security.encryption import ENCRYPTION_KEYS
from components.kubeadm.security.model import KEYS

KUBECONFIG = "kubeconfig"
BY_KIND: Mapping[str, tuple[str, ...]] = {"existing": (KUBECONFIG,), "kubeadm": (ENCRYPTION_KEYS,)}
"""The secrets that every run needs of each kind of cluster, in `vds-platform:`."""
CA_KEY = "caKey"
"""The key of a cluster's authority, in `vds-platform:`. Only the run that makes the cluster needs it."""

_LOWER, _HEXADECIMAL = string.ascii_lowercase + string.digits, "0123456789abcdef"


class Credentials(NamedTuple):
    """The secrets of one run, drawn by chance. No configuration has them, and no later run uses them again."""

    bootstrap_token: str = ""
    """A node requests its certificate with it; valid for two hours. k8s.io/cluster-bootstrap/token/api has its form."""
    certificate_key: str = ""
    """Control planes decrypt the uploaded certificates with it, an AES key of 32 bytes; valid for two hours."""
    kubeconfig_password: str = ""
    """The administrator's kubeconfig is encrypted with it while it is read. The state keeps it with the kubeconfig."""

    def __repr__(self) -> str:
        return "Credentials(…)"

    @classmethod
    def drawn(cls, choose: Callable[[str], str]) -> Self:
        """New ones. `choose` draws one character of a text, by chance."""
        token = "".join(choose(_LOWER) for _ in range(6 + 16))
        key, password = ("".join(choose(_HEXADECIMAL) for _ in range(64)) for _ in range(2))
        return cls(f"{token[:6]}.{token[6:]}", key, password)


def secret_names(data: Any) -> tuple[str, ...]:
    """The secrets that a stack file needs, even if other parts of it are wrong.

    Without a known `cluster.kind` it counts as `existing`.
    """
    cluster = data.get("cluster") if isinstance(data, Mapping) else None
    known: Mapping[str, Any] = cluster if isinstance(cluster, Mapping) else {}
    kind = known.get("kind")
    names = BY_KIND.get(kind if isinstance(kind, str) else "", BY_KIND["existing"])
    return (*names, ACCESS_KEY) if kind == "kubeadm" and known.get("backup") else names


def credential_problems(given: Mapping[str, str], cluster: Any) -> list[Finding]:
    """What is wrong with the given secrets. No message has their values."""
    found = [
        Finding("cluster-secrets", f"{PROJECT}:{KUBECONFIG}", one.message, one.remedy)
        for one in (kubeconfig_problems(given[KUBECONFIG]) if KUBECONFIG in given else ())
    ]
    if ENCRYPTION_KEYS in given and not KEYS.fullmatch(given[ENCRYPTION_KEYS]):
        form = "keys of 32 bytes in base64 with commas between, as `openssl rand -base64 32` makes them"
        found.append(Finding("cluster-secrets", f"{PROJECT}:{ENCRYPTION_KEYS}", "has the wrong form", f"set {form}"))
    found += backup_secret_problems(given)
    if CA_KEY in given:
        problem = key_problem(
            given[CA_KEY], cluster.ca_certificate if isinstance(cluster, Kubeadm) else None, of="cluster.caCertificate"
        )
        if problem:
            remedy = "set the key that was made together with the certificate"
            found.append(Finding("cluster-secrets", f"{PROJECT}:{CA_KEY}", problem, remedy))
    return found
