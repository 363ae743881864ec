"""Reads how long the certificates of control planes are valid that kubeadm made, and that of the stack's kubeconfig. No
private key leaves a node."""

import base64
import datetime
import re
from collections.abc import Iterator

from cryptography import x509

from components.core.kubeconfig import ADVISED_DAYS, first_end
from vds.doctor.diagnosis import GatewayFinding
from vds.shared.ssh import Run, outputs_of
from vds.shared.stack import Opened

EXPIRY_DAYS = 30
"""A timer renews kubeadm's certificates 60 days before the first ends: half of that is left when it has failed."""
_READ_AGAIN = "run `pulumi up --replace \"$(pulumi stack --show-urns | grep -o 'urn:.*-kubeconfig$')\"`"
_SECONDS = 30
_RENEW = (
    "its timer did not: read `journalctl -u vds-platform-certificates` there, and renew it "
    "(docs/howto/bootstrap-a-cluster.md, Certificates renew themselves)"
)
_SCRIPT = """\
set -eu
cd /etc/kubernetes
for file in pki/*.crt pki/etcd/*.crt; do
	[ ! -e "$file" ] || { echo "file $file"; cat "$file"; }
done
for file in admin.conf super-admin.conf controller-manager.conf scheduler.conf; do
	[ ! -e "$file" ] || { echo "file $file"; sed -n 's/^ *client-certificate-data: */data /p' "$file"; }
done
for file in /var/lib/kubelet/pki/kubelet-client-current.pem; do # its key is in the same file
	[ ! -e "$file" ] || { echo "file $file"; sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' "$file"; }
done
"""


def examine_certificates(opened: Opened) -> list[GatewayFinding]:
    """One row for the stack's kubeconfig and for each control plane; nothing of an existing cluster, or before there is
    one. Without an SSH key only the first."""
    bootstrap = opened.spec.bootstrap
    if bootstrap is None or opened.admin is None:
        return []
    now = datetime.datetime.now(datetime.UTC)
    rows = kubeconfig_rows(opened.admin, now)
    if not opened.ssh_private_key:
        return rows
    nodes = bootstrap.control_planes
    asked = outputs_of(opened, nodes, [_SCRIPT] * len(nodes), _SECONDS)
    return [*rows, *(certificates_row(run, output, now) for run, output in asked)]


def kubeconfig_rows(text: str, now: datetime.datetime) -> list[GatewayFinding]:
    """How long the administrator's certificate in the stack's output is valid. Nothing where it has none."""
    found = first_end(text)
    if found is None:
        return []
    name, end = found
    item = "stack output kubeconfig"
    if end <= now:
        return [GatewayFinding(item, "fails", f"the certificate of {name} expired on {end:%Y-%m-%d}", _READ_AGAIN)]
    days = (end - now).days
    said = f"the certificate of {name} expires in {days} days (limit {ADVISED_DAYS})"
    if days < ADVISED_DAYS:
        return [GatewayFinding(item, "advice", said, _READ_AGAIN)]
    return [GatewayFinding(item, "ok", said)]


def certificates_row(run: Run, output: str, now: datetime.datetime) -> GatewayFinding:
    """The certificates of a control plane: `output` is what the script printed there."""
    item = f"node {run.node}, certificates"
    if run.status != 0:
        reason = run.errors.removeprefix(f"node {run.node}").strip(": ") or "they could not be read"
        return GatewayFinding(item, "unknown", reason[-300:], "run the doctor again")
    try:
        ends = sorted((end, name) for name, end in _ends(output))
        soonest, name = ends[0]
    except (ValueError, IndexError):
        return GatewayFinding(item, "unknown", "they can't be read", "run the doctor of this release")
    if soonest <= now:
        return GatewayFinding(item, "fails", f"{name} expired on {soonest:%Y-%m-%d}", _RENEW)
    days = (soonest - now).days
    said = f"{len(ends)} read, the first to expire is {name}, in {days} days (limit {EXPIRY_DAYS})"
    state, remedy = ("advice", _RENEW) if days < EXPIRY_DAYS else ("ok", "")
    return GatewayFinding(item, state, said, remedy)  # type: ignore[arg-type]  # one of two states


def _ends(output: str) -> Iterator[tuple[str, datetime.datetime]]:
    """Each file, and when the first of its certificates expires."""
    for part in re.split(r"^file ", output, flags=re.MULTILINE)[1:]:
        name, _, text = part.partition("\n")
        if text.startswith("data "):
            text = base64.b64decode(text.removeprefix("data ").strip(), validate=True).decode()
        found = x509.load_pem_x509_certificates(text.encode())
        yield name, min(one.not_valid_after_utc for one in found)
