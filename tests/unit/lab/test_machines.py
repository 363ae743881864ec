"""Machines: what goes onto their disks, how they are started, and what is compared before and after."""

import stat
import subprocess
import threading
from pathlib import Path

import pytest

from lab.layout import DOMAIN, Host, Layout
from lab.machines import cgroups, files, host, machine, preconditions, root, supervise
from lab.machines.preconditions import Need
from lab.processes import LabError, wait_until
from lab.progress import Progress
from tests.support import host_state

HOST = Host("osl-w-9", "192.0.2.29")
DEB822 = """# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://packages.example
Suites: nodistro
Components: main

Types: deb
Enabled: no
URIs: http://old.example/debian
Suites: bookworm
Components: main
"""


@pytest.fixture
def progress() -> Progress:
    return Progress(total=1, quiet=True)


def program(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(text)
    file.chmod(0o755)


# --- the root -----------------------------------------------------------------------------------------------


def test_sources_of_the_suite_are_taken_from_the_machine_and_no_others() -> None:
    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
    assert root.sources({"debian.sources": DEB822}) == [
        f"deb {key}http://mirror.example/debian bookworm main",
        f"deb {key}http://mirror.example/debian bookworm-updates main",
    ]
    lines = (
        "# deb http://off.example bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main non-free # mine\n"
        "deb-src http://a.example/debian bookworm main\n"
        "deb http://b.example/debian-security bookworm-security main\n"
        "deb http://c.example/ubuntu noble main\n"
        "deb http://d.example/debian bookworm contrib\n"
    )
    assert root.sources({"sources.list": lines}) == [
        "deb [signed-by=/k.gpg] http://a.example/debian bookworm main",
        "deb http://b.example/debian-security bookworm-security main",
    ]


def test_a_key_inside_the_sources_file_is_no_path() -> None:
    text = "Types: deb\nURIs: http://m.example\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN PGP\n"
    assert root.sources({"x.sources": text}) == ["deb http://m.example bookworm main"]


def test_a_root_holds_nothing_of_the_machine_that_made_it(tmp_path: Path) -> None:
    for name in ("etc/ssh/ssh_host_rsa_key", "etc/hostname", "etc/apt/sources.list.d/x.sources", "etc/ssh/sshd_config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    root.customise(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()}
    assert left == {"etc/ssh/sshd_config", *root.FILES}
    masked = tmp_path / "etc/systemd/system/apt-daily.timer"
    assert masked.readlink() == Path("/dev/null")
    assert (tmp_path / "lib/modules").is_dir()


def test_another_recipe_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = root.key()
    assert root.key() == before
    assert root.key(["frr"]) != before
    monkeypatch.setattr(root, "PACKAGES", (*root.PACKAGES, "vim"))
    assert root.key() != before


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own cache, and an mmdebstrap that writes down its calls; `unshare` only goes on to it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(root, "_apt_sources", lambda: {"debian.sources": DEB822})
    program(tmp_path, "unshare", '#!/bin/sh\nshift 3\nexec "$@"\n')
    program(
        tmp_path,
        "mmdebstrap",
        '#!/bin/sh\necho call >>"$(dirname "$0")/calls"\n'
        'for word; do case $word in */draft-*) mkdir -p "$word/etc"; echo made >"$word/etc/made";; esac; done\n'
        'sleep 0.2\n[ ! -e "$(dirname "$0")/fail" ] || { echo "E: no mirror"; exit 1; }\n',
    )
    return tmp_path


def test_a_root_is_made_once_by_two_runs_at_the_same_time(debian: Path, progress: Progress) -> None:
    found: list[Path] = []
    runs = [threading.Thread(target=lambda: found.append(root.ensure(progress))) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert (debian / "calls").read_text() == "call\n"
    assert found[0] == found[1]
    assert (found[0] / "etc/made").read_text() == "made\n"


def test_a_root_that_failed_is_not_there_and_the_message_says_what_to_run(debian: Path, progress: Progress) -> None:
    (debian / "fail").touch()
    with pytest.raises(LabError, match=r"(?s)no mirror.*apt-get update"):
        root.ensure(progress)
    assert [path.name for path in (debian / "cache/vds-platform/roots").iterdir()] == [".lock"]
    (debian / "fail").unlink()
    assert root.ensure(progress).is_dir()


def test_what_a_killed_run_left_is_cleared_away(debian: Path, progress: Progress) -> None:
    stale = debian / "cache/vds-platform/roots/draft-old/root"
    stale.mkdir(parents=True)
    root.ensure(progress)
    assert not stale.parent.exists()


def test_too_little_disk_is_said_before_anything_is_made(
    debian: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root, "_NEEDED_BYTES", 2**60)
    with pytest.raises(LabError, match="XDG_CACHE_HOME"):
        root.ensure(progress)
    assert not (debian / "calls").exists()


# --- the disk -----------------------------------------------------------------------------------------------


def given(name: str = "osl-w-9") -> dict[str, tuple[bytes, int]]:
    return files.default_files(
        Host(name, HOST.address), authorized_key=b"ssh-ed25519 AAAA op\n", host_key=b"secret\n", authority=b"LAB\n"
    )


def test_a_new_disk_has_the_files_with_their_modes(tmp_path: Path) -> None:
    below, upper = tmp_path / "root", tmp_path / "upper"
    (below / "etc/ssl/certs").mkdir(parents=True)
    (below / "etc/ssl/certs/ca-certificates.crt").write_text("PUBLIC\n")
    (below / "root").mkdir(mode=0o700)
    upper.mkdir()
    files.install(given(), upper, below)
    assert (upper / "etc/hostname").read_text() == "osl-w-9\n"
    assert f"{HOST.address} osl-w-9.{DOMAIN} osl-w-9" in (upper / "etc/hosts").read_text()
    assert (upper / files.BUNDLE.lstrip("/")).read_text() == "PUBLIC\nLAB\n"

    def mode(name: str) -> int:
        return stat.S_IMODE((upper / name).stat().st_mode)

    assert mode("etc/ssh/ssh_host_ed25519_key") == 0o600
    assert mode("root") == 0o700  # as in the root below: a folder of the upper layer hides that one's mode
    assert mode("root/.ssh") == 0o700


def test_every_machine_is_another_one() -> None:
    assert given()["/etc/machine-id"] != given()["/etc/machine-id"]


def test_a_file_replaces_a_link_and_does_not_follow_it(tmp_path: Path) -> None:
    below, upper = tmp_path / "root", tmp_path / "upper"
    (upper / "etc").mkdir(parents=True)
    outside = tmp_path / "outside"
    (upper / "etc/resolv.conf").symlink_to(outside)
    files.install({"/etc/resolv.conf": (b"nameserver 192.0.2.4\n", 0o644)}, upper, below)
    assert not outside.exists()
    assert (upper / "etc/resolv.conf").read_text() == "nameserver 192.0.2.4\n"


def test_files_go_to_a_new_disk_only(tmp_path: Path) -> None:
    layout = Layout(tmp_path / ".lab")
    machine._make_disk(layout, HOST, tmp_path / "root", {"/etc/hosts": (b"first\n", 0o644)})
    machine._make_disk(layout, HOST, tmp_path / "root", {"/etc/hosts": (b"second\n", 0o644)})
    assert (layout.machine(HOST.name) / "upper/etc/hosts").read_text() == "first\n"
    with pytest.raises(LabError, match="make down"):
        machine._make_disk(layout, HOST, tmp_path / "another-root", {})


# --- starting -----------------------------------------------------------------------------------------------


def test_a_machine_enters_its_cgroups_before_its_first_process(tmp_path: Path) -> None:
    folder = tmp_path / "a folder, with: signs"
    argv = supervise.command(folder, HOST, tmp_path / "root", [Path("/sys/fs/cgroup/memory/vdslab/osl-w-9")])
    inner = argv[argv.index("--") + 1 :]
    assert argv[argv.index("--") - 1] == "/sys/fs/cgroup/memory/vdslab/osl-w-9"
    assert "systemd-nspawn" in inner
    assert f"--network-namespace-path=/run/netns/{HOST.namespace}" in inner
    assert "--drop-capability=CAP_SYS_TIME" in inner
    # The overlay's options hold no path of ours, which may have a comma or a colon in it.
    assert "lowerdir=lower,upperdir=upper,workdir=work" in argv[2]


def test_the_first_process_is_a_script_that_a_plain_shell_reads() -> None:
    subprocess.run(["sh", "-n", Path(supervise.__file__).with_name("boot.sh")], check=True)
    subprocess.run(["sh", "-n", "-c", supervise._START], check=True)


def test_a_machine_boots_again_as_often_as_it_asks_and_with_a_new_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = iter([133, 133, 0])
    done: list[str] = []
    monkeypatch.setattr(supervise.network, "renew", lambda host: done.append(f"network {host.namespace}"))
    monkeypatch.setattr(supervise.cgroups, "remove", lambda _: None)
    monkeypatch.setattr(supervise.cgroups, "prepare", lambda _: [])
    monkeypatch.setattr(supervise, "kill", lambda name: done.append(f"end of {name}"))
    monkeypatch.setattr(supervise.subprocess, "run", lambda argv, **_: subprocess.CompletedProcess(argv, next(codes)))
    assert supervise.main(HOST.name, HOST.address, str(tmp_path), "/root-of-debian") == 0
    assert done == [f"network {HOST.namespace}", f"end of {HOST.name}"] * 3


def test_nothing_runs_inside_a_machine_that_is_off(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="osl-w-9 is off"):
        machine.inside(Layout(tmp_path), HOST, ["true"])


def test_cgroup_v1_has_a_folder_in_every_hierarchy_with_processors_and_memory_nodes_set(tmp_path: Path) -> None:
    for name in ("cpuset", "memory", "unified"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "cpu").symlink_to("memory")
    (tmp_path / "cpuset/cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset/cpuset.mems").write_text("0\n")
    made = cgroups.prepare("osl-w-9", tmp_path)
    assert made == [tmp_path / name / "vdslab/osl-w-9" for name in ("cpuset", "memory", "unified")]
    assert (made[0] / "cpuset.cpus").read_text() == "0-1\n"
    assert (made[0] / "cpuset.mems").read_text() == "0\n"


def test_cgroup_v2_has_one_folder_to_which_controllers_are_handed_down(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "vdslab").mkdir()
    (tmp_path / "vdslab/cgroup.controllers").write_text("cpu memory\n")
    assert cgroups.prepare("osl-w-9", tmp_path) == [tmp_path / "vdslab/osl-w-9"]
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"  # the last of the two writes
    assert (tmp_path / "vdslab/cgroup.subtree_control").read_text() == "+memory"


def test_removing_cgroups_leaves_other_machines_theirs(tmp_path: Path) -> None:
    for name in ("memory/vdslab/osl-w-9/system.slice/a.service", "memory/vdslab/osl-w-8"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "memory/cgroup.procs").touch()
    cgroups.remove("osl-w-9", tmp_path)
    assert [path.name for path in (tmp_path / "memory/vdslab").iterdir()] == ["osl-w-8"]
    cgroups.remove("osl-w-8", tmp_path)
    assert not (tmp_path / "memory/vdslab").exists()


# --- the machine that the lab runs on -----------------------------------------------------------------------


def test_the_bounding_set_is_read_as_the_kernel_writes_it() -> None:
    assert host.bounding_set("CapEff:\t0\nCapBnd:\t000001fffeffffff\nCapAmb:\t0\n") == 0x1FFFEFFFFFF
    assert host.bounding_set("") == 0


def test_what_counts_by_itself_is_not_compared_and_what_is_set_is() -> None:
    for key in ("fs/file-nr", "kernel/random/entropy_avail", "net/netfilter/nf_conntrack_count", "vm/stat_refresh"):
        assert host_state.is_volatile(key)
    for key in ("fs/file-max", "kernel/panic", "vm/overcommit_memory", "net/ipv4/ip_forward"):
        assert not host_state.is_volatile(key)


def test_counters_and_times_are_no_part_of_the_rules() -> None:
    rules = "# Generated on Wed\n*filter\n:INPUT ACCEPT [12:3456]\n[7:8] -A INPUT -j DROP\nCOMMIT\n"
    assert host_state.without_counters(rules) == "*filter\n:INPUT ACCEPT\n -A INPUT -j DROP\nCOMMIT"


def test_every_difference_is_named() -> None:
    before = {"sysctl": {"vm/overcommit_memory": "0", "kernel/panic": "0"}, "links": {"eth0": "mtu=1500"}}
    after = {"sysctl": {"vm/overcommit_memory": "1", "kernel/panic": "0"}, "links": {"try": "mtu=1500"}}
    assert host_state.differences(before, after) == [
        "links: eth0 is gone (was 'mtu=1500')",
        "links: try is new ('mtu=1500')",
        "sysctl: vm/overcommit_memory was '0', is '1'",
    ]
    assert host_state.differences(before, before) == []


def test_this_machine_has_a_state_that_stays_while_nothing_is_done() -> None:
    before = host_state.host_state()
    assert before["sysctl"]["kernel/osrelease"] == Path("/proc/sys/kernel/osrelease").read_text().strip()
    found: list[str] = []

    def is_still() -> bool:  # tests that run at the same time make network namespaces
        found[:] = host_state.differences(host_state.host_state(), host_state.host_state())
        return not found

    wait_until(is_still, 120, lambda: f"it changes by itself: {found}")


# --- preconditions ------------------------------------------------------------------------------------------

NFT = Need("nft", "nftables")


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder where commands are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(preconditions, "_SYSTEM_PATH", "")
    return tmp_path


def test_a_need_is_met_by_a_command_or_by_a_file(only: Path) -> None:
    assert not NFT.met()
    program(only, "nft", "#!/bin/sh\n")
    assert NFT.met()
    assert Need(str(only / "nft"), "nftables").met()
    assert not Need(str(only / "key.gpg"), "keys").met()


def test_everything_that_is_missing_is_named_at_once_with_what_to_run(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preconditions, "_may_install", lambda: False)
    nspawn = Need("systemd-nspawn", "systemd-container")
    with pytest.raises(LabError) as error:
        preconditions.ensure(progress, absent=lambda: [nspawn, NFT], lacking=lambda: ["this kernel lacks bridges"])
    assert "apt-get install --no-install-recommends systemd-container nftables" in str(error.value)
    assert "this kernel lacks bridges" in str(error.value)


def test_missing_packages_are_installed_where_that_may_be_done(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(preconditions, "_may_install", lambda: True)
    monkeypatch.setattr(preconditions, "_install", lambda packages, _: installed.extend(packages))
    preconditions.ensure(progress, absent=lambda: [] if installed else [NFT], lacking=list)
    assert installed == ["nftables"]


def test_nothing_is_installed_on_a_machine_that_has_everything(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preconditions, "_install", lambda *_: pytest.fail("nothing was missing"))
    preconditions.ensure(progress, absent=list, lacking=list)


def test_a_failed_installation_shows_the_end_of_what_it_said(
    progress: Progress, only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preconditions, "_may_install", lambda: True)
    program(only, "apt-get", "#!/bin/sh\necho 'E: no mirror'\nexit 100\n")
    with pytest.raises(LabError) as error:
        preconditions.ensure(progress, absent=lambda: [NFT], lacking=list)
    assert "E: no mirror" in str(error.value)
    assert "apt-get install --no-install-recommends nftables" in str(error.value)


def test_too_little_memory_and_disk_are_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preconditions.available_bytes("MemTotal: 9 kB\nMemAvailable:    2048 kB\n") == 2 * 2**20
    monkeypatch.setattr(preconditions, "MEMORY_BYTES", 2**60)
    monkeypatch.setattr(preconditions, "DISK_BYTES", 2**60)
    memory, checkout, kept = preconditions.space_problems()
    assert "end other programs" in memory
    assert "the checkout" in checkout
    assert "XDG_CACHE_HOME" in kept


def test_the_scripts_are_correct_shell() -> None:
    for script in (preconditions._TRY_KERNEL, preconditions._INSTALL_QUIETLY):
        assert subprocess.run(["sh", "-n"], input=script, text=True).returncode == 0
