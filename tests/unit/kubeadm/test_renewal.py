"""A control plane renews its certificates before they end, never two at once, and finishes what was interrupted."""

import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from components.kubeadm.renewal import NAME, PROGRAM, RENEW_DAYS, files
from tests.support.bootstraps import bootstrap
from tests.support.stacks import ROOT
from vds.doctor.certificates import EXPIRY_DAYS

TEXT = (ROOT / "components/kubeadm/renew.sh").read_text()
PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
RECORD = '#!/bin/sh\nset -e\necho "${0##*/} $*" >>"$MACHINE/calls"\n'
STAND_INS = {
    "kubeadm": """
[ ! -e "$MACHINE/breaks-off" ]
[ -e "$MACHINE/useless" ] || cp -r "$MACHINE/new/." "$MACHINE/kubernetes/pki"
""",
    "kubectl": """
case "$*" in *"--server https://198.51.100.11:6443 "*) ;; *) exit 0 ;; esac    # another API server is well
case "$*" in
*" wait pod "*) [ ! -e "$MACHINE/not-ready" ] ;;
*/readyz) [ ! -e "$MACHINE/no-answer" ] ;;
esac
""",
    # A container that is stopped is there again with another name. An application has one of each name, too.
    "crictl": """
case "$*" in
*"--label io.kubernetes.pod.namespace=kube-system"*) ;;
ps*) echo of-an-application ;;
esac
case $1 in
ps) for name; do :; done; name=${name#^}; cat "$MACHINE/pods/${name%?}" ;;
stop) for id; do :; done; [ -e "$MACHINE/stays-away" ] || echo "$id+" >"$MACHINE/pods/${id%%-*}" ;;
esac
""",
}


class Machine:
    def __init__(self, folder: Path, days: int) -> None:
        self.folder = folder
        for name in ("bin", "pods", "kubernetes/pki/etcd", "new/etcd"):
            (folder / name).mkdir(parents=True)
        for name, text in STAND_INS.items():
            (folder / "bin" / name).write_text(RECORD + text)
            (folder / "bin" / name).chmod(0o755)
        for name in PODS:
            (folder / "pods" / name.replace("-", "_")).write_text(f"{name.replace('-', '_')}-1\n")
        now = datetime.now(UTC).replace(microsecond=0)
        for name in ("apiserver", "etcd/server"):
            self.certificate(f"kubernetes/pki/{name}", now + timedelta(days=days, hours=1))
            self.certificate(f"new/{name}", now + timedelta(days=365))
        (folder / "kubernetes/pki/ca.crt").write_text("an authority is not read")

    def certificate(self, name: str, end: datetime) -> None:
        key, who = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
        made = x509.CertificateBuilder(who, who, key.public_key(), 1, datetime(2026, 1, 1, tzinfo=UTC), end)
        text = made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        (self.folder / f"{name}.crt").write_bytes(text)

    def run(self, days: int = RENEW_DAYS) -> subprocess.CompletedProcess[str]:
        text = TEXT.replace("/etc/kubernetes", f"{self.folder}/kubernetes").replace("seconds=120", "seconds=2")
        text = text.replace("/var/lib/vds-platform-cluster", str(self.folder))
        text = text.replace('--name "^$1\\$"', '--name "^$(echo "$1" | tr - _)\\$"')
        environment = {"MACHINE": str(self.folder), "PATH": f"{self.folder}/bin:/usr/bin:/bin"}
        words = ["sh", "-c", text, "sh", str(days), "https://198.51.100.11:6443"]
        return subprocess.run(words, env=environment, capture_output=True, text=True)

    @property
    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def stopped(self) -> list[str]:
        return [line.split()[-1] for line in self.calls if line.startswith("crictl stop")]


def test_certificates_that_are_valid_for_long_are_left_alone(tmp_path: Path) -> None:
    machine = Machine(tmp_path, RENEW_DAYS + 1)
    assert machine.run().returncode == 0
    assert machine.calls == []


def test_they_are_renewed_and_each_static_pod_starts_again_in_turn(tmp_path: Path) -> None:
    machine = Machine(tmp_path, RENEW_DAYS - 1)
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "kubeadm certs renew all" in machine.calls
    assert machine.stopped() == [f"{name.replace('-', '_')}-1" for name in PODS]
    assert not (tmp_path / "renewing").exists()


def test_nothing_starts_again_while_a_control_plane_is_not_ready(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 10)
    (tmp_path / "not-ready").touch()
    done = machine.run()
    assert done.returncode == 1
    assert "pods of a control plane are not ready" in done.stderr
    assert machine.stopped() == []


def test_certificates_that_have_ended_are_renewed_without_asking(tmp_path: Path) -> None:
    machine = Machine(tmp_path, -2)
    (tmp_path / "not-ready").touch()
    assert machine.run().returncode == 0
    assert len(machine.stopped()) == len(PODS)


def test_a_run_that_was_interrupted_is_finished_by_the_next(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 10)
    (tmp_path / "breaks-off").touch()
    assert machine.run().returncode == 1
    (tmp_path / "breaks-off").unlink()
    assert machine.run(0).returncode == 0, "its certificates may be new already"
    assert len(machine.stopped()) == len(PODS)


def test_what_kubeadm_does_not_renew_is_said_and_nothing_starts_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 10)
    (tmp_path / "useless").touch()
    done = machine.run()
    assert "has certificates that kubeadm did not renew" in done.stderr
    assert (done.returncode, machine.stopped()) == (1, [])


def test_a_pod_that_does_not_come_back_stops_it_and_the_next_run_continues(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 10)
    (tmp_path / "stays-away").touch()
    done = machine.run()
    assert done.returncode == 1
    assert "etcd does not run" in done.stderr
    assert machine.stopped() == ["etcd-1"]
    assert (tmp_path / "renewing").exists()


def test_an_api_server_that_does_not_answer_stops_it_though_another_answers_for_the_endpoint(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 10)
    (tmp_path / "no-answer").touch()
    done = machine.run()
    assert (done.returncode, "the API server does not answer" in done.stderr) == (1, True)
    assert machine.stopped() == ["etcd-1"]
    (tmp_path / "no-answer").unlink()
    assert machine.run(0).returncode == 0


def test_it_does_not_run_beside_an_upgrade(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 10)
    with subprocess.Popen(["flock", tmp_path, "cat"], stdin=subprocess.PIPE) as upgrade:
        while subprocess.run(["flock", "-n", tmp_path, "true"]).returncode == 0:
            time.sleep(0.01)
        done = machine.run()
        assert (done.returncode, machine.stopped()) == (1, [])
        assert "another run of vds-platform holds" in done.stderr
        upgrade.communicate()
    assert machine.run().returncode == 0
    assert len(machine.stopped()) == len(PODS)


def test_no_two_control_planes_have_the_same_hour() -> None:
    plan = bootstrap()
    timers = {files(plan, node)[f"/etc/systemd/system/{NAME}.timer"] for node in plan.control_planes}
    assert len(timers) == len(plan.control_planes) == 3


def test_the_doctor_advises_only_when_the_timer_has_failed() -> None:
    assert EXPIRY_DAYS < RENEW_DAYS
    [service] = [text for path, text in files(bootstrap(), bootstrap().control_planes[0]).items() if "service" in path]
    assert f"{PROGRAM} {RENEW_DAYS} https://198.51.100.11:6443\n" in service
