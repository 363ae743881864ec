"""`Pulumi.lab.yaml` with the lab's own values: keys, digests and versions.

In production an operator writes these values into the stack file by hand.
"""

import datetime
import hashlib
import json
from typing import Any

import yaml
from cryptography import x509

from components.core.untrusted import yaml_value
from lab.layout import CHECKOUT, STACK, Layout
from lab.machines import host

SPEC = "vds-platform:spec"
# If root lacks CAP_SYS_RESOURCE, runc can't give it to the agent. These are the chart's lists without it.
_AGENT_CAPABILITIES = (
    "CHOWN KILL NET_ADMIN NET_RAW IPC_LOCK SYS_MODULE SYS_ADMIN DAC_OVERRIDE FOWNER SETGID SETUID SYSLOG BPF PERFMON"
)
_LAB = "a machine of a lab is a container, which shares kernel and disk with its host"
_CLEAN_CAPABILITIES = "NET_ADMIN SYS_MODULE SYS_ADMIN"


def filled(layout: Layout) -> str:
    """The stack file's text, without secrets."""
    content = yaml_value((CHECKOUT / f"Pulumi.{STACK}.yaml").read_text())
    fill(content["config"][SPEC], layout)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def fill(spec: dict[str, Any], layout: Layout) -> None:
    """Put what this lab has made into a spec."""
    made = json.loads(layout.supplies.read_text())
    cluster = spec["cluster"]
    cluster["packages"] |= {
        "signingKey": made["signingKey"],
        "revision": made["revision"],
        "criTools": made["criTools"],
        "kubernetesCni": made["kubernetesCni"],
    }
    cluster["containerd"]["version"] = made["containerd"]
    cluster["kubernetesVersion"] = made.get("kubernetes", cluster["kubernetesVersion"])
    spec["cni"]["version"] = made.get("cilium", spec["cni"]["version"])
    cluster["caCertificate"] = (layout.pki / "cluster.crt").read_text()
    if host.cgroup_v1():
        cluster["cgroupV1"] = True
    for node in spec["nodes"]:
        node["machine"] = "container"
    spec["preflight"]["accept"] = accepted()
    spec["images"]["pins"] = made["images"]
    spec["gateway"]["crds"]["sha256"] = hashlib.sha256(layout.gateway_crds.read_bytes()).hexdigest()
    spec["gateway"]["issuer"] = _issuer(layout)
    if host.lacks_sys_resource():
        capabilities = {
            "ciliumAgent": _AGENT_CAPABILITIES.split(),
            "cleanCiliumState": _CLEAN_CAPABILITIES.split(),
        }
        spec["cni"]["install"]["values"] = {"securityContext": {"capabilities": capabilities}}


def accepted() -> list[dict[str, str]]:
    """The checks that can't be made in the lab's machines, accepted for a month."""
    until = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)).isoformat()
    checks = ["machine", "etcd-disk"]
    if not host.publishes_kernel_configuration():
        checks.append("bpf")
    return [{"check": check, "until": until, "reason": _LAB} for check in checks]


def _issuer(layout: Layout) -> dict[str, Any]:
    """The lab's authority, which signs the gateway's certificates from its own first day on."""
    authority = layout.authority.read_text()
    begins = x509.load_pem_x509_certificate(authority.encode()).not_valid_before_utc.date()
    return {"kind": "private-ca", "caCertificate": authority, "validFrom": str(begins)}


def secret_values(layout: Layout) -> dict[str, str]:
    """The stack's secrets, by their names in Pulumi's configuration."""
    pki = layout.pki
    return {
        "sshPrivateKey": layout.ssh_key.read_text(),
        "caKey": (pki / "cluster.key").read_text(),
        "encryptionKeys": (pki / "encryption-key").read_text(),
        "issuerKey": layout.authority.with_suffix(".key").read_text(),
    }
