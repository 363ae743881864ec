"""Secrets of a bootstrap. No model holds them; their form is checked, and they are never shown."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from components.core.authority import key_problem
from components.core.finding import Finding
from components.core.names import PROJECT
from components.kubeadm.model import Kubeadm

BY_KIND = {"existing": ("kubeconfig",), "kubeadm": ("bootstrapToken", "certificateKey", "caKey")}
"""The secrets that each kind of cluster needs, in `vds-platform:`."""

_FORMS = {
    # k8s.io/cluster-bootstrap/token/api: six public characters, a dot, sixteen secret ones.
    "bootstrapToken": (re.compile(r"[a-z0-9]{6}\.[a-z0-9]{16}"), "six and sixteen of a-z and 0-9 with a dot between"),
    # kubeadm: an AES key of 32 bytes.
    "certificateKey": (re.compile(r"[0-9a-f]{64}"), "64 hexadecimal digits, as `openssl rand -hex 32` makes them"),
}


class Credentials(NamedTuple):
    """The secrets of a bootstrap in clear text, while a script is rendered."""

    bootstrap_token: str
    """A node requests its certificate with it; valid for two hours."""
    certificate_key: str
    """Control planes decrypt the uploaded certificates with it; valid for two hours."""
    ca_key: str
    """The authority's private key, PEM."""

    def __repr__(self) -> str:
        return "Credentials(…)"


def secret_names(data: Any) -> tuple[str, ...]:
    """The secrets that a stack file needs, even if other parts of it are wrong.

    Without a known `cluster.kind` it counts as `existing`.
    """
    cluster = data.get("cluster") if isinstance(data, Mapping) else None
    kind = cluster.get("kind") if isinstance(cluster, Mapping) else None
    return BY_KIND.get(kind if isinstance(kind, str) else "", BY_KIND["existing"])


def credential_problems(given: Mapping[str, str], cluster: Any) -> list[Finding]:
    """What is wrong with the given secrets. No message has their values."""
    found = [
        Finding("cluster-secrets", f"{PROJECT}:{name}", "has the wrong form", f"set {form}")
        for name, (pattern, form) in _FORMS.items()
        if name in given and not pattern.fullmatch(given[name])
    ]
    if "caKey" in given:
        problem = key_problem(
            given["caKey"], cluster.ca_certificate if isinstance(cluster, Kubeadm) else None, of="cluster.caCertificate"
        )
        if problem:
            remedy = "set the key that was made together with the certificate"
            found.append(Finding("cluster-secrets", f"{PROJECT}:caKey", problem, remedy))
    return found
