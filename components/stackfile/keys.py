"""The keys of a stack file that are this platform's: `vds-platform:spec` and what is beside it. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from components.core.finding import Finding
from components.core.messages import did_you_mean
from components.core.names import PROJECT
from components.gateway.certificates import CERTIFICATES, DNS_KEY, ISSUER_KEY
from components.kubeadm.backup.credentials import ACCESS_KEY, IDENTITY, READER_KEY
from components.kubeadm.credentials import BY_KIND, CA_KEY, secret_names
from components.monitoring.model import ALERT_SECRET

RULE = "stack-file-key"
SPEC = f"{PROJECT}:spec"
OF_ISSUERS = (CERTIFICATES, ISSUER_KEY, DNS_KEY)
"""Secrets that the kind of `gateway.issuer` asks for."""
EVIDENCE_KEY = "evidenceKey"
"""The key that `vds evidence --sign` signs with. No run of the program needs it."""
SECRETS = frozenset(
    {
        *(name for names in BY_KIND.values() for name in names),
        *("sshPrivateKey", CA_KEY, EVIDENCE_KEY, *OF_ISSUERS, ACCESS_KEY, IDENTITY, READER_KEY, ALERT_SECRET),
    }
)
DEFAULTS = f"{PROJECT}:defaults"
SETTINGS: Mapping[str, tuple[type, str]] = {
    "defaults": (str, "A file with settings that several stack files share, as in defaults.yaml. The spec's own win."),
    "readNodes": (bool, "Ask each node for its present settings before a preview or an update, so that drift is seen."),
    "factsFile": (str, "A file of `vds doctor --facts`: a preview judges nodes by it and does not ask them."),
    "factsSha256": (str, "SHA-256 of `factsFile`."),
    "withoutSecrets": (bool, "A preview that needs no secret and asks no node and no cluster. An update refuses it."),
}
"""Settings beside the spec, their type and what they do. The engine hands each of them on as text."""


def key_findings(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Keys of ours that there are not, and values of a wrong type."""
    for key, value in config.items():
        namespace, colon, name = key.partition(":")
        if not colon or namespace != PROJECT:
            if colon and did_you_mean(namespace, [PROJECT]):
                yield Finding(RULE, key, "is not a key of this project", f"write {PROJECT}:{name}")
        elif name != "spec" and name not in SETTINGS and name not in SECRETS:
            choices = ["spec", *SETTINGS, *sorted(SECRETS)]
            meant = did_you_mean(name, choices).replace("did you mean ", f"did you mean {PROJECT}:")
            yield Finding(RULE, key, "is not a key here", meant or f"the keys are {', '.join(choices)}")
        elif name in SETTINGS and SETTINGS[name][0] is bool and str(value).lower() not in ("true", "false"):
            yield Finding(RULE, key, f"{str(value)[:20]!r} is neither true nor false", "write one of them")


def plain_secrets(in_clear: Collection[str]) -> Iterator[Finding]:
    """Secrets that a configuration has in clear. `in_clear`: the keys whose values are not encrypted in the file."""
    for name in sorted(SECRETS):
        if f"{PROJECT}:{name}" in in_clear:
            yield Finding(
                RULE,
                f"{PROJECT}:{name}",
                "is a secret, and is not encrypted in the file (not repeated)",
                f"remove it, make a new one, and run `pulumi config set --secret {PROJECT}:{name}`",
            )


def missing_secrets(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Secrets that this file has not yet: a new one has none, so this is advice."""
    for name in (*secret_names(config.get(SPEC)), "sshPrivateKey"):
        if f"{PROJECT}:{name}" not in config:
            yield Finding(
                RULE,
                f"{PROJECT}:{name}",
                "is not in the file yet",
                f"before the first `pulumi up`, run `pulumi config set --secret {PROJECT}:{name}`",
                advice=True,
            )


def is_encrypted(value: Any) -> bool:
    """Whether a value is one that the engine has encrypted."""
    return isinstance(value, Mapping) and set(value) == {"secure"} and isinstance(value["secure"], str)
