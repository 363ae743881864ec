"""The way between two releases, and what to know of each minor."""

from components.network.cilium.chart.upgrade_path import BEFORE, upgrade_path
from components.network.cilium.data_path import DataPath
from components.network.cilium.releases import NEWEST

PATH = DataPath(release="1.14.4")


def test_the_path_goes_through_every_minor():
    steps = upgrade_path("1.14.4", "1.20.0", PATH)
    assert [step.release for step in steps] == [*(NEWEST[f"1.{number}"] for number in range(15, 20)), "1.20.0"]
    assert any("5.10" in note for note in steps[3].before)


def test_the_way_back_is_one_minor_at_a_time_too():
    steps = upgrade_path("1.20.0", "1.17.1", PATH)
    assert [step.release for step in steps] == [NEWEST["1.19"], NEWEST["1.18"], "1.17.1"]
    assert steps[0].before[0] == "Cilium supports going back to the minor before, not further"
    assert upgrade_path("1.20.0", "1.20.0", PATH)[0].before == ()
    assert [step.release for step in upgrade_path("1.18.2", "1.18.11", PATH)] == ["1.18.11"]


def test_a_step_that_changes_the_pods_mtu_says_so():
    path = DataPath(release="1.18.2", encryption="wireguard")
    notes = [note for step in upgrade_path("1.18.2", "1.20.0", path) for note in step.before]
    assert any("links' MTU − 145" in note for note in notes)


def test_what_the_upgrade_notes_say_on_networks_is_there():
    said = {minor: " ".join(notes) for minor, notes in BEFORE.items()}
    assert "allowFirstLastIPs" in said["1.16"]
    assert "lowest of all external interfaces" in said["1.17"]
    assert "CVE-2025-37959" in said["1.19"]
    assert "policy-default-local-cluster" in said["1.19"]
