"""Hides secrets in a preview.

The engine masks what the program marked as secret. That is not enough for what others mark wrongly: a key that came
in as a plain value is still a key.
"""

import re
from collections.abc import Mapping
from typing import Any

from components.core.unknown import SIGNATURE

SECRET = "[secret]"  # noqa: S105 - the engine's own word for a value that it hides
UNKNOWN = "[known when it runs]"

_UNKNOWN = re.compile(r"04da6b54-80e4-46f7-96ec-b56ff0331ba9")
"""What the engine writes for a value that it does not know yet (sdk/go/common/resource/plugin/rpc.go)."""
_NAMES = re.compile(
    r"(?i)(kube_?config|private_?key|pass(word|phrase|wd)?|pwd|authorization|secret_?(key|string|access_?key)|token"
    r"|credentials?|client_?key_?data|certificate_?key|bcrypt|htpasswd|api_?key"
    r"|(client|app|shared|signing|session|cookie|webhook|consumer|jwt|oauth2?)_?secret)(_?\d+)?$|[A-Z0-9]_SECRET$"
)
"""Names of properties and of environment variables that hold a secret, in any program. Not of those that
name a Secret of Kubernetes (`certificateSecret`)."""
_TEXTS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|client-key-data:|(?<![\w-])eyJ[\w-]{8,8192}\.[\w-]{8,8192}\."
    r"|\bAGE-SECRET-KEY-1"
    r"|://[^/\s:@]*:[^/\s@]+@"
    # A word of these, in YAML, a DSN or a header; a PEM text in base64; a bootstrap token of Kubernetes.
    r"|(?i:\b(password|passwd|pwd)[\"']?\s{0,9}[:=]\s{0,9}[^\s$])|(?im:^\s{0,99}[\"']?token[\"']?\s{0,9}:\s{0,9}\S)"
    r"|(?i:\bauthorization[\"']?\s{0,9}[:=]|\bbearer [\w.~+/-]{8})|LS0tLS1CRUdJTi"
    r"|(?<![\w.-])[a-z0-9]{6}\.[a-z0-9]{16}(?![\w.-])"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}|\bglpat-[\w-]{20,}|\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bpul-[0-9a-f]{40}"
)
"""What a secret looks like inside a longer text: a PEM key, a kubeconfig, a JWT, an age key, a URL with a password, a
token of GitHub, GitLab, AWS or Pulumi."""


def masked(value: Any, *, kind: str = "", path: tuple[str, ...] = ()) -> Any:
    """The value with every secret in it replaced, and every unknown named. `kind` is the resource's type."""
    if isinstance(value, Mapping):
        if SIGNATURE in value:
            return SECRET
        if kind.endswith((":Secret", ":SecretPatch")) and len(path) == 1 and path[0] in ("data", "stringData"):
            return dict.fromkeys(value, SECRET)
        # In a container's environment the name is beside the value.
        name = value["name"] if isinstance(value.get("name"), str) else ""
        return {
            key: SECRET
            if _is_secret(name if key == "value" and name else key, item)
            else masked(item, kind=kind, path=(*path, key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked(item, kind=kind, path=(*path, "[]")) for item in value]
    if isinstance(value, str):
        return masked_text(value)
    return value


def masked_text(text: str) -> str:
    """A text, or the word for a secret if there is one anywhere in it."""
    if _TEXTS.search(text):
        return SECRET
    return _UNKNOWN.sub(UNKNOWN, text)


def _is_secret(name: str, value: Any) -> bool:
    # `automountServiceAccountToken: false` and the like are switches, and say nothing.
    return not isinstance(value, bool) and value not in (None, "") and _NAMES.search(name) is not None
