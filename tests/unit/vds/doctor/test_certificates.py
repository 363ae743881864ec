"""How long the certificates of a control plane are valid, read by the script from files as kubeadm has them."""

import base64
import datetime
import subprocess

import pytest

from tests.support.certificates import made
from tests.support.kubeconfigs import client_user, kubeconfig
from vds.doctor.certificates import _SCRIPT, certificates_row, kubeconfig_rows
from vds.shared.ssh import Run

NOW = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
CERTIFICATE, KEY = made("*.example.no")


def printed(folder):
    """What the script prints, with these files in place of a node's."""
    (folder / "kubernetes/pki/etcd").mkdir(parents=True)
    (folder / "kubernetes/pki/apiserver.crt").write_text(CERTIFICATE)
    (folder / "kubernetes/pki/apiserver.key").write_text(KEY)
    (folder / "kubernetes/pki/etcd/server.crt").write_text(CERTIFICATE)
    data = base64.b64encode(CERTIFICATE.encode()).decode()
    (folder / "kubernetes/admin.conf").write_text(f"    client-certificate-data: {data}\n    client-key-data: geheim\n")
    (folder / "client.pem").write_text(CERTIFICATE + KEY)
    text = _SCRIPT.replace("/etc/kubernetes", str(folder / "kubernetes"))
    text = text.replace("/var/lib/kubelet/pki/kubelet-client-current.pem", str(folder / "client.pem"))
    return subprocess.run(["sh", "-s"], input=text, capture_output=True, text=True, check=True).stdout


def ends():
    from cryptography import x509

    return x509.load_pem_x509_certificate(CERTIFICATE.encode()).not_valid_after_utc


def test_all_certificates_are_read_and_no_key(tmp_path):
    output = printed(tmp_path)
    row = certificates_row(Run("osl-cp-1", 0, ""), output, ends() - datetime.timedelta(days=31))
    assert (row.item, row.state) == ("node osl-cp-1, certificates", "ok")
    assert row.measured.startswith("4 read, ")
    assert "geheim" not in output
    assert "PRIVATE KEY" not in output


@pytest.mark.parametrize(("days", "state"), [(31, "ok"), (29, "advice"), (0, "fails"), (-3, "fails")])
def test_the_first_that_expires_decides(tmp_path, days, state):
    row = certificates_row(Run("n", 0, ""), printed(tmp_path), ends() - datetime.timedelta(days=days))
    assert row.state == state
    assert ("renew it" in row.remedy) == (state != "ok")


@pytest.mark.parametrize(
    ("run", "output"),
    [(Run("n", None, "node n: no route"), ""), (Run("n", 0, ""), ""), (Run("n", 0, ""), "file x\nno certificate\n")],
)
def test_what_could_not_be_read_is_not_good(run, output):
    assert certificates_row(run, output, NOW).state == "unknown"


@pytest.mark.parametrize(("days", "state"), [(31, "ok"), (29, "advice"), (0, "fails"), (-3, "fails")])
def test_the_certificate_in_the_stacks_output_is_told_with_the_command_that_reads_it_again(days, state):
    text = kubeconfig(user=client_user(NOW + datetime.timedelta(days=days)))
    [row] = kubeconfig_rows(text, NOW)
    assert (row.item, row.state) == ("stack output kubeconfig", state)
    assert "CN=kubernetes-admin expire" in row.measured
    assert row.remedy.startswith("run `pulumi up --replace ") == (state != "ok")


def test_a_kubeconfig_without_a_certificate_has_no_row():
    assert kubeconfig_rows(kubeconfig(), NOW) == []
