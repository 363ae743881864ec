"""What the machine must have: told all at once, installed only where that may be done."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab import machine
from lab.machine import Need, ensure_packages
from lab.processes import LabError
from lab.progress import Progress

CLANG = Need(("clang-19", "clang"), "clang-19", oldest=18)
NFT = Need(("nft",), "nftables")


@pytest.fixture
def progress() -> Progress:
    return Progress(total=1, quiet=True)


def program(folder: Path, name: str, says: str = "") -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(0o755)


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder where commands are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "_SYSTEM_PATH", "")
    return tmp_path


def test_any_of_a_commands_names_will_do(only: Path) -> None:
    assert not CLANG.met()
    program(only, "clang", "Debian clang version 18.1.8")
    assert CLANG.met()


def test_a_compiler_too_old_for_cilium_is_not_taken_for_one_that_will_do(only: Path) -> None:
    program(only, "clang", "Debian clang version 14.0.6")
    assert not CLANG.met()
    program(only, "clang-19", "Debian clang version 19.1.7 (3~deb12u1)")
    assert CLANG.met()


def test_everything_that_is_missing_is_named_at_once_with_what_to_run(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_may_install", lambda: False)
    with pytest.raises(LabError) as error:
        ensure_packages(progress, absent=lambda: [CLANG, NFT], lacking=lambda: ["this kernel lacks bridges: load it"])
    assert "apt-get install --no-install-recommends clang-19 nftables" in str(error.value)
    assert "this kernel lacks bridges" in str(error.value)


def test_missing_packages_are_installed_where_that_may_be_done(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(machine, "_may_install", lambda: True)
    monkeypatch.setattr(machine, "_install", lambda packages, _: installed.extend(packages))
    ensure_packages(progress, absent=lambda: [] if installed else [NFT], lacking=list)
    assert installed == ["nftables"]


def test_nothing_is_installed_on_a_machine_that_has_everything(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_install", lambda *_: pytest.fail("nothing was missing"))
    ensure_packages(progress, absent=list, lacking=list)


def test_a_failed_installation_shows_the_end_of_what_it_said(
    progress: Progress, only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_may_install", lambda: True)
    (only / "apt-get").write_text("#!/bin/sh\necho 'E: Unable to locate package nftables' >&2\nexit 100\n")
    (only / "apt-get").chmod(0o755)
    with pytest.raises(LabError, match=r"(?s)Unable to locate package.*missing: nft; run: apt-get install"):
        ensure_packages(progress, absent=lambda: [NFT], lacking=list)


def test_the_scripts_are_correct_shell() -> None:
    for script in (machine._TRY_KERNEL, machine._INSTALL_QUIETLY):
        assert subprocess.run(["sh", "-n"], input=script, text=True).returncode == 0
