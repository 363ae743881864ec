"""The node script, run for real in a network namespace with folders of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.nodes.model import NodeRequirements, NodeSpec, PortNeed, Sysctl
from components.nodes.os_updates.model import OsUpdates
from components.nodes.os_updates.render import SECURITY, settings
from components.nodes.settings.firewall import ruleset
from components.nodes.settings.profiles import PROFILES
from components.nodes.settings.readback import parse
from components.nodes.settings.script import node_script

NAMESPACE = f"vdslab-test-{os.getpid()}"
FORWARD = "net.ipv4.ip_forward"
HOST_WIDE = ("fs.file-max", "net.core.rmem_max", "net.netfilter.nf_conntrack_max")
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and iproute2 to make a network namespace"
)
# Everything that the script writes to is the test's own; sysctls are the namespace's.
ENTER = """
set -e
mount --bind "$1/lib" /var/lib
mkdir -p "$1/etc/sysctl.d"
mount --bind "$1/etc" /etc
shift
exec "$@"
"""


class Machine:
    """A namespace that counts as a node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "lib").mkdir()
        (folder / "etc").mkdir()

    def enter(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        prefix = ["ip", "netns", "exec", NAMESPACE, "unshare", "--mount", "sh", "-c", ENTER, "sh", str(self.folder)]
        return subprocess.run([*prefix, *argv], input=stdin, capture_output=True, text=True)

    def run(self, verb: str, script: str) -> subprocess.CompletedProcess[str]:
        return self.enter("sh", "-s", verb, stdin=script)

    def sysctl(self, key: str, value: str | None = None) -> str:
        path = f"/proc/sys/{key.replace('.', '/')}"
        if value is not None:
            self.enter("sh", "-c", f"echo {value} > {path}")
        return self.enter("cat", path).stdout.strip()

    def file(self, path: str) -> Path:
        return self.folder / path


@pytest.fixture
def machine(tmp_path):
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    try:
        yield Machine(tmp_path)
    finally:
        subprocess.run(["ip", "netns", "delete", NAMESPACE], check=True)


def script(*sysctls, profiles=tuple(PROFILES), kernel_floor="5.10", kind="container", firewall="", updates=None):
    """What a machine of a lab gets, which a namespace is like."""
    node = NodeSpec(
        name="osl-1",
        machine=kind,
        address="192.0.2.11",
        country="NO",
        provider={"name": "Lab", "country": "NO"},
        profiles=profiles,
        sysctls=sysctls,
    )
    return node_script(
        node,
        NodeRequirements(
            "ipvs", kernel_floor, "Cilium 1.18.2", firewall=firewall, os_updates=updates and settings(updates)
        ),
    )


def states(done):
    facts = [json.loads(line) for line in done.stdout.splitlines()[:-1]]
    return {fact["key"]: fact["state"] for fact in facts if "key" in fact}


def word(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_a_container_that_the_stack_file_calls_a_server_is_refused_and_not_changed(machine):
    done = machine.run("apply", script(kind="server"))
    assert done.returncode == 3
    assert "is a container, which shares its host's kernel: rent a virtual machine" in done.stderr + done.stdout
    assert list(machine.file("lib").iterdir()) == []
    assert word(machine.run("check", script(kind="server"))) == "absent", "it can still be read"


def test_the_second_run_changes_nothing(machine):
    assert word(machine.run("apply", script())) == "changed"
    assert word(machine.run("apply", script())) == "unchanged"
    assert word(machine.run("check", script())) == "converged"


def test_live_values_are_what_was_wanted(machine):
    done = machine.run("apply", script())
    assert machine.sysctl(FORWARD) == "1"
    assert machine.sysctl("net.ipv4.tcp_keepalive_time") == "600"
    assert states(done)["net.ipv4.tcp_rmem"] in ("applied", "raised-already")


def test_what_is_the_whole_machines_is_left_alone(machine):
    before = {key: Path(f"/proc/sys/{key.replace('.', '/')}").read_text() for key in HOST_WIDE}
    huge = [Sysctl(key=key, value="9000000000000000000", how="exact") for key in HOST_WIDE]
    huge.append(Sysctl(key="vm.swappiness", value="1", how="exact"))
    done = machine.run("apply", script(*huge, profiles=("baseline",)))
    assert word(done) == "changed"
    assert {states(done)[key] for key in (*HOST_WIDE, "vm.swappiness")} == {"host-wide-left-alone"}
    assert before == {key: Path(f"/proc/sys/{key.replace('.', '/')}").read_text() for key in HOST_WIDE}


def test_a_key_that_is_not_there_is_reported_and_not_fatal(machine):
    done = machine.run("apply", script(Sysctl(key="net.core.no_such_key", value="1"), profiles=()))
    assert states(done)["net.core.no_such_key"] == "not-visible"
    assert word(done) == "changed"


def test_a_required_key_that_is_not_there_stops_before_any_change(machine):
    done = machine.run("apply", script(Sysctl(key="net.core.no_such_key", value="1", required=True)))
    assert done.returncode == 3
    assert "net.core.no_such_key is required and not-visible here" in done.stderr
    assert machine.sysctl(FORWARD) == "0"
    assert not machine.file("lib/vds-platform").exists()


def test_an_old_kernel_is_refused_with_value_limit_and_remedy(machine):
    done = machine.run("apply", script(kernel_floor="99.1"))
    assert done.returncode == 3
    assert done.stdout == ""
    assert f"kernel {os.uname().release}, limit 99.1 (Cilium 1.18.2)" in done.stderr
    assert "install a newer kernel" in done.stderr
    assert not machine.file("lib/vds-platform").exists()


def test_all_failures_are_said_at_once(machine):
    required = Sysctl(key="net.core.no_such_key", value="1", required=True)
    assert len(machine.run("apply", script(required, kernel_floor="99.1")).stderr.splitlines()) == 2


def test_minimums_are_raised_and_never_lowered(machine):
    key = "net.core.somaxconn"
    machine.sysctl(key, "9999")
    done = machine.run("apply", script(Sysctl(key=key, value="5000"), profiles=()))
    assert (machine.sysctl(key), states(done)[key]) == ("9999", "raised-already")
    assert f"\n{key} = " not in machine.file("etc/sysctl.d/zz-vds-platform.conf").read_text()
    machine.sysctl(key, "100")
    assert word(machine.run("check", script(Sysctl(key=key, value="5000"), profiles=()))) == "drifted"
    machine.run("apply", script(Sysctl(key=key, value="5000"), profiles=()))
    assert machine.sysctl(key) == "5000"


def test_drift_is_found_and_put_right(machine):
    machine.run("apply", script())
    machine.sysctl(FORWARD, "0")
    machine.file("etc/modules-load.d/vds-platform.conf").unlink()
    done = machine.run("check", script())
    assert word(done) == "drifted"
    assert machine.sysctl(FORWARD) == "0", "check must not change anything"
    assert word(machine.run("apply", script())) == "changed"
    assert word(machine.run("check", script())) == "converged"


def test_another_stack_file_is_outdated_and_not_drift(machine):
    machine.run("apply", script(profiles=("baseline",)))
    assert word(machine.run("check", script(profiles=("baseline", "edge")))) == "outdated"


def test_a_setting_that_leaves_the_stack_file_goes_back(machine):
    fast_open = machine.sysctl("net.ipv4.tcp_fastopen")
    machine.run("apply", script(profiles=("baseline", "edge")))
    assert machine.sysctl("net.ipv4.tcp_fastopen") == "3"
    machine.run("apply", script(profiles=("baseline",)))
    assert (machine.sysctl("net.ipv4.tcp_fastopen"), machine.sysctl(FORWARD)) == (fast_open, "1")


def test_a_node_is_decommissioned_as_it_was(machine):
    keys = [FORWARD, "net.ipv4.tcp_fastopen", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_rmem"]
    before = [machine.sysctl(key) for key in keys]
    machine.run("apply", script())
    machine.sysctl("net.ipv4.tcp_fastopen", "0")
    machine.run("apply", script())
    assert word(machine.run("remove", script())) == "changed"
    assert [machine.sysctl(key) for key in keys] == before
    assert list(machine.file("lib").iterdir()) == []
    assert not machine.file("etc/sysctl.d/zz-vds-platform.conf").exists()
    assert not machine.file("etc/modules-load.d").exists(), "the folder was not there before"
    assert word(machine.run("remove", script())) == "unchanged"


def test_a_file_of_our_name_that_was_there_before_comes_back(machine):
    ours = machine.file("etc/sysctl.d/zz-vds-platform.conf")
    ours.parent.mkdir()
    ours.write_text("# somebody else's\n")
    ours.chmod(0o600)
    os.chown(ours, 65534, 65534)
    machine.run("apply", script())
    assert "Written by vds-platform" in ours.read_text()
    machine.run("remove", script())
    assert ours.read_text() == "# somebody else's\n"
    assert (ours.stat().st_mode & 0o777, ours.stat().st_uid) == (0o600, 65534)


def test_a_value_that_the_kernel_refuses_is_said_and_the_rest_is_done(machine):
    bad = Sysctl(key="net.ipv4.tcp_syn_retries", value="100000", how="exact")
    done = machine.run("apply", script(bad))
    assert done.returncode == 5
    assert "the kernel refused net.ipv4.tcp_syn_retries = 100000" in done.stderr
    assert machine.sysctl(FORWARD) == "1"
    assert word(machine.run("check", script(bad))) == "absent", "a run that failed was not applied"


# --- other files -------------------------------------------------------------------------------------------------

# What Debian 12 has (procps), Ubuntu 24.04 has (procps, ufw), the Kubernetes guide writes, and Cilium's agent writes.
SYSCTL_CONF = "#net.ipv4.conf.all.rp_filter=1\n\n# turned off by hand\nnet.ipv4.ip_forward=0\nkernel.printk = 4 4 1 7\n"
THEIRS = {
    "10-network-security.conf": "net.ipv4.conf.default.rp_filter=2\nnet.ipv4.conf.all.rp_filter=2\n",
    "99-zzz-override_cilium.conf": "net.ipv4.conf.all.rp_filter = 0\nnet.ipv4.conf.*.rp_filter = 0\n",
    "k8s.conf": "net.ipv4.tcp_keepalive_time = 7200\nnet/ipv4/tcp_fastopen = 1\n",
}


def with_their_files(machine, **more):
    folder = machine.file("etc/sysctl.d")
    folder.mkdir(exist_ok=True)
    machine.file("etc/sysctl.conf").write_text(SYSCTL_CONF)
    (folder / "99-sysctl.conf").symlink_to("../sysctl.conf")
    for name, text in (THEIRS | more).items():
        (folder / name).write_text(text)


# Of Ubuntu's package ufw, with one line that an operator has added.
UFW = "#net/ipv4/ip_forward=1\nnet/ipv4/conf/all/accept_redirects=0\nnet/ipv4/tcp_keepalive_time=300\n"


def test_ufws_own_kernel_settings_are_read_too(machine):
    machine.file("etc/ufw").mkdir()
    machine.file("etc/ufw/sysctl.conf").write_text(UFW)
    with_their_files(machine)
    assert word(machine.run("apply", script())) == "changed"
    mark = "# set aside by vds-platform: net/ipv4/tcp_keepalive_time=300"
    assert machine.file("etc/ufw/sysctl.conf").read_text() == UFW.replace("net/ipv4/tcp_keepalive_time=300", mark)
    assert word(machine.run("check", script())) == "converged"
    machine.run("remove", script())
    assert machine.file("etc/ufw/sysctl.conf").read_text() == UFW


def after_boot(machine, *, by_procps):
    """What the files say, in the order of systemd-sysctl or of `sysctl --system`."""
    files = sorted(machine.file("etc/sysctl.d").glob("*.conf"), key=lambda file: file.name)
    found = {}
    for file in [*files, *([machine.file("etc/sysctl.conf")] if by_procps else [])]:
        for line in file.read_text().splitlines():
            if "=" in line and line[0] not in "#;":
                key, _, value = line.partition("=")
                found[key.strip().lstrip("-").replace("/", ".")] = value.strip()
    return found


def test_nothing_that_is_applied_later_undoes_a_setting(machine):
    with_their_files(machine)
    assert word(machine.run("apply", script())) == "changed"
    assert word(machine.run("apply", script())) == "unchanged"
    assert word(machine.run("check", script())) == "converged"
    for by_procps in (False, True):
        found = after_boot(machine, by_procps=by_procps)
        assert found[FORWARD] == "1"
        assert found["net.ipv4.tcp_keepalive_time"] == "600"
        assert found["net.ipv4.tcp_fastopen"] == "3"
        assert found["net.ipv4.conf.all.rp_filter"] == "0", "Cilium's own value"
    conf = machine.file("etc/sysctl.conf")
    assert conf.read_text() == SYSCTL_CONF.replace(FORWARD, f"# set aside by vds-platform: {FORWARD}")
    assert machine.file("etc/sysctl.d/99-sysctl.conf").is_symlink()
    machine.run("remove", script())
    assert conf.read_text() == SYSCTL_CONF
    assert list(machine.file("lib").iterdir()) == []


def test_a_later_file_that_sets_the_same_key_otherwise_is_drift(machine):
    machine.run("apply", script())
    later = machine.file("etc/sysctl.d/zzz-admin.conf")
    later.write_text("; ours\n-net.ipv4.ip_forward = 0\nnet.ipv4.tcp_rmem = 4096 87380 33554432\n")
    later.chmod(0o600)
    done = machine.run("check", script())
    assert word(done) == "drifted"
    assert parse(done.stdout).drifted == (
        "/etc/sysctl.d/zzz-admin.conf sets net.ipv4.ip_forward = 0 after our file",
    ), "a larger minimum is none"
    assert word(machine.run("apply", script())) == "changed"
    assert word(machine.run("check", script())) == "converged"
    assert later.stat().st_mode & 0o777 == 0o600
    assert after_boot(machine, by_procps=False)[FORWARD] == "1"
    # A setting that leaves the stack file lets the other file's line in again.
    other = Sysctl(key="net.core.somaxconn", value="5000")
    assert word(machine.run("apply", script(other, profiles=()))) == "changed"
    assert "\n-net.ipv4.ip_forward = 0\n" in later.read_text()


def test_a_package_that_undoes_a_setting_is_named(machine):
    package = "mount -t tmpfs none /usr/lib/sysctl.d; echo net.ipv4.ip_forward=0 >/usr/lib/sysctl.d/zzz.conf; "
    done = machine.enter("sh", "-c", package + "sh -s apply", stdin=script())
    assert done.returncode == 5
    assert "/usr/lib/sysctl.d/zzz.conf sets net.ipv4.ip_forward = 0 at boot, after us" in done.stderr
    hidden = package + "echo >/etc/sysctl.d/zzz.conf; sh -s apply"
    assert machine.enter("sh", "-c", hidden, stdin=script()).returncode == 0, "/etc has a file of the same name"


def test_an_earlier_file_does_not_lower_what_stood_higher_by_hand(machine):
    key = "net.core.somaxconn"
    machine.sysctl(key, "9999")
    with_their_files(machine, **{"50-small.conf": f"{key} = 128\n"})
    machine.run("apply", script(Sysctl(key=key, value="5000"), profiles=()))
    assert after_boot(machine, by_procps=True)[key] == "9999"


def test_the_clusters_ports_are_added_to_those_that_are_reserved(machine):
    key = "net.ipv4.ip_local_reserved_ports"
    machine.sysctl(key, "5000,10240-10249")
    done = machine.run("apply", script())
    assert machine.sysctl(key) == "2379-2381,5000,6443,10240-10250,10256-10257,10259,30000-32767"
    assert states(done)[key] == "applied"
    assert word(machine.run("check", script())) == "converged"
    assert after_boot(machine, by_procps=False)[key].startswith("5000,10240-10249,2379-2381")
    machine.sysctl(key, "1-65535")
    assert word(machine.run("check", script())) == "converged"
    machine.sysctl(key, "5000")
    assert word(machine.run("check", script())) == "drifted"
    machine.run("remove", script())
    assert machine.sysctl(key) == "5000,10240-10249"


def test_no_reserved_port_before_is_none_again(machine):
    key = "net.ipv4.ip_local_reserved_ports"
    machine.run("apply", script())
    assert machine.sysctl(key)
    assert word(machine.run("apply", script())) == "unchanged"
    machine.run("remove", script())
    assert machine.sysctl(key) == ""


def test_systemd_networkd_leaves_the_cnis_routes_alone(machine):
    machine.file("networkd").write_text("OPER_STATE=routable\n")
    text = script().replace("networkd=/run/systemd/netif/state", f"networkd={machine.file('networkd')}")
    ours = machine.file("etc/systemd/networkd.conf.d/zz-vds-platform.conf")
    assert word(machine.run("apply", text)) == "changed"
    assert ours.read_text().endswith("[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n")
    assert word(machine.run("apply", text)) == "unchanged"
    ours.write_text("")
    assert word(machine.run("check", text)) == "drifted"
    assert word(machine.run("apply", text)) == "changed"
    machine.run("remove", text)
    assert not ours.parent.exists()


def test_files_of_our_name_that_were_there_before_come_back_each_to_its_folder(machine):
    machine.file("networkd").write_text("OPER_STATE=routable\n")
    text = script().replace("networkd=/run/systemd/netif/state", f"networkd={machine.file('networkd')}")
    theirs = {
        "etc/sysctl.d/zz-vds-platform.conf": "# kernel values of somebody else\n",
        "etc/systemd/networkd.conf.d/zz-vds-platform.conf": "# networks of somebody else\n",
    }
    for path, before in theirs.items():
        machine.file(path).parent.mkdir(parents=True, exist_ok=True)
        machine.file(path).write_text(before)
    machine.run("apply", text)
    assert word(machine.run("check", text)) == "converged"
    machine.run("remove", text)
    assert {path: machine.file(path).read_text() for path in theirs} == theirs


def test_what_an_earlier_release_wrote_for_networkd_is_removed_with_its_record(machine):
    machine.file("networkd").write_text("OPER_STATE=routable\n")
    text = script().replace("networkd=/run/systemd/netif/state", f"networkd={machine.file('networkd')}")
    ours = machine.file("etc/systemd/networkd.conf.d/zz-vds-platform.conf")
    for again in (False, True):
        machine.run("apply", text)
        (machine.file("lib/vds-platform/files") / "known-networkd-zz-vds-platform.conf").unlink()
        if again:
            machine.run("apply", text)
        machine.run("remove", text)
        assert not ours.exists()


def test_without_systemd_networkd_nothing_is_written_for_it(machine):
    text = script().replace("networkd=/run/systemd/netif/state", f"networkd={machine.file('absent')}")
    assert word(machine.run("apply", text)) == "changed"
    assert not machine.file("etc/systemd").exists()
    assert word(machine.run("check", text)) == "converged"


FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >>"$(dirname "$0")/../said"
case "$(basename "$0") $*" in
'swapoff -a') : >"$(dirname "$0")/../swaps" ;;
'timedatectl show -p NTP --value') cat "$(dirname "$0")/../ntp" ;;
'timedatectl show -p CanNTP --value') echo yes ;;
'timedatectl set-ntp true') echo yes >"$(dirname "$0")/../ntp" ;;
esac
"""


@pytest.fixture
def server(machine):
    """The machine with commands that only write down what they were asked, where a server would be changed."""
    folder = machine.file("fakes")
    folder.mkdir()
    for name in ("swapoff", "swapon", "timedatectl", "systemctl"):
        (folder / name).write_text(FAKE)
        (folder / name).chmod(0o755)
    machine.file("swaps").write_text("Filename\tType\tSize\n/dev/vda2  partition\t1000\n/swap.img file\t10\n")
    machine.file("ntp").write_text("no\n")
    return machine


def as_server(server, **wanted):
    """The script as a server runs it, with no settings and no modules: only swap and time are left to do."""
    node = NodeSpec(
        name="osl-1",
        address="192.0.2.11",
        country="NO",
        provider={"name": "Lab", "country": "NO"},
        profiles=(),
        **wanted,
    )
    text = node_script(node, NodeRequirements("ebpf", "5.10", "Cilium 1.18.2"))
    for ours, theirs in (
        ("if in_container; then container=true; fi", ""),
        ("swaps=/proc/swaps", f"swaps={server.file('swaps')}"),
        ("PATH=/usr/sbin", f"PATH={server.file('fakes')}:/usr/sbin"),
        ("[ -d /run/systemd/system ]", "true"),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    return text


def services(done):
    facts = [json.loads(line) for line in done.stdout.splitlines()[:-1]]
    return {fact["service"]: fact["state"] for fact in facts if "service" in fact}


def test_swap_is_switched_off_and_time_on_and_both_back_when_the_node_is_decommissioned(server):
    done = server.run("apply", as_server(server))
    assert word(done) == "changed"
    assert services(done) == {"swap": "switched-off", "time": "switched-on"}
    assert word(server.run("apply", as_server(server))) == "unchanged"
    assert services(server.run("check", as_server(server))) == {"swap": "off", "time": "on"}
    server.file("said").unlink()
    assert services(server.run("remove", as_server(server))) == {"swap": "restored", "time": "restored"}
    said = server.file("said").read_text().splitlines()
    assert said == [
        "systemctl unmask swap.target",
        "swapon /dev/vda2",
        "swapon /swap.img",
        "timedatectl set-ntp false",
    ]


def test_swap_that_came_back_is_drift(server):
    server.run("apply", as_server(server))
    server.file("swaps").write_text("Filename\n/swap.img file\t10\n")
    server.file("ntp").write_text("no\n")
    done = server.run("check", as_server(server))
    assert (word(done), services(done)) == ("drifted", {"swap": "drifted", "time": "drifted"})
    assert parse(done.stdout).drifted == ("swap is on", "the time service is off")


def test_swap_stays_where_the_stack_file_keeps_it(server):
    server.file("ntp").write_text("yes\n")
    done = server.run("apply", as_server(server, keep_swap=True))
    assert services(done) == {"swap": "left-alone", "time": "on"}
    assert "swapoff" not in server.file("said").read_text()
    assert services(server.run("remove", as_server(server, keep_swap=True))) == {}


def test_swap_that_may_stay_again_is_switched_on_again(server):
    server.run("apply", as_server(server))
    server.file("said").unlink()
    done = server.run("apply", as_server(server, keep_swap=True))
    assert (word(done), services(done)["swap"]) == ("changed", "switched-on")
    said = server.file("said").read_text().splitlines()
    assert [line for line in said if not line.startswith("timedatectl")] == [
        "systemctl unmask swap.target",
        "swapon /dev/vda2",
        "swapon /swap.img",
    ]
    done = server.run("apply", as_server(server, keep_swap=True))
    assert (word(done), services(done)["swap"]) == ("unchanged", "left-alone"), "it is nobody's to switch on again"
    assert "swap" not in services(server.run("remove", as_server(server, keep_swap=True)))


REFUSES = "#!/bin/sh\necho no >&2\nexit 1\n"


def refuse(server, *tools):
    for name in tools:
        server.file(f"fakes/{name}").write_text(REFUSES)


def test_swap_that_could_not_be_switched_off_is_not_said_to_be(server):
    refuse(server, "swapoff")
    done = server.run("apply", as_server(server))
    assert done.returncode == 5
    assert "swap could not be switched off" in done.stderr
    assert '"service": "swap", "state": "refused"' in done.stdout


@pytest.mark.parametrize("verb", ["apply", "remove"])
def test_swap_that_could_not_be_switched_on_again_is_said_and_stays_on_record(server, verb):
    there = str(server.file("swap.img"))
    Path(there).touch()
    server.file("swaps").write_text(f"Filename\n/dev/gone-since partition\t1\n{there} file\t10\n")
    server.run("apply", as_server(server))
    refuse(server, "swapon", "timedatectl")
    done = server.run(verb, as_server(server, keep_swap=True))
    assert done.returncode == (5 if verb == "apply" else 0)
    assert '"service": "swap", "state": "refused"' in done.stdout
    assert server.file("lib/vds-platform/swap").read_text() == f"/dev/gone-since\n{there}\n"
    if verb == "remove":
        assert services(done) == {"swap": "refused", "time": "refused"}
        assert sorted(file.name for file in server.file("lib/vds-platform").iterdir()) == ["swap", "time"]
        server.file("fakes/timedatectl").write_text(FAKE)
        server.file("swaps").write_text(f"Filename\n{there} file\t10\n")
        again = server.run("remove", as_server(server))
        assert services(again) == {"swap": "restored", "time": "restored"}, "its owner has switched it on"
        assert list(server.file("lib").iterdir()) == []


def test_a_minimum_may_follow_the_nodes_memory(machine):
    key = "net.core.somaxconn"
    kib = next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line)
    grows = Sysctl(key=key, value="4096", per_gib=1000)
    machine.run("apply", script(grows, profiles=()))
    assert machine.sysctl(key) == str(max(4096, 1000 * kib // 2**20))
    assert word(machine.run("check", script(grows, profiles=()))) == "converged"
    machine.run("apply", script(Sysctl(key=key, value="9000000", per_gib=1), profiles=()))
    assert machine.sysctl(key) == "9000000", "the value where it is more"


def test_a_text_that_was_cut_off_does_nothing(machine):
    whole = script()
    for share in (0.3, 0.6, 0.95):
        machine.run("apply", whole[: int(len(whole) * share)])
    assert machine.sysctl(FORWARD) == "0"
    assert list(machine.file("lib").iterdir()) == []


def test_a_run_waits_for_another_and_says_whom(machine):
    machine.run("apply", script())
    impatient = script().replace("flock -w 20", "flock -w 0")
    holder = "exec 8</var/lib/vds-platform; flock 8; sh -s apply"
    done = machine.enter("sh", "-c", holder, stdin=impatient)
    assert done.returncode == 4
    assert "another run of vds-platform holds /var/lib/vds-platform" in done.stderr


# --- faults ------------------------------------------------------------------------------------------------------

KILLS = """#!/bin/sh
echo >>"$(dirname "$0")/../moves"
[ "$(wc -l <"$(dirname "$0")/../moves")" != "$(cat "$(dirname "$0")/../fatal")" ] || kill -9 "$PPID"
exec /bin/mv "$@"
"""


def test_a_run_that_is_killed_at_any_write_leaves_only_whole_files_and_the_next_one_ends_it(machine):
    folder = machine.file("fakes")
    folder.mkdir()
    (folder / "mv").write_text(KILLS)
    (folder / "mv").chmod(0o755)
    text = script().replace("PATH=/usr/sbin", f"PATH={folder}:/usr/sbin")
    before = machine.sysctl("net.ipv4.tcp_keepalive_time")
    killed = 0
    for fatal in range(1, 100, 4):
        machine.file("moves").write_text("")
        machine.file("fatal").write_text(str(fatal))
        if machine.run("apply", text).returncode == 0:
            break
        killed += 1
        for path in ("etc/sysctl.d/zz-vds-platform.conf", "etc/modules-load.d/vds-platform.conf"):
            file = machine.file(path)
            assert not file.exists() or file.read_text().startswith("# Written by vds-platform")
        assert word(machine.run("apply", script())) in ("changed", "unchanged")
        assert word(machine.run("check", script())) == "converged"
        assert word(machine.run("remove", script())) == "changed"
        assert machine.sysctl("net.ipv4.tcp_keepalive_time") == before
    assert killed > 3


FULL = "mount -t tmpfs -o size=8k none /etc/sysctl.d; head -c 9000 /dev/zero >/etc/sysctl.d/full 2>/dev/null; "
READ_ONLY = "mount -o remount,bind,ro /etc; "


def test_a_full_disk_is_said_and_nothing_half_written_stays(machine):
    done = machine.enter("sh", "-c", FULL + "sh -s apply; ended=$?; ls -A /etc/sysctl.d; exit $ended", stdin=script())
    assert done.returncode == 6
    assert "zz-vds-platform.conf could not be written: look whether its disk is full" in done.stderr
    assert done.stdout.endswith("full\n"), "only what filled it is there"
    assert word(machine.run("check", script())) == "absent"
    assert word(machine.run("apply", script())) == "changed"


def test_a_read_only_etc_stops_before_any_change(machine):
    done = machine.enter("sh", "-c", READ_ONLY + "sh -s apply", stdin=script())
    assert done.returncode == 3
    assert "/etc is read-only" in done.stderr
    assert machine.sysctl(FORWARD) == "0"


# --- firewall ----------------------------------------------------------------------------------------------------

RULES = ruleset(
    operators=["203.0.113.0/24"],
    inside=["192.0.2.0/24", "10.244.0.0/16"],
    ssh={22},
    api=6443,
    ports=[PortNeed(4240, "tcp", "health"), PortNeed(8472, "udp", "VXLAN")],
)


@pytest.fixture
def walled(machine):
    """The machine with systemd's commands written down only, and nftables as it is: of the namespace."""
    if not shutil.which("nft"):
        pytest.skip("needs nft")
    folder = machine.file("fakes")
    folder.mkdir()
    for name in ("systemctl", "systemd-run"):
        (folder / name).write_text('#!/bin/sh\necho "$(basename "$0") $*" >>"$(dirname "$0")/../said"\n')
        (folder / name).chmod(0o755)
    machine.file("said").write_text("")
    return machine


def with_firewall(machine, rules=RULES):
    text = script(profiles=("baseline",), firewall=rules)
    text = text.replace("PATH=/usr/sbin", f"PATH={machine.file('fakes')}:/usr/sbin")
    return text.replace("[ -d /run/systemd/system ]", "true").replace("timedatectl show", "false")


def table(machine):
    return machine.enter("nft", "list", "table", "inet", "vds_platform").stdout


def test_a_firewall_stays_only_if_another_connection_confirms_it(walled):
    text = with_firewall(walled)
    assert word(walled.run("apply", text)) == "changed"
    assert "tcp dport { 22, 6443 } ip saddr @operators accept" in table(walled)
    assert "systemd-run --quiet --collect --unit=vds-platform-firewall-back --on-active=300 nft -f" in (
        walled.file("said").read_text()
    )
    assert not walled.file("etc/vds-platform-firewall.nft").exists(), "a reboot takes it back as well"
    assert word(walled.run("check", text)) == "drifted"
    assert word(walled.run("confirm", text)) == "changed"
    assert "systemctl stop vds-platform-firewall-back.timer" in walled.file("said").read_text()
    assert "ExecStart=nft -f /etc/vds-platform-firewall.nft" in (
        walled.file("etc/systemd/system/vds-platform-firewall.service").read_text()
    )
    for verb, said in (("apply", "unchanged"), ("confirm", "unchanged"), ("check", "converged")):
        assert word(walled.run(verb, text)) == said
    walled.enter("nft", "flush", "table", "inet", "vds_platform")
    done = walled.run("check", text)
    assert (word(done), parse(done.stdout).drifted) == ("drifted", ("the firewall differs",))
    walled.run("apply", text)
    walled.run("confirm", text)
    assert word(walled.run("check", text)) == "converged"
    walled.run("remove", text)
    assert table(walled) == ""
    assert list(walled.file("lib").iterdir()) == []
    assert not walled.file("etc/vds-platform-firewall.nft").exists()


def test_a_firewall_that_was_taken_back_is_not_confirmed(walled):
    text = with_firewall(walled)
    walled.run("apply", text)
    walled.enter("nft", "-f", "/var/lib/vds-platform/firewall-before")  # what the timer does
    assert "dport" not in table(walled)
    done = walled.run("confirm", text)
    assert done.returncode == 5
    assert "the timer took it back after 300 s" in done.stderr


def test_a_changed_firewall_goes_back_to_the_one_before_and_one_that_left_the_stack_file_goes(walled):
    walled.run("apply", with_firewall(walled))
    walled.run("confirm", with_firewall(walled))
    before = table(walled)
    walled.run("apply", with_firewall(walled, RULES.replace("203.0.113.0/24", "203.0.113.7")))
    assert "203.0.113.7" in table(walled)
    walled.enter("nft", "-f", "/var/lib/vds-platform/firewall-before")
    assert table(walled) == before
    assert word(walled.run("apply", with_firewall(walled, ""))) == "changed"
    assert table(walled) == ""


CLIENT = """
import socket, sys
for source in ("192.0.2.9", "203.0.113.9", "198.51.100.9"):
    for port in (22, 6443, 10250, 2379, 31000, 8080):
        try:
            socket.create_connection(("192.0.2.1", port), 0.3, (source, 0)).close()
            print(source, port)
        except OSError:
            pass
"""
SERVER = """
import socket, sys
opened = [socket.create_server(("192.0.2.1", port)) for port in (22, 6443, 10250, 2379, 31000, 8080)]
print(flush=True)
sys.stdin.read()
"""


def test_what_the_firewall_lets_through(walled):
    other = f"{NAMESPACE}-client"
    commands = f"""
    ip netns add {other}
    ip -n {NAMESPACE} link add wire type veth peer name wire netns {other}
    ip -n {NAMESPACE} link set lo up
    ip -n {NAMESPACE} address add 192.0.2.1/24 dev wire
    ip -n {NAMESPACE} link set wire up
    ip -n {other} link set wire up
    ip -n {other} address add 192.0.2.9/24 dev wire
    ip -n {other} address add 203.0.113.9/24 dev wire
    ip -n {other} address add 198.51.100.9/24 dev wire
    ip -n {NAMESPACE} route add default dev wire
    """
    try:
        subprocess.run(["sh", "-ec", commands], check=True)
        walled.run("apply", with_firewall(walled))
        enter = ["ip", "netns", "exec", NAMESPACE, sys.executable, "-c", SERVER]
        with subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            server.stdout.readline()
            ask = ["ip", "netns", "exec", other, sys.executable, "-c", CLIENT]
            done = subprocess.run(ask, capture_output=True, text=True, check=True)
            server.stdin.close()
        passed = [tuple(line.split()) for line in done.stdout.splitlines()]
    finally:
        subprocess.run(["ip", "netns", "delete", other], check=False)
    assert [port for source, port in passed if source == "192.0.2.9"] == [
        "22",
        "6443",
        "10250",
        "2379",
        "31000",
        "8080",
    ]
    assert [port for source, port in passed if source == "203.0.113.9"] == ["22", "6443", "8080"]
    assert [port for source, port in passed if source == "198.51.100.9"] == ["8080"]


# --- updates of the operating system ------------------------------------------------------------------------------

UPDATES = OsUpdates.model_validate(
    {
        "window": {"days": ["tue"], "from": "00:30", "to": "04:00", "timezone": "Europe/Oslo"},
        "origins": ["origin=Lab,label=updates"],
    }
)
SYSTEMCTL = """#!/bin/sh
folder=$(dirname "$0")/../timers
echo "systemctl $*" >>"$folder/../said"
case $1 in
is-enabled) cat "$folder/$2" 2>/dev/null || echo enabled ;;
is-active) [ "$(cat "$folder/$2" 2>/dev/null || echo enabled)" = enabled ] && echo active || echo inactive ;;
unmask) [ "$(cat "$folder/$2" 2>/dev/null)" != masked ] || echo disabled >"$folder/$2" ;;
enable) echo enabled >"$folder/$2" ;;
disable) echo disabled >"$folder/$3" ;;
mask) echo masked >"$folder/$2" ;;
esac
"""
APT_GET = """#!/bin/sh
folder=$(dirname "$0")/..
echo "apt-get $*" >>"$folder/said"
if [ -e "$folder/no-package" ]; then echo 'E: Unable to locate package unattended-upgrades'; exit 100; fi
case $* in
*' install '*) touch "$folder/installed" ;;
*' purge '*) rm "$folder/installed" ;;
esac
"""
DPKG_QUERY = '#!/bin/sh\n[ -e "$(dirname "$0")/../installed" ] && printf installed\n'


@pytest.fixture
def updated(machine):
    """The machine with apt's own reading of its files; systemctl, apt-get and dpkg-query are fakes with a memory."""
    if not shutil.which("apt-config"):
        pytest.skip("needs apt")
    for name in ("fakes", "timers", "etc/apt/apt.conf.d"):
        machine.file(name).mkdir(parents=True)
    for name, text in (("systemctl", SYSTEMCTL), ("apt-get", APT_GET), ("dpkg-query", DPKG_QUERY)):
        machine.file(f"fakes/{name}").write_text(text)
        machine.file(f"fakes/{name}").chmod(0o755)
    machine.file("said").write_text("")
    # Of Debian's packages unattended-upgrades and apt-listchanges, and an operator's.
    machine.file("etc/apt/apt.conf.d/50unattended-upgrades").write_text(
        'Unattended-Upgrade::Origins-Pattern { "origin=Debian,codename=${distro_codename},label=Debian"; };\n'
        'Unattended-Upgrade::Package-Blacklist { "postgresql"; };\n'
    )
    machine.file("etc/apt/apt.conf.d/99operator").write_text('Unattended-Upgrade::Automatic-Reboot "true";\n')
    return machine


def with_updates(machine, updates=UPDATES):
    text = script(profiles=("baseline",), updates=updates)
    text = text.replace("PATH=/usr/sbin", f"PATH={machine.file('fakes')}:/usr/sbin")
    return text.replace("[ -d /run/systemd/system ]", "true").replace("timedatectl show", "false")


def apt_reads(machine, key):
    return machine.enter("apt-config", "dump", "--format", "%v%n", key).stdout.split()


def test_updates_are_installed_in_the_hour_before_the_window_and_no_node_reboots_by_itself(updated):
    text = with_updates(updated)
    assert word(updated.run("apply", text)) == "changed"
    assert "--no-install-recommends install unattended-upgrades tzdata" in updated.file("said").read_text()
    timers = updated.file("etc/systemd/system")
    assert (
        "OnCalendar=\nOnCalendar=*-*-* 23:30:00 Europe/Oslo"
        in (timers / "apt-daily-upgrade.timer.d/zz-vds-platform-install.conf").read_text()
    )
    assert "*-*-* 22:30:00" in (timers / "apt-daily.timer.d/zz-vds-platform-download.conf").read_text()
    assert apt_reads(updated, "Unattended-Upgrade::Automatic-Reboot") == ["false"], "the operator's file comes before"
    assert apt_reads(updated, "Unattended-Upgrade::Origins-Pattern") == [*SECURITY, "origin=Lab,label=updates"]
    assert "^kubelet$" in apt_reads(updated, "Unattended-Upgrade::Package-Blacklist")
    assert "postgresql" in apt_reads(updated, "Unattended-Upgrade::Package-Blacklist"), "the operator's stay"
    assert word(updated.run("apply", text)) == "unchanged"
    assert word(updated.run("check", text)) == "converged"


def test_timers_that_are_off_and_files_that_come_after_ours_are_drift(updated):
    text = with_updates(updated)
    updated.run("apply", text)
    updated.file("timers/apt-daily-upgrade.timer").write_text("masked\n")
    done = updated.run("check", text)
    assert word(done) == "drifted"
    [said] = parse(done.stdout).drifted
    assert said.startswith("unattended-upgrades or its timers are off")
    assert word(updated.run("apply", text)) == "changed"
    assert word(updated.run("check", text)) == "converged"
    later = updated.file("etc/apt/apt.conf.d/zzz")
    later.write_text('APT::Periodic::Unattended-Upgrade "0";\n')
    assert word(updated.run("check", text)) == "drifted"
    done = updated.run("apply", text)
    assert done.returncode == 5
    assert "another file in /etc/apt/apt.conf.d that sorts after ours" in done.stderr
    later.write_text('Unattended-Upgrade::Origins-Pattern { "origin=*"; };\n')
    assert word(updated.run("check", text)) != "converged"


@pytest.mark.parametrize("before", ["masked", "disabled", "enabled"])
@pytest.mark.parametrize("leaves", ["stack file", "stack"])
def test_what_updates_changed_goes_back(updated, before, leaves):
    updated.file("timers/apt-daily.timer").write_text(f"{before}\n")
    updated.run("apply", with_updates(updated))
    assert updated.file("timers/apt-daily.timer").read_text() == "enabled\n"
    again = ("apply", with_updates(updated, None)) if leaves == "stack file" else ("remove", with_updates(updated))
    assert word(updated.run(*again)) == "changed"
    assert updated.file("timers/apt-daily.timer").read_text() == f"{before}\n"
    assert not updated.file("installed").exists(), "the package was not there before"
    assert {path.name for path in updated.file("etc/apt/apt.conf.d").iterdir()} == {
        "50unattended-upgrades",
        "99operator",
    }
    assert not updated.file("etc/systemd/system/apt-daily.timer.d").exists()
    if leaves == "stack":
        assert list(updated.file("lib").iterdir()) == []
    else:
        assert word(updated.run("apply", with_updates(updated, None))) == "unchanged"
    assert word(updated.run("apply", with_updates(updated))) == "changed", "and once more"


def test_a_package_that_was_there_before_stays(updated):
    updated.file("installed").write_text("")
    updated.run("apply", with_updates(updated))
    updated.run("remove", with_updates(updated))
    assert updated.file("installed").exists()
    assert "apt-get" not in updated.file("said").read_text()


def test_sources_without_the_package_are_said(updated):
    updated.file("no-package").write_text("")
    done = updated.run("apply", with_updates(updated))
    assert done.returncode == 5
    assert "Unable to locate package" in done.stderr
    assert "apt-get update failed, see above: the node's own apt sources must have it" in done.stderr
    assert word(updated.run("check", with_updates(updated))) == "absent"


def test_a_package_that_can_not_be_removed_stays_on_record(updated):
    updated.run("apply", with_updates(updated))
    updated.file("no-package").write_text("")
    done = updated.run("remove", with_updates(updated))
    assert parse(done.stdout).services["os-updates"] == "refused"
    updated.file("no-package").unlink()
    assert parse(updated.run("remove", with_updates(updated)).stdout).services["os-updates"] == "restored"
    assert list(updated.file("lib").iterdir()) == []
