"""Secrets in etcd, encrypted with the stack's secret `encryptionKeys`: the API server's file, and the node's script."""

import base64
import hashlib
import json
from pathlib import Path
from shlex import quote

from components.core.shell import shell_script
from components.kubeadm.security.model import SecuritySpec
from components.kubeadm.security.render import ENCRYPTION

ENCRYPTION_KEYS = "encryptionKeys"
RUN_SECONDS = 300
"""The script's own limit: an API server reads its keys within a minute, and some thousand Secrets take as long."""

_SCRIPT = (Path(__file__).parent / "encryption.sh").read_text(encoding="utf-8")


def key_name(key: str) -> str:
    """The name under which etcd has what is encrypted with a key (base64); it gives nothing of the key away."""
    return "key-" + hashlib.sha256(b"vds-platform encryption key " + base64.b64decode(key)).hexdigest()[:12]


def encryption_config(security: SecuritySpec, keys: str) -> str:
    """EncryptionConfiguration, JSON. The first key encrypts, and all decrypt; `keys`: base64 with commas between.

    `identity` reads what was stored in clear before.
    """
    named = [{"name": key_name(key), "secret": key} for key in keys.split(",")]
    providers = [{"secretbox": {"keys": named}}, {"identity": {}}]
    if not security.is_on("encryption-at-rest"):
        providers.reverse()
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": providers}],
    }
    return json.dumps(document, indent=2)


def command(verb: str) -> str:
    """The command line that runs the script from standard input: `write` or `rewrite`."""
    return f"timeout -k 10 {RUN_SECONDS} sh -s {quote(verb)}"


def write_script(node: str, server: str, *, first: bool, security: SecuritySpec, keys: str) -> str:
    """The script for one control plane; it holds the keys. `server`: the address of the node's own API server."""
    return _script(node, server, first=first, security=security, keys=keys, config=encryption_config(security, keys))


def rewrite_script(node: str, server: str, *, security: SecuritySpec, keys: str) -> str:
    """The script that stores all Secrets again; it has the names of the keys alone."""
    return _script(node, server, first=True, security=security, keys=keys, config="")


def _script(node: str, server: str, *, first: bool, security: SecuritySpec, keys: str, config: str) -> str:
    names = [key_name(key) for key in keys.split(",")]
    facts = {
        "node": node,
        "role": "first" if first else "control-plane",
        "server": server,
        "file": ENCRYPTION,
        "encryption_config": config,
        "key_names": " ".join(names),
        "first_provider": names[0] if security.is_on("encryption-at-rest") else "identity",
    }
    return shell_script(_SCRIPT, facts)
