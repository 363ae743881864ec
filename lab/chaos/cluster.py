"""Faults of the cluster: its API server, etcd, registry and certificates."""

import base64
import contextlib
import datetime
import os
import re
import signal
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from lab import data_center, fabric, supplies
from lab.chaos import changes
from lab.chaos.runner import Fault
from lab.chaos.trial import Seen, Trial, seen
from lab.layout import CONTROL_PLANES
from lab.machines import machine
from lab.processes import LabError, kill
from lab.progress import Progress

_FIRST = CONTROL_PLANES[0]
_PKI = "/etc/kubernetes/pki"
# kubeadm's certificates that end after a year, with the authority of each.
_CERTIFICATES = {
    "apiserver": "ca",
    "apiserver-kubelet-client": "ca",
    "apiserver-etcd-client": "etcd/ca",
    "etcd/server": "etcd/ca",
    "etcd/peer": "etcd/ca",
    "etcd/healthcheck-client": "etcd/ca",
    "front-proxy-client": "front-proxy-ca",
}
_KUBECONFIGS = ("admin", "controller-manager", "scheduler")
_READY = """
waited=0
until kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw /readyz >/dev/null 2>&1; do
	[ $waited -lt 120 ] || { echo "the API server is not ready" >&2; exit 1; }
	waited=$((waited + 1))
	sleep 1
done
"""
_STATIC_PODS = ("kube-apiserver", "etcd", "kube-controller", "kube-scheduler")


def _struck(trial: Trial, process: str) -> Seen:
    """Kill a process of the control plane in the middle of an update; the kubelet starts it again."""
    with trial.updating(changes.edge) as running:
        trial.wait_for_step(running, 2)
        found = trial.processes(_FIRST, process)
        if not found:
            raise LabError(f"{_FIRST.name} has no process {process}")
        for number in found:
            os.kill(number, signal.SIGKILL)
        outcome = running.result()
    return seen(outcome, killed=len(found))


def _registry_is_killed(trial: Trial) -> Seen:
    with trial.updating(changes.chart) as running:
        trial.wait_for_step(running)
        kill("site/registry")
        outcome = running.result()
    return seen(outcome)


def _registry_runs(trial: Trial) -> None:
    supplies.ensure(trial.layout, trial.tools, trial.progress)


# --- etcd ------------------------------------------------------------------------------------------------

_LEADS = "curl --silent --fail --max-time 10 http://127.0.0.1:2381/metrics | grep -c '^etcd_server_is_leader 1' || :"
_ETCD = """
set -eu
manifest=/etc/kubernetes/manifests/etcd.yaml aside=/etc/kubernetes/chaos-etcd.yaml
stop_etcd() {
	[ ! -e $manifest ] || mv $manifest $aside
	waited=0
	while [ -n "$(crictl ps --quiet --name '^etcd$')" ]; do
		[ $waited -lt 120 ] || { echo "etcd does not stop" >&2; exit 1; }
		waited=$((waited + 1))
		sleep 1
	done
}
start_etcd() {
	[ ! -e $aside ] || mv $aside $manifest
}
"""
# etcd's data on a small file system of its own. Holes stay holes: what etcd has reserved for its log is not there then.
_SMALL_DISK = f"""
{_ETCD}
stop_etcd
mkdir -p /run/chaos-etcd
size=$(du -sk --apparent-size /var/lib/etcd | cut -f 1)
mount -t tmpfs -o size=$((size + 32768))k,mode=700 tmpfs /run/chaos-etcd
cp -a --sparse=always /var/lib/etcd/. /run/chaos-etcd/
mount --bind /run/chaos-etcd /var/lib/etcd
start_etcd
"""
_FILL = "head -c 4G /dev/zero >/run/chaos-etcd/ballast 2>/dev/null || :"
_OWN_DISK = f"""
{_ETCD}
mountpoint -q /run/chaos-etcd || {{ start_etcd; exit 0; }}
rm -f /run/chaos-etcd/ballast
stop_etcd
umount /var/lib/etcd
rm -rf /var/lib/etcd/member
cp -a /run/chaos-etcd/member /var/lib/etcd/
umount /run/chaos-etcd
start_etcd
"""


def _etcd_disk_is_full(trial: Trial) -> Seen:
    trial.in_machine(_FIRST, _SMALL_DISK)
    trial.wait_for_api()
    with trial.updating(changes.edge) as running:
        trial.wait_for_step(running, 2)
        trial.in_machine(_FIRST, _FILL)
        outcome = running.result()
    if outcome.exit_code == 0:
        raise LabError("etcd still had space")
    return seen(outcome)


def _etcd_has_space(trial: Trial) -> None:
    trial.in_machine(_FIRST, "rm -f /run/chaos-etcd/ballast")
    trial.wait_for_api()


def _etcd_as_before(trial: Trial) -> None:
    trial.in_machine(_FIRST, _OWN_DISK)
    trial.wait_for_api()


def _three_members(trial: Trial) -> None:
    data_center.ensure(trial.layout, Progress(total=1, quiet=True), CONTROL_PLANES[1:])
    outcome = trial.up(changes.control_planes)
    if outcome.exit_code:
        raise LabError(f"two more control planes could not join: {outcome.diagnostics[-800:]}")


def _leader_is_lost(trial: Trial) -> Seen:
    """The machine of etcd's leader loses its power. Its cable is pulled first: it says no goodbye."""
    leaders = [host for host in CONTROL_PLANES if trial.in_machine(host, _LEADS).strip() == "1"]
    if len(leaders) != 1:
        raise LabError(f"etcd has {len(leaders)} leaders")
    trial.kept["leader"] = leader = leaders[0]
    with trial.updating(changes.control_planes_and_edge) as running:
        trial.wait_for_step(running, 2)
        fabric.cut(leader)
        machine.stop(trial.layout, leader)
        outcome = running.result()
    return seen(outcome, leader=leader.name)


def _leader_is_back(trial: Trial) -> None:
    if leader := trial.kept.get("leader"):
        fabric.plug(leader)
        data_center.ensure(trial.layout, Progress(total=1, quiet=True), [leader])
        trial.wait_for_api()


# --- certificates ----------------------------------------------------------------------------------------


def end_certificates(trial: Trial, days: int) -> None:
    """Every certificate of kubeadm on the first control plane ends so many days from now, as its authority says."""
    for name, authority in _CERTIFICATES.items():
        _write(trial, f"{_PKI}/{name}.crt", _ending(trial, _read(trial, f"{_PKI}/{name}.crt"), authority, days))
    for name in _KUBECONFIGS:
        path = f"/etc/kubernetes/{name}.conf"
        text = _read(trial, path)
        [found] = re.findall(r"client-certificate-data: (\S+)", text)
        made = base64.b64encode(_ending(trial, base64.b64decode(found).decode(), "ca", days).encode()).decode()
        _write(trial, path, text.replace(found, made))


def _certificates_end(trial: Trial) -> Seen:
    """Every certificate of kubeadm ended yesterday, also the administrator's in the stack's state."""
    trial.kept["urn"] = _kubeconfig_urn(trial)
    end_certificates(trial, -1)
    # The state has the kubeconfig of a year ago.
    trial.up(None, "--replace", trial.kept["urn"], "--target", trial.kept["urn"])
    _restart(trial)
    return seen(trial.up(changes.edge))


def _renewed(trial: Trial) -> None:
    """As docs/howto/bootstrap-a-cluster.md says."""
    trial.in_machine(_FIRST, "kubeadm certs renew all")
    _restart(trial)
    trial.in_machine(_FIRST, _READY)
    outcome = trial.up(None, "--replace", trial.kept["urn"])
    if outcome.exit_code:
        raise LabError(f"`pulumi up --replace` of the kubeconfig: {outcome.diagnostics[-1500:]}")
    trial.deployment.write_kubeconfig()
    trial.wait_for_api()


def _kubeconfig_urn(trial: Trial) -> str:
    shown = trial.deployment.quietly(["stack", "--stack", "lab", "--show-urns"])
    [urn] = re.findall(r"urn:\S+-kubeconfig$", shown, re.MULTILINE)
    return str(urn)


def _restart(trial: Trial) -> None:
    for name in _STATIC_PODS:
        for number in trial.processes(_FIRST, name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)


def _read(trial: Trial, path: str) -> str:
    return trial.in_machine(_FIRST, f"cat {path}")


def _write(trial: Trial, path: str, text: str) -> None:
    encoded = base64.b64encode(text.encode()).decode()
    trial.in_machine(_FIRST, f"echo {encoded} | base64 -d >{path}")  # keeps owner and mode


def _ending(trial: Trial, text: str, authority: str, days: int) -> str:
    """The same certificate, signed by its authority, which began two days ago and ends so many days from now."""
    old = x509.load_pem_x509_certificate(text.encode())
    key = serialization.load_pem_private_key(_read(trial, f"{_PKI}/{authority}.key").encode(), None)
    signer = x509.load_pem_x509_certificate(_read(trial, f"{_PKI}/{authority}.crt").encode())
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(
        issuer_name=signer.subject,
        subject_name=old.subject,
        public_key=old.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(days=2),
        not_valid_after=now + datetime.timedelta(days=days),
        extensions=list(old.extensions),
    )
    return (
        made.sign(cast(CertificateIssuerPrivateKeyTypes, key), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )


FAULTS = (
    Fault(
        "api-server-killed",
        "the API server is killed in mid-update",
        inject=lambda trial: _struck(trial, "kube-apiserver"),
        repair=Trial.wait_for_api,
        put_back=Trial.wait_for_api,
        change=changes.edge,
    ),
    Fault(
        "etcd-killed",
        "etcd, with one member its own leader, is killed in mid-update",
        inject=lambda trial: _struck(trial, "etcd"),
        repair=Trial.wait_for_api,
        put_back=Trial.wait_for_api,
        change=changes.edge,
    ),
    Fault(
        "etcd-disk-full",
        "etcd's disk becomes full in mid-update",
        inject=_etcd_disk_is_full,
        repair=_etcd_has_space,
        put_back=_etcd_as_before,
        change=changes.edge,
        says=("etcd",),
    ),
    Fault(
        "registry-killed",
        "the registry is killed in mid-update",
        inject=_registry_is_killed,
        repair=_registry_runs,
        put_back=_registry_runs,
        change=changes.chart,
        says=("registry.lab.example.no",),
    ),
    Fault(
        "certificates-expired",
        "every certificate of the control plane has expired, and the administrator's in the stack",
        inject=_certificates_end,
        repair=_renewed,
        put_back=Trial.wait_for_api,
        change=changes.edge,
        says=(r"certificate of CN=kubernetes-admin\S* ended on \d{4}-\d\d-\d\d", "kubeadm certs renew"),
        makes_anew=("kubeconfig",),
    ),
    Fault(
        "etcd-leader-lost",
        "of three control planes, the one with etcd's leader loses its power in mid-update",
        inject=_leader_is_lost,
        repair=_leader_is_back,
        put_back=_leader_is_back,
        change=changes.control_planes_and_edge,
        base=changes.control_planes,
        prepare=_three_members,
    ),
)
