"""The member script, run for real in folders of its own, with stand-ins for everything that changes a server."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from components.kubeadm.credentials import Credentials
from components.kubeadm.scripts import command, member_script, script_without_secrets, upgrade_script
from components.kubeadm.upgrade.reading import NodeVersions, parse, question
from tests.support.bootstraps import CA_KEY, CREDENTIALS, bootstrap, bootstrap_data
from tests.support.stacks import stack

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and util-linux to give a script its own /etc"
)
# /etc, /var/lib and /run are the test's own: what the script writes is there to look at and nowhere else.
ENTER = """
set -e
mount --bind "$1/lib" /var/lib
mount --bind "$1/etc" /etc
mount --bind "$1/local" /usr/local/lib
mount --bind "$1/run" /run
export PATH="$1/bin:/usr/sbin:/usr/bin:/sbin:/bin" MACHINE="$1"
shift
exec "$@"
"""
# Every stand-in writes down its arguments. A server's state is files: packages/, held/, secrets/ and members/.
RECORD = """#!/bin/sh
set -eu
printf '%s' "${0##*/}" >>"$MACHINE/calls"
printf ' %s' "$@" >>"$MACHINE/calls"
echo >>"$MACHINE/calls"
[ ! -e "$MACHINE/fail/${0##*/}" ] || { cat "$MACHINE/fail/${0##*/}" >&2; exit 1; }
"""
STAND_INS = {
    "apt-get": """
case "$*" in *' install '*) ;; *) exit 0 ;; esac
for word; do
	case $word in *Lock*|*Retries*|*Options*) ;; *=*) printf %s "${word#*=}" >"$MACHINE/packages/${word%%=*}" ;; esac
done
""",
    "apt-mark": """
case $1 in
showhold) ls "$MACHINE/held" ;;
hold) : >"$MACHINE/held/$2" ;;
unhold) rm -f "$MACHINE/held/$2" ;;
esac
""",
    "dpkg-query": """
case $3 in *Conffiles*) [ ! -e "$MACHINE/conffiles" ] || cat "$MACHINE/conffiles"; exit ;; esac
[ -e "$MACHINE/packages/$4" ] || exit 1
printf 'installed %s' "$(cat "$MACHINE/packages/$4")"
""",
    # The versions of these tests differ in one digit.
    "dpkg": """[ "$2" '>' "$4" ]""",
    "systemctl": "",
    "ip": "",
    "tc": """[ "$1 $2 $4 $5" != 'filter show eth0 ingress' ] || echo 'filter protocol all bpf cil_from_netdev-eth0'""",
    "iptables-save": """[ ! -e "$MACHINE/rules" ] || cat "$MACHINE/rules" """,
    "iptables-restore": """cat >"$MACHINE/rules" """,
    "ip6tables-save": "",
    "ip6tables-restore": "",
    "swapon": """[ ! -e "$MACHINE/swap" ] || cat "$MACHINE/swap" """,
    "curl": """case "$*" in *127.0.0.1:10248*) exit ;; esac; [ -e "$MACHINE/answers" ]""",
    "kubectl": """
case "$*" in
*' get --raw /api/v1/nodes/'*) [ ! -e "$MACHINE/unregistered" ]; exit ;;
esac
""",
    "crictl": """
case "$1" in
ps)
	case "$*" in *' --label io.kubernetes.pod.namespace=kube-system '*) ;; *) echo of-an-application ;; esac
	echo 1f2e3d
	;;
exec)
	[ "$2" = 1f2e3d ]
	case "$*" in
	*' snapshot save '*) for word; do :; done; echo "the cluster" >"$word" ;;
	*' member list') [ ! -e "$MACHINE/members" ] || cat "$MACHINE/members" ;;
	esac
	;;
esac
""",
    "kubeadm": """
token() { : >"$MACHINE/secrets/bootstrap-token-$(sed -n 's/.*"token": "\\([a-z0-9]*\\)\\..*/\\1/p')"; }
case $1 in
version) echo v1.36.3; exit ;;
reset) rm -rf /etc/kubernetes /var/lib/kubelet /var/lib/etcd; exit ;;
esac
case "$1 $2" in 'upgrade node' | 'upgrade apply') exit ;; esac
case "$*" in *' --config /dev/stdin') ;; *) exit 1 ;; esac
case "$1 $2" in
'token create') token; exit ;;
'init phase') exit ;;
esac
[ -e /etc/kubernetes/pki/ca.crt ] || [ "$1" = join ]
[ ! -e /etc/kubernetes/kubelet.conf ]
mkdir -p /etc/kubernetes/pki /var/lib/kubelet /var/lib/etcd
: >/var/lib/kubelet/config.yaml
[ ! -e "$MACHINE/hangs" ] || sleep 60
[ "$1" = join ] || token
echo "kubeconfig of $1" >/etc/kubernetes/admin.conf
[ ! -e "$MACHINE/breaks-off" ] || { : >/etc/kubernetes/kubelet.conf; exit 1; }
: >/etc/kubernetes/kubelet.conf
""",
}


class Machine:
    """A server on which only the script is real."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("lib", "etc", "run", "local", "bin", "packages", "held", "secrets", "fail"):
            (folder / name).mkdir()
        for name, text in STAND_INS.items():
            (folder / "bin" / name).write_text(RECORD + text)
            (folder / "bin" / name).chmod(0o755)

    def run(
        self, script: str, verb: str = "apply", *limit: str, brought: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """`brought`: the authority's key is there, as the engine's hook brings it before the first `apply`."""
        (self.folder / "calls").write_text("")
        if brought and verb == "apply" and "role=first\n" in script:
            self.write("run/vds-platform-authority.key", CA_KEY)
        script = script.replace("sys=/sys\n", f"sys={self.folder}/sys\n")
        prefix = ["unshare", "--mount", "sh", "-c", ENTER, "sh", str(self.folder), *limit]
        return subprocess.run(
            [*prefix, "sh", "-s", *verb.split()], input=script, capture_output=True, text=True, check=False
        )

    @property
    def calls(self) -> str:
        """What the stand-ins were called with in the last run, a line a call."""
        return (self.folder / "calls").read_text()

    def has(self, path: str) -> bool:
        return (self.folder / path).exists()

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()

    def write(self, path: str, text: str = "") -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def script(name="osl-cp-1", credentials=CREDENTIALS, ca_key="", **cluster):
    data = bootstrap_data()
    data["cluster"].update(cluster)
    plan = bootstrap(data)
    return member_script(plan, next(node for node in plan.nodes if node.name == name), credentials, ca_key)


def without_secrets(name="osl-cp-1", **cluster):
    data = bootstrap_data()
    data["cluster"].update(cluster)
    plan = bootstrap(data)
    return script_without_secrets(plan, next(node for node in plan.nodes if node.name == name))


def upgrade(name="osl-w-1", **cluster):
    data = bootstrap_data()
    data["cluster"].update(cluster)
    plan = bootstrap(data)
    return upgrade_script(plan, next(node for node in plan.nodes if node.name == name))


def word(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("name", ["osl-cp-1", "osl-cp-2", "osl-w-1"])
def test_every_shell_reads_it(shell, name):
    subprocess.run([shell, "-n"], input=script(name), text=True, check=True)


@pytest.mark.parametrize("name", ["osl-cp-1", "osl-cp-2", "osl-w-1"])
def test_the_second_run_changes_nothing(machine, name):
    assert word(machine.run(script(name))) == "changed"
    assert word(machine.run(script(name))) == "unchanged"
    for call in ("install", " hold ", "restart", "kubeadm init", "kubeadm join", "token create"):
        assert call not in machine.calls


def test_packages_are_installed_in_exact_versions_and_held(machine):
    machine.run(script("osl-w-1"))
    wanted = {
        "containerd": "2.2.1-0ubuntu1~24.04.1",
        "cri-tools": "1.36.0-1.1",
        "kubeadm": "1.36.3-1.1",
        "kubectl": "1.36.3-1.1",
        "kubelet": "1.36.3-1.1",
        "kubernetes-cni": "1.8.0-1.1",
    }
    assert {path.name: path.read_text() for path in (machine.folder / "packages").iterdir()} == wanted
    assert {path.name for path in (machine.folder / "held").iterdir()} == set(wanted)


def test_a_pin_that_somebody_took_off_comes_back(machine):
    machine.run(script("osl-w-1"))
    (machine.folder / "held" / "kubelet").unlink()
    assert word(machine.run(script("osl-w-1"))) == "changed"
    assert machine.has("held/kubelet")


def test_a_downgrade_is_refused_before_any_change(machine):
    machine.write("packages/kubelet", "1.36.4-1.1")
    done = machine.run(script("osl-w-1"))
    assert done.returncode == 3
    assert "node osl-w-1: has kubelet 1.36.4-1.1, newer than 1.36.3-1.1: a downgrade is not possible" in done.stderr
    assert "apt-get" not in machine.calls
    assert list((machine.folder / "etc").iterdir()) == list((machine.folder / "lib").iterdir()) == []


def test_an_older_package_of_a_node_that_is_no_member_is_replaced(machine):
    machine.write("packages/containerd", "1.7.24-1")
    assert word(machine.run(script("osl-w-1"))) == "changed"
    assert machine.read("packages/containerd") == "2.2.1-0ubuntu1~24.04.1"


def test_a_member_is_not_upgraded_behind_its_clusters_back(machine):
    machine.run(script("osl-w-1"))
    done = machine.run(script("osl-w-1", kubernetesVersion="1.36.9"))
    assert done.returncode == 3
    assert "has kubelet 1.36.3-1.1, older than 1.36.9-1.1, and only an upgrade changes it" in done.stderr
    assert machine.read("packages/kubelet") == "1.36.3-1.1"


@pytest.mark.parametrize(
    ("name", "kubeadm"),
    [
        ("osl-cp-1", "kubeadm upgrade apply v1.36.9 --yes"),
        ("osl-cp-2", "kubeadm upgrade node"),
        ("osl-w-1", "kubeadm upgrade node"),
    ],
)
def test_an_upgrade_changes_the_control_plane_before_the_kubelet(machine, name, kubeadm):
    """A kubelet may not be newer than its API server."""
    machine.run(script(name))
    assert word(machine.run(upgrade(name, kubernetesVersion="1.36.9"), "upgrade")) == "changed"
    steps = [line for line in machine.calls.splitlines() if line.startswith("apt-get") or "upgrade" in line]
    tools, kubelet = [line for line in steps if " install " in line]
    assert ("kubeadm=1.36.9-1.1" in tools, "kubelet=" in tools) == (True, False)
    assert "kubelet=1.36.9-1.1" in kubelet
    assert steps.index(tools) < steps.index(kubeadm) < steps.index(kubelet)
    assert machine.calls.index("kubelet=1.36.9-1.1") < machine.calls.index("systemctl restart kubelet")
    assert machine.read("packages/kubelet") == "1.36.9-1.1"
    assert machine.has("held/kubelet")
    assert not machine.has("lib/vds-platform-cluster/upgrading")
    assert word(machine.run(script(name, kubernetesVersion="1.36.9"), "keep")) == "unchanged"


@pytest.mark.parametrize("name", ["osl-cp-1", "osl-w-1"])
def test_on_cgroup_v1_an_upgrade_leaves_out_the_check_that_a_join_leaves_out(machine, name):
    machine.run(script(name, cgroupV1=True))
    machine.run(upgrade(name, cgroupV1=True, kubernetesVersion="1.36.9"), "upgrade")
    [line] = [line for line in machine.calls.splitlines() if line.startswith("kubeadm upgrade")]
    assert line.endswith(" --ignore-preflight-errors=SystemVerification")


def test_another_patch_of_kubernetes_changes_no_setting(machine):
    """The upgrade has changed the version; to start the control plane once more for it would be a second outage."""
    machine.run(script())
    machine.run(upgrade("osl-cp-1", kubernetesVersion="1.36.9"), "upgrade")
    machine.run(script(kubernetesVersion="1.36.9"), "keep")
    assert "kubeadm init phase" not in machine.calls


def test_a_snapshot_is_checked_and_only_the_newest_stays(machine):
    machine.run(script("osl-cp-1"))
    for version in ("1.36.8", "1.36.9"):
        done = machine.run(upgrade("osl-cp-1", kubernetesVersion=version), "snapshot")
        assert done.returncode == 0, done.stderr
    path = "/var/lib/vds-platform-cluster/etcd-before-1.36.9.db"
    assert done.stdout.split() == [path]
    steps = [line.split(" etcd")[1].split()[0] for line in machine.calls.splitlines() if line.startswith("crictl exec")]
    assert steps == ["ctl", "utl"]
    assert [file.name for file in (machine.folder / "lib").rglob("etcd-before-*")] == ["etcd-before-1.36.9.db"]
    assert not machine.calls.count("apt-get"), "nothing was changed"


def removed(machine):
    return [line.split()[-1] for line in machine.calls.splitlines() if " member remove " in line]


def test_members_of_etcd_of_lost_nodes_are_removed_and_no_other(machine):
    machine.run(script("osl-cp-1"))
    ends = "https://192.0.2.1:2380, https://192.0.2.1:2379, false"
    lines = [f"{n}f64f3269, started, osl-cp-{n}, {ends}" for n in (1, 2, 22)]
    machine.write("members", "\n".join([*lines, "4f, unstarted, , https://192.0.2.9:2380, , true"]) + "\n")
    assert word(machine.run(script("osl-cp-1"), "forget osl-cp-2 osl-cp-1 osl-cp-9")) == "changed"
    assert removed(machine) == ["2f64f3269"]
    assert word(machine.run(script("osl-cp-1"), "forget osl-cp-9")) == "unchanged"


def test_a_member_that_etcd_does_not_remove_is_said(machine):
    machine.run(script("osl-cp-1"))
    machine.write("fail/crictl", "etcdserver: unhealthy cluster")
    done = machine.run(script("osl-cp-1"), "forget osl-cp-2")
    assert (done.returncode, removed(machine)) == (5, [])
    assert "asking for etcd's members failed, see above" in done.stderr


def test_no_snapshot_is_said_where_etcd_gives_none(machine):
    machine.run(script("osl-cp-1"))
    machine.write("fail/crictl", "context deadline exceeded")
    done = machine.run(upgrade("osl-cp-1", kubernetesVersion="1.36.9"), "snapshot")
    assert (done.returncode, done.stdout) == (5, "")
    assert "taking a snapshot of etcd failed, see above" in done.stderr


def test_an_upgrade_that_broke_off_is_continued_by_kubeadm(machine):
    machine.run(script())
    machine.write("fail/systemctl", "the kubelet does not start")
    assert machine.run(upgrade("osl-cp-1", kubernetesVersion="1.36.9"), "upgrade").returncode == 5
    assert machine.read("packages/kubelet") == "1.36.9-1.1"
    assert machine.has("lib/vds-platform-cluster/upgrading")
    (machine.folder / "fail/systemctl").unlink()
    assert word(machine.run(upgrade("osl-cp-1", kubernetesVersion="1.36.9"), "upgrade")) == "changed"
    assert "kubeadm upgrade apply v1.36.9 --yes" in machine.calls
    assert not machine.has("lib/vds-platform-cluster/upgrading")


def test_an_upgrade_stops_before_the_kubelet_if_kubeadm_fails(machine):
    machine.run(script())
    machine.write("fail/kubeadm", "could not pull kube-apiserver")
    done = machine.run(upgrade("osl-cp-1", kubernetesVersion="1.36.9"), "upgrade")
    assert done.returncode == 5
    assert "could not pull kube-apiserver" in done.stderr
    assert "kubeadm upgrade apply failed, see above" in done.stderr
    assert machine.read("packages/kubelet") == "1.36.3-1.1"


def test_another_container_runtime_alone_needs_no_kubeadm(machine):
    machine.run(script("osl-w-1"))
    newer = {"version": "2.2.2-1"}
    assert word(machine.run(upgrade(containerd=newer), "upgrade")) == "changed"
    assert "kubeadm upgrade" not in machine.calls
    assert "systemctl restart containerd" in machine.calls


def test_an_upgrade_goes_no_way_back_and_makes_no_member(machine):
    assert machine.run(upgrade(), "upgrade").returncode == 3
    assert "apt-get" not in machine.calls
    machine.run(script("osl-w-1"))
    done = machine.run(upgrade(kubernetesVersion="1.36.2"), "upgrade")
    assert done.returncode == 3
    assert "newer than 1.36.2-1.1: a downgrade is not possible" in done.stderr
    assert "apt-get" not in machine.calls


def test_the_text_of_an_upgrade_changes_with_versions_and_not_with_settings():
    assert upgrade() == upgrade(certificateNames=["other.example.no"])
    assert upgrade() != upgrade(kubernetesVersion="1.36.9")
    for secret in CREDENTIALS:
        assert secret not in upgrade("osl-cp-2")


def test_a_node_says_its_versions(machine):
    """The question is run for real; only dpkg-query is a stand-in."""
    names = ["kubeadm", "kubelet", "nothing"]
    machine.write("etc/kubernetes/manifests/kube-apiserver.yaml", "    image: registry.k8s.io/kube-apiserver:v1.36.2\n")
    answers = (
        "package installed kubeadm 1.36.3-1.1\npackage installed kubelet 1.36.2-1.1\npackage config-files nothing 1\n"
    )
    machine.write("answer", answers)
    (machine.folder / "bin/dpkg-query").write_text('#!/bin/sh\ncat "$MACHINE/answer"\nexit 1\n')

    def ask():
        prefix = ["unshare", "--mount", "sh", "-c", ENTER, "sh", str(machine.folder)]
        done = subprocess.run([*prefix, "sh", "-c", question(names)], capture_output=True, text=True, check=True)
        return parse(done.stdout)

    assert ask() == NodeVersions()
    machine.write("lib/vds-platform-cluster/joined")
    machine.write("lib/vds-platform-cluster/upgrading")
    said = ask()
    assert said == NodeVersions(
        member=True, packages={"kubeadm": "1.36.3-1.1", "kubelet": "1.36.2-1.1"}, api_server="1.36.2", unfinished=True
    )
    assert said.behind(dict.fromkeys(names, "1.36.3-1.1")) == {"kubelet": "1.36.2-1.1", "nothing": "none"}


def test_a_member_that_was_upgraded_by_hand_is_as_wanted(machine):
    machine.run(script("osl-w-1"))
    for name in ("kubeadm", "kubectl", "kubelet"):
        machine.write(f"packages/{name}", "1.36.9-1.1")
    assert machine.run(script("osl-w-1", kubernetesVersion="1.36.9")).returncode == 0
    assert "join" not in machine.calls


def test_no_secret_is_an_argument_of_anything(machine):
    calls = ""
    for verb in ("authority", "apply", "admit", "upload"):
        assert machine.run(script(ca_key=CA_KEY), verb, brought=False).returncode == 0
        calls += machine.calls
    assert "token create" in calls
    for secret in (*CREDENTIALS, *CREDENTIALS.bootstrap_token.split("."), *CA_KEY.splitlines()):
        assert secret not in calls
    for verb in ("prepare", "apply", "keep", "authority", "admit", "upload", "remove"):
        assert len(command(verb)) < 60


def test_no_secret_stays_behind_in_a_file_of_ours(machine):
    machine.run(script())
    assert list((machine.folder / "run").iterdir()) == []
    kept = [path for path in machine.folder.rglob("*") if path.is_file() and path.parent.name != "bin"]
    for path in kept:
        for secret in CREDENTIALS[:2]:
            assert secret not in path.read_text(), path
    assert (machine.folder / "etc/kubernetes/pki/ca.key").stat().st_mode & 0o777 == 0o600


def test_a_worker_gets_neither_the_authoritys_key_nor_the_certificate_key():
    assert CREDENTIALS.certificate_key not in script("osl-w-1")
    for name in ("osl-cp-1", "osl-cp-2", "osl-w-1"):
        assert "PRIVATE KEY" not in script(name), "the first gets it by `authority`, the others encrypted"


def test_what_a_failed_step_printed_is_shown_without_secrets(machine):
    machine.write("fail/kubeadm", f"could not reach it\ntoken {CREDENTIALS.bootstrap_token}\n")
    done = machine.run(script("osl-w-1"))
    assert done.returncode == 5
    assert "could not reach it" in done.stderr
    assert "node osl-w-1: kubeadm join failed, see above" in done.stderr
    assert CREDENTIALS.bootstrap_token not in done.stdout + done.stderr
    assert list((machine.folder / "run").iterdir()) == []


def test_the_kubeconfig_is_in_no_output_of_a_membership(machine):
    assert "kubeconfig of init" not in machine.run(script()).stdout
    assert machine.read("etc/kubernetes/admin.conf") == "kubeconfig of init\n"


def test_what_failed_is_not_lost_among_what_kubeadm_found_in_order(machine):
    fine = "".join(f"CONFIG_OPTION_{number}: \x1b[0;32menabled\x1b[0m\n" for number in range(60))
    wrong = "\x1b[0;31m[ERROR SystemVerification]: kernel too old\x1b[0m\nCONFIG_BPF: \x1b[0;31mnot set\x1b[0m\n"
    machine.write("fail/kubeadm", f"{wrong}{fine}error execution phase preflight\n")
    shown = machine.run(script("osl-w-1")).stderr
    assert "[ERROR SystemVerification]: kernel too old\nCONFIG_BPF: not set\nerror execution phase preflight" in shown
    assert "CONFIG_OPTION_" not in shown


def test_crictl_asks_the_runtime_that_is_there(machine):
    machine.run(script("osl-w-1"))
    assert "runtime-endpoint: unix:///run/containerd/containerd.sock" in machine.read("etc/crictl.yaml")
    machine.run(script("osl-w-1"), "remove")
    assert not machine.has("etc/crictl.yaml")


def test_a_run_that_broke_off_is_reset_and_tried_again(machine):
    machine.write("breaks-off")
    assert machine.run(script("osl-w-1")).returncode == 5
    (machine.folder / "breaks-off").unlink()
    assert word(machine.run(script("osl-w-1"))) == "changed"
    assert "kubeadm reset --force" in machine.calls
    assert word(machine.run(script("osl-w-1"))) == "unchanged"


def test_a_run_that_takes_too_long_is_ended_and_leaves_no_secret(machine):
    machine.write("hangs")
    done = machine.run(script("osl-w-1"), "apply", "timeout", "-k", "5", "2")
    assert done.returncode != 0
    assert "kubeadm join" in machine.calls
    assert list((machine.folder / "run").iterdir()) == []
    (machine.folder / "hangs").unlink()
    assert word(machine.run(script("osl-w-1"))) == "changed"


def test_a_member_of_somebody_elses_cluster_is_left_alone(machine):
    machine.write("etc/kubernetes/kubelet.conf", "theirs")
    done = machine.run(script("osl-w-1"))
    assert done.returncode == 3
    assert "is in a cluster that vds-platform did not make" in done.stderr
    assert machine.run(script("osl-w-1"), "remove").stdout == "unchanged\n"
    assert machine.read("etc/kubernetes/kubelet.conf") == "theirs"


def test_a_rebuilt_first_server_founds_no_second_cluster(machine):
    machine.write("answers")
    done = machine.run(script())
    assert done.returncode == 3
    assert "should make a new cluster, but 198.51.100.10:6443 answers already" in done.stderr
    assert "kubeadm init" not in machine.calls
    assert machine.run(script("osl-cp-2")).returncode == 0, "whoever joins needs it to answer"


def test_kubeadm_takes_an_etcd_that_was_restored_and_no_other_that_has_data(machine):
    machine.write("lib/vds-platform-cluster/restored", "oslo/x.age")
    assert machine.run(script(credentials=Credentials())).returncode == 0
    assert "--ignore-preflight-errors=DirAvailable--var-lib-etcd" in machine.calls
    assert not machine.has("lib/vds-platform-cluster/restored")
    assert machine.read("lib/vds-platform-cluster/restored-from") == "oslo/x.age"


def test_without_a_restore_kubeadm_looks_for_data_of_another_etcd(machine):
    assert machine.run(script()).returncode == 0
    assert "--ignore-preflight-errors" not in machine.calls


def test_a_restored_etcd_is_not_replaced_by_an_empty_one_when_kubeadm_broke_off(machine):
    machine.write("lib/vds-platform-cluster/restored", "oslo/x.age")
    machine.write("breaks-off")
    assert machine.run(script()).returncode == 5
    (machine.folder / "breaks-off").unlink()
    done = machine.run(script())
    assert done.returncode == 3
    assert "run vds restore again" in done.stderr
    assert "kubeadm reset" not in machine.calls
    assert "kubeadm init" not in machine.calls


def test_another_authority_for_a_cluster_that_runs_is_refused(machine):
    machine.run(script())
    machine.write("etc/kubernetes/pki/ca.crt", "another\n")
    done = machine.run(script())
    assert done.returncode == 3
    assert "another certificate authority than cluster.caCertificate" in done.stderr


def test_swap_is_said_with_everything_else_that_is_wrong(machine):
    machine.write("swap", "/swapfile\n")
    machine.write("packages/kubelet", "1.36.4-1.1")
    assert len(machine.run(script("osl-w-1")).stderr.splitlines()) == 2


def test_a_token_that_has_expired_does_not_come_back_with_another_change(machine):
    """Only `admit` lets nodes in, which the engine's hook runs with a token of its own run; no update runs it."""
    machine.run(script())
    assert word(machine.run(script(), "admit")) == "changed"
    assert machine.has("secrets/bootstrap-token-abc123")
    (machine.folder / "secrets/bootstrap-token-abc123").unlink()  # as the token cleaner does
    images = {"country": "US", "pause": "3.11"}
    for verb, text in (("keep", without_secrets(images=images)), ("apply", script(images=images)), ("keep", script())):
        assert word(machine.run(text, verb)) in ("changed", "unchanged")
        assert "token create" not in machine.calls
        assert "upload-certs" not in machine.calls
    assert not machine.has("secrets/bootstrap-token-abc123")


def test_the_authoritys_key_is_in_memory_until_the_run_that_uses_it(machine):
    kept = machine.folder / "run/vds-platform-authority.key"
    assert word(machine.run(script(ca_key=CA_KEY), "authority")) == "changed"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert machine.run(script("osl-cp-1"), brought=False).returncode == 0
    assert not kept.exists()
    assert machine.read("etc/kubernetes/pki/ca.key").strip() == CA_KEY.strip()


def test_the_authoritys_key_leaves_memory_also_when_the_run_fails(machine):
    machine.write("fail/apt-get", "404 Not Found\n")
    assert machine.run(script()).returncode == 5
    machine.write("swap", "/swapfile\n")
    assert machine.run(script()).returncode == 3
    assert list((machine.folder / "run").iterdir()) == []


def test_no_cluster_is_made_without_the_key_that_the_engine_brings(machine):
    """A server that was installed anew, while the endpoint is down: the hook has refused, and no key is there."""
    done = machine.run(script(), brought=False)
    assert done.returncode == 3
    assert "should make a new cluster, and has no key of its authority" in done.stderr
    assert "kubeadm init" not in machine.calls
    assert not machine.has("lib/vds-platform-cluster/started")


def test_a_member_is_kept_without_a_secret(machine):
    machine.run(script("osl-w-1"))
    (machine.folder / "held" / "kubelet").unlink()
    assert word(machine.run(without_secrets("osl-w-1"), "keep")) == "changed"
    assert machine.has("held/kubelet")
    assert word(machine.run(without_secrets("osl-w-1"), "keep")) == "unchanged"
    assert "join" not in machine.calls


@pytest.mark.parametrize("verb", ["keep", "admit"])
def test_a_server_that_is_no_member_any_more_is_never_made_one_without_a_token(machine, verb):
    done = machine.run(without_secrets("osl-w-1"), verb)
    assert done.returncode == 3
    assert "is no member of the cluster any more: remove it from the stack file" in done.stderr
    assert "kubeadm" not in machine.calls


def test_containerd_is_restarted_only_when_its_configuration_changes(machine):
    machine.write("etc/containerd/config.toml", "# the distribution's\n")
    machine.run(script("osl-w-1"))
    assert "SystemdCgroup = true" in machine.read("etc/containerd/config.toml")
    assert machine.calls.count("systemctl restart containerd") == 1
    machine.run(script("osl-w-1"))
    assert "systemctl" not in machine.calls


def test_a_member_that_is_removed_leaves_the_cluster_and_its_pins(machine):
    machine.write("etc/containerd/config.toml", "# the distribution's\n")
    machine.run(script("osl-w-1"))
    assert word(machine.run(script("osl-w-1"), "remove")) == "changed"
    assert "kubeadm reset --force" in machine.calls
    assert list((machine.folder / "held").iterdir()) == list((machine.folder / "lib").iterdir()) == []
    assert machine.read("etc/containerd/config.toml") == "# the distribution's\n"
    assert not machine.has("etc/apt/sources.list.d/vds-platform-kubernetes.sources")
    assert word(machine.run(script("osl-w-1"), "remove")) == "unchanged"


def test_a_configuration_with_a_registrys_password_keeps_its_mode_and_owner(machine):
    theirs = machine.folder / "etc/containerd/config.toml"
    machine.write("etc/containerd/config.toml", "password = 'hunter2'\n")
    theirs.chmod(0o600)
    os.chown(theirs, 65534, 65534)
    machine.run(script("osl-w-1"))
    kept = machine.folder / "lib/vds-platform-cluster/containerd-before"
    assert (kept.stat().st_mode & 0o777, kept.stat().st_uid) == (0o600, 65534)
    machine.run(script("osl-w-1"), "remove")
    assert (theirs.stat().st_mode & 0o777, theirs.stat().st_uid) == (0o600, 65534)
    assert theirs.read_text() == "password = 'hunter2'\n"


@pytest.mark.parametrize("name", ["osl-cp-1", "osl-w-1"])
def test_a_run_that_is_killed_leaves_no_file_with_its_token(machine, name):
    machine.write("hangs")
    assert machine.run(script(name), "apply", "timeout", "-s", "KILL", "2").returncode != 0
    assert "kubeadm init" in machine.calls or "kubeadm join" in machine.calls
    for path in machine.folder.rglob("*"):
        if path.is_file() and path.parent.name != "bin":
            for secret in CREDENTIALS[:2]:
                assert secret not in path.read_text(), path


def test_a_text_that_was_cut_off_does_nothing(machine):
    whole = script()
    for share in (0.3, 0.6, 0.95):
        machine.run(whole[: int(len(whole) * share)])
        assert machine.calls == ""
    assert list((machine.folder / "etc").iterdir()) == []


def test_a_run_finds_another_and_says_so(machine):
    machine.run(script("osl-w-1"))
    impatient = script("osl-w-1").replace("flock -w 20", "flock -w 0")
    folder = os.open(machine.folder / "lib/vds-platform-cluster", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        done = machine.run(impatient)
    finally:
        os.close(folder)
    assert done.returncode == 4
    assert "another run of vds-platform holds /var/lib/vds-platform-cluster" in done.stderr


@pytest.mark.parametrize("name", ["osl-cp-1", "osl-cp-2", "osl-w-1"])
def test_a_prepared_node_is_no_member_and_joins_without_installing_anything(machine, name):
    assert word(machine.run(without_secrets(name), "prepare")) == "changed"
    assert "systemctl restart containerd" in machine.calls
    assert not [call for call in machine.calls.splitlines() if call.startswith("kubeadm ")]
    assert not machine.has("etc/kubernetes/pki")
    assert word(machine.run(without_secrets(name), "prepare")) == "unchanged"
    assert word(machine.run(script(name))) == "changed"
    assert "kubeadm init --skip-token-print --config" in machine.calls or "kubeadm join --config" in machine.calls
    for call in ("install", " hold ", "restart containerd"):
        assert call not in machine.calls
    assert word(machine.run(script(name))) == "unchanged"


def test_a_preparation_that_failed_is_tried_again(machine):
    machine.write("fail/apt-get", "404 Not Found\n")
    done = machine.run(without_secrets("osl-w-1"), "prepare")
    assert done.returncode == 5
    assert "404 Not Found" in done.stderr
    assert list((machine.folder / "run").iterdir()) == []
    (machine.folder / "fail/apt-get").unlink()
    machine.write("fail/systemctl", "Job for containerd.service failed\n")
    assert machine.run(without_secrets("osl-w-1"), "prepare").returncode == 5
    (machine.folder / "fail/systemctl").unlink()
    assert word(machine.run(without_secrets("osl-w-1"), "prepare")) == "changed"
    assert "systemctl restart containerd" in machine.calls
    assert word(machine.run(script("osl-w-1"))) == "changed"


def test_a_node_that_was_only_prepared_is_decommissioned(machine):
    machine.write("etc/containerd/config.toml", "# the distribution's\n")
    machine.run(without_secrets("osl-w-1"), "prepare")
    assert word(machine.run(without_secrets("osl-w-1"), "remove")) == "changed"
    assert "kubeadm reset" not in machine.calls
    assert list((machine.folder / "held").iterdir()) == list((machine.folder / "lib").iterdir()) == []
    assert machine.read("etc/containerd/config.toml") == "# the distribution's\n"


def test_a_member_is_changed_by_apply_and_not_by_prepare_which_runs_on_all_of_them_at_once(machine):
    machine.run(script("osl-w-1"))
    images = {"country": "US", "pause": "3.11"}
    assert word(machine.run(without_secrets("osl-w-1", images=images), "prepare")) == "unchanged"
    assert "pause:3.10.2" in machine.read("etc/containerd/config.toml")
    assert "systemctl" not in machine.calls
    assert word(machine.run(script("osl-w-1", images=images))) == "changed"
    assert "pause:3.11" in machine.read("etc/containerd/config.toml")


def test_what_is_wrong_with_a_node_is_found_by_prepare_before_any_change(machine):
    machine.write("swap", "/swapfile\n")
    machine.write("packages/kubelet", "1.36.4-1.1")
    done = machine.run(without_secrets("osl-w-1"), "prepare")
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 2
    assert "apt-get" not in machine.calls
    (machine.folder / "swap").unlink()
    (machine.folder / "packages/kubelet").unlink()
    machine.run(script("osl-w-1"))
    assert word(machine.run(without_secrets("osl-w-1", kubernetesVersion="1.36.9"), "prepare")) == "unchanged"
    assert machine.read("packages/kubelet") == "1.36.3-1.1", "its upgrade comes later"


def test_a_node_has_joined_when_the_cluster_has_its_node_object(machine):
    machine.write("unregistered")
    impatient = script("osl-w-1").replace("-lt 120", "-lt 2")
    done = machine.run(impatient)
    assert done.returncode == 5
    assert "node osl-w-1: has joined, but its kubelet has not made a Node object" in done.stderr
    assert machine.calls.count("get --raw /api/v1/nodes/osl-w-1") == 2
    (machine.folder / "unregistered").unlink()
    assert word(machine.run(impatient)) == "changed"
    assert "kubeadm reset --force" in machine.calls
    assert word(machine.run(impatient)) == "unchanged"


def test_the_text_by_which_a_worker_leaves_is_shell_and_holds_no_secret() -> None:
    platform = stack("lab")
    assert platform.bootstrap is not None
    for worker in platform.bootstrap.workers:
        text = script_without_secrets(platform.bootstrap, worker)
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)
        assert f"node={worker.name}\n" in text
        assert "ca_key=''" in text


LOCKED = """
[ "$(grep -c 'update$' "$MACHINE/calls")" -gt 2 ] || {
	echo 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 711 (apt-get)' >&2
	exit 100
}
"""


def without_pauses(machine):
    machine.write("bin/sleep", "#!/bin/sh\n")
    (machine.folder / "bin/sleep").chmod(0o755)


def test_the_lock_of_apts_lists_is_waited_for(machine):
    without_pauses(machine)
    text = machine.read("bin/apt-get").replace(STAND_INS["apt-get"], LOCKED + STAND_INS["apt-get"])
    machine.write("bin/apt-get", text)
    assert word(machine.run(script("osl-w-1"))) == "changed"
    assert machine.calls.count(" update\n") == 3


def test_a_lock_that_is_never_released_is_said_with_its_holder(machine):
    without_pauses(machine)
    machine.write(
        "fail/apt-get", "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 711 (apt-get)\n"
    )
    done = machine.run(script("osl-w-1"))
    assert done.returncode == 5
    assert "held by process 711" in done.stderr
    assert "apt-get update failed" in done.stderr


@pytest.mark.parametrize(("ends", "status"), [("exit 0", 0), ("exit 2", 0), ("exec /bin/sleep 9", 5)])
def test_the_first_boot_is_waited_for_and_not_for_ever(machine, ends, status):
    machine.write("bin/cloud-init", RECORD + ends)
    (machine.folder / "bin/cloud-init").chmod(0o755)
    done = machine.run(script("osl-w-1").replace("boot_seconds=300", "boot_seconds=1"))
    assert done.returncode == status
    assert "cloud-init status --wait" in machine.calls
    assert ("has not ended its first boot within 1 s" in done.stderr) == bool(status)
    if not status:
        assert word(machine.run(script("osl-w-1"))) == "unchanged"
        assert "cloud-init" not in machine.calls, "a member has booted before"


def test_an_edited_configuration_of_containerd_is_refused_with_what_is_not_ours(machine):
    machine.run(script("osl-w-1"))
    ours = machine.read("etc/containerd/config.toml")
    machine.write("etc/containerd/config.toml", ours + "\n[debug]\n  level = 'debug'\n")
    done = machine.run(script("osl-w-1"))
    assert done.returncode == 3
    assert ">   level = 'debug'" in done.stderr
    assert "has settings in /etc/containerd/config.toml that are not ours" in done.stderr
    (machine.folder / "etc/containerd/config.toml").unlink()
    assert word(machine.run(script("osl-w-1"))) == "changed"
    assert machine.read("etc/containerd/config.toml") == ours


def test_a_configuration_that_was_there_before_us_is_replaced_only_as_its_package_brought_it(machine):
    machine.write("packages/containerd", "2.2.1-0ubuntu1~24.04.1")
    machine.write("etc/containerd/config.toml", "# the distribution's\n")
    done = machine.run(script("osl-w-1"))
    assert done.returncode == 3
    assert "> # the distribution's" in done.stderr
    digest = hashlib.md5(b"# the distribution's\n", usedforsecurity=False).hexdigest()
    machine.write("conffiles", f"\n /etc/containerd/config.toml {digest}\n")
    assert word(machine.run(script("osl-w-1"))) == "changed"


def test_a_node_that_leaves_keeps_nothing_of_the_clusters_network(machine):
    machine.run(script("osl-w-1"))
    for path in ("cni/net.d/05-cilium.conflist", "cni/net.d/99-own.conflist"):
        machine.write(f"etc/{path}")
    for name in ("eth0", "cilium_host", "lxc_health", "lxc0123456789ab", "lxcbr0"):
        machine.write(f"sys/class/net/{name}")
    machine.write("sys/fs/bpf/cilium/devices/eth0/links/cil_from_netdev")
    own = "*filter\n-A INPUT -p tcp -j ACCEPT\nCOMMIT\n"
    machine.write("rules", own.replace("*filter\n", "*filter\n:KUBE-FIREWALL - [0:0]\n-A INPUT -j CILIUM_INPUT\n"))
    assert word(machine.run(script("osl-w-1"), "remove")) == "changed"
    assert [file.name for file in (machine.folder / "etc/cni/net.d").iterdir()] == ["99-own.conflist"]
    deleted = [call for call in machine.calls.splitlines() if call.startswith("ip link delete")]
    assert deleted == [f"ip link delete {name}" for name in ("cilium_host", "lxc_health", "lxc0123456789ab")]
    assert "tc filter delete dev eth0 ingress" in machine.calls
    assert "tc filter delete dev eth0 egress" not in machine.calls
    assert not machine.has("sys/fs/bpf/cilium")
    assert machine.read("rules") == own


def hardened(name, **change):
    data = bootstrap_data()
    data["cluster"]["security"] = change
    plan = bootstrap(data)
    return script_without_secrets(plan, next(node for node in plan.nodes if node.name == name))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("osl-cp-1", ["init phase upload-config all", "upgrade node phase control-plane", "kubelet-config"]),
        ("osl-cp-2", ["upgrade node phase control-plane", "kubelet-config"]),
        ("osl-w-1", ["kubelet-config"]),
    ],
)
def test_a_changed_setting_reaches_a_member_and_the_first_one_tells_the_cluster(machine, name, expected):
    machine.run(script(name))
    assert word(machine.run(hardened(name), "keep")) == "unchanged"
    except_one = {"exceptions": [{"setting": "seccomp-default", "until": "2027-06-30", "reason": "an old application"}]}
    assert word(machine.run(hardened(name, **except_one), "keep")) == "changed"
    calls = [call for call in machine.calls.splitlines() if call.startswith("kubeadm ") and " phase " in call]
    assert len(calls) == len(expected)
    for call, words in zip(calls, expected, strict=True):
        assert words in call
    assert "systemctl restart kubelet" in machine.calls
    assert word(machine.run(hardened(name, **except_one), "keep")) == "unchanged"


def test_a_setting_that_did_not_take_is_tried_again(machine):
    machine.run(script("osl-cp-1"))
    audit = {"auditLog": {"maxAgeDays": 7}}
    machine.write("fail/systemctl", "Job for kubelet.service failed")
    assert machine.run(hardened("osl-cp-1", **audit), "keep").returncode == 5
    (machine.folder / "fail/systemctl").unlink()
    assert word(machine.run(hardened("osl-cp-1", **audit), "keep")) == "changed"


def test_a_cluster_keeps_its_networks(machine):
    machine.run(script("osl-cp-1"))
    data = bootstrap_data()
    data["network"]["serviceCidr"] = "10.97.0.0/16"
    plan = bootstrap(data)
    done = machine.run(script_without_secrets(plan, plan.nodes[0]), "keep")
    assert done.returncode == 3
    assert "was made with endpoint, pod network and service network" in done.stderr
    assert "kubeadm init" not in machine.calls


def test_files_that_only_root_may_read(machine):
    machine.run(script("osl-cp-1"))
    assert (machine.folder / "lib/kubelet/config.yaml").stat().st_mode & 0o777 == 0o600
    assert (machine.folder / "lib/etcd").stat().st_mode & 0o777 == 0o700


# --- renewal of certificates --------------------------------------------------------------------------------


def test_a_control_plane_gets_the_timer_of_its_certificates_once_and_loses_it_when_it_leaves(machine):
    timer = "vds-platform-certificates.timer"
    machine.run(script("osl-cp-1"))
    assert [line for line in machine.calls.splitlines() if timer in line] == [
        f"systemctl enable {timer}",
        f"systemctl restart {timer}",
    ]
    assert "01:00:00 UTC" in machine.read(f"etc/systemd/system/{timer}")
    assert "kubeadm certs renew all" in machine.read("local/vds-platform/renew-certificates.sh")
    assert word(machine.run(without_secrets("osl-cp-1"), "keep")) == "unchanged"
    machine.run(without_secrets("osl-cp-1"), "remove")
    assert f"systemctl disable --now {timer}" in machine.calls
    assert not machine.has(f"etc/systemd/system/{timer}")
    assert not machine.has("local/vds-platform/renew-certificates.sh")


def test_a_worker_has_no_such_timer(machine):
    machine.run(script("osl-w-1"))
    machine.run(without_secrets("osl-w-1"), "keep")
    assert "vds-platform-certificates" not in machine.calls
