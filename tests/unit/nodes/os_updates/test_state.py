"""What a node says of its updates: the script with folders of a test, and what is made of its answer."""

import os
import subprocess
import time
from datetime import UTC, datetime

import pytest

from components.nodes.os_updates.model import Window
from components.nodes.os_updates.state import SCRIPT, parse

BOOT = "0f5b9c5e-1d0a-4c9e-9a57-0d7b7c2c8a11"
DAY = 86_400
NOW = 1_795_000_000
WINDOW = Window.model_validate({"from": "02:00", "to": "05:00", "timezone": "Europe/Oslo"})


def answer(*lines, now=NOW, booted=NOW - 40 * DAY, kernel="6.1.0-39-amd64"):
    facts = (f"boot {BOOT}", f"now {now}", f"booted {booted}", f"kernel {kernel}", *lines, "end")
    return parse("\n".join(facts) + "\n")


# --- the script --------------------------------------------------------------------------------------------------

PS = "#!/bin/sh\necho ' 3456000'\n"  # 40 days
DPKG = '#!/bin/sh\ncat "$(dirname "$0")/../audit" 2>/dev/null || :\n'
NO = "#!/bin/sh\nexit 1\n"


@pytest.fixture
def node(tmp_path):
    for folder in (
        "run",
        "boot",
        "proc/sys/kernel/random",
        "fakes",
        "var/lib/apt/periodic",
        "etc/apt/apt.conf.d",
        "lib",
    ):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text(BOOT)
    for name, text in (("ps", PS), ("dpkg", DPKG), ("systemctl", NO), ("systemd-detect-virt", NO)):
        (tmp_path / "fakes" / name).write_text(text)
        (tmp_path / "fakes" / name).chmod(0o755)
    return tmp_path


def ran(node):
    text = SCRIPT.replace("root=\n", f"root={node}\n").replace("proc=/proc", f"proc={node}/proc")
    text = text.replace("PATH=/usr/sbin", f"PATH={node}/fakes:/usr/sbin")
    done = subprocess.run(["sh", "-s"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return parse(done.stdout)


def test_a_node_that_needs_nothing(node):
    state = ran(node)
    assert (state.boot, state.must_reboot, state.broken, state.installing) == (BOOT, False, "", False)
    assert state.kernel == os.uname().release
    assert abs(state.now - time.time()) < 60


def test_what_packages_wrote_to_run(node):
    (node / "run/reboot-required").write_text("*** System restart required ***\n")
    (node / "run/reboot-required.pkgs").write_text("libc6\nlinux-image-6.1.0-40-amd64\nlibc6\n$(reboot)\n")
    state = ran(node)
    assert state.reasons == ("required by libc6, linux-image-6.1.0-40-amd64",)
    assert abs(state.since - time.time()) < 60


def test_a_newer_kernel_by_the_order_of_versions(node):
    for name in ("6.1.0-9-amd64", "6.1.0-40-amd64", "6.1.0-40-amd64.dpkg-tmp"):
        (node / f"boot/vmlinuz-{name}").write_text("")
    assert ran(node).reasons == (f"kernel 6.1.0-40-amd64 is installed, and {os.uname().release} runs",)
    (node / "fakes/systemd-detect-virt").write_text("#!/bin/sh\nexit 0\n")
    assert ran(node).reasons == (), "a container boots its host's kernel"


def test_services_that_run_replaced_libraries_and_no_pods(node):
    library = node / "lib/libssl.so.3"
    library.write_text("")

    def process(number, group, maps):
        folder = node / f"proc/{number}"
        folder.mkdir()
        (folder / "cgroup").write_text(f"0::{group}\n")
        (folder / "maps").write_text(maps)

    # The path of the test's library, as a link of /usr/lib would have it.
    old = f"7f0000000000-7f0000001000 r-xp 00000000 08:01 42    /usr/lib/../..{library} (deleted)\n"
    process(10, "/system.slice/ssh.service", f"7f-80 r-xp 0 08:01 1    /usr/lib/libc.so.6\n{old}")
    process(11, "/kubepods.slice/kubepods-pod1.slice/cri-1.scope", old)
    process(12, "/system.slice/cron.service", "7f-80 rw-s 0 00:01 1    /memfd:libssl.so (deleted)\n")
    process(13, "/user.slice/user-0.slice/session-1.scope", old)
    state = ran(node)
    assert state.reasons == ("libraries were replaced that ssh.service still runs with",)
    assert abs(state.since - time.time()) < 60


def test_when_updates_were_last_installed(node):
    (node / "var/lib/apt/periodic/upgrade-stamp").write_text("")
    (node / "etc/apt/apt.conf.d/zz-vds-platform-updates.conf").write_text("")
    state = ran(node)
    assert abs(state.upgraded - time.time()) < 60
    assert abs(state.enabled - time.time()) < 60


def test_packages_that_are_half_installed_and_a_run_that_is_at_work(node):
    (node / "audit").write_text("\nThe following packages are only half configured:\n libc6\n")
    (node / "fakes/systemctl").write_text("#!/bin/sh\necho activating\n")
    state = ran(node)
    assert state.broken == "The following packages are only half configured:"
    assert state.installing
    assert "dpkg --configure -a" in state.late


# --- the answer --------------------------------------------------------------------------------------------------


def test_a_kernel_that_was_not_started_at_the_last_boot_is_no_reason_for_another():
    state = answer(f"newest {NOW - 50 * DAY} 6.1.0-40-amd64")
    assert not state.must_reboot
    assert "its boot loader starts kernel 6.1.0-39-amd64 although 6.1.0-40-amd64 is installed" in state.advice
    assert not answer(f"newest {NOW - 50 * DAY} 6.1.0-39-amd64").advice


def test_the_first_of_several_reasons_counts():
    state = answer(
        f"newest {NOW - 3 * DAY} 6.1.0-40-amd64", f"required {NOW - 2 * DAY}", f"deleted {NOW - DAY} ssh.service"
    )
    assert len(state.reasons) == 3
    assert state.since == NOW - 3 * DAY


def test_windows_that_were_missed():
    since = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
    for days, missed in ((0, 0), (1, 1), (2, 2)):
        assert answer(f"required {since:.0f}", now=int(since) + days * DAY).missed(WINDOW) == missed
    assert answer(now=int(since) + 9 * DAY).missed(WINDOW) == 0


@pytest.mark.parametrize(
    ("lines", "late"),
    [
        ([f"enabled {NOW - 9 * DAY}", f"upgraded {NOW - 2 * DAY}"], ""),
        ([f"enabled {NOW - 9 * DAY}", f"upgraded {NOW - 2 * DAY - 1}"], "last ended without an error 2 days ago"),
        ([f"enabled {NOW - 2 * DAY}"], ""),
        ([f"enabled {NOW - 3 * DAY}"], "last ended without an error never"),
        ([f"enabled {NOW - DAY}", f"upgraded {NOW - 90 * DAY}"], ""),
    ],
)
def test_updates_that_do_not_arrive(lines, late):
    assert late in answer(*lines).late
    assert bool(answer(*lines).late) == bool(late)


@pytest.mark.parametrize(
    "output",
    [
        "",
        "boot x\nnow 1\nbooted 1\nkernel k\nend\n",
        f"boot {BOOT}\nnow 1\nbooted 1\nkernel k\n",
        f"boot {BOOT}\nnow\nend\n",
        f"boot {BOOT}\nnow 1\nbooted 1\nkernel k\nrequired soon\nend\n",
        f"boot {BOOT}\nnow 1\nbooted 1\nkernel k\nnewest 1\nend\n",
        f"boot {BOOT}\nnow 1\nbooted 1\nkernel k\ndeleted 1\nend\n",
    ],
)
def test_what_is_no_answer(output):
    with pytest.raises(ValueError, match="did not say"):
        parse(output)


def test_escape_sequences_of_a_node_are_not_passed_on():
    assert "\x1b" not in answer(f"required {NOW}", "package \x1b[31mx").reasons[0]
