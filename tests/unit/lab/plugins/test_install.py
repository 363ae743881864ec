"""Which plugin the engine gets: an official one wherever it is, else the one built from source, else a stand-in."""

import stat
from importlib.metadata import version
from pathlib import Path

import pytest

from lab.plugins import BINARIES, KUBERNETES, official, provide

COMMAND = "pulumi-resource-command"


def _executable(path: Path, content: str = "#!/bin/sh\necho 9.9.9\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any plugin, and the provider that was built from source."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    return _executable(tmp_path / "tools" / KUBERNETES)


def test_every_missing_plugin_is_provided_and_can_be_run(tmp_path: Path, built: Path) -> None:
    used = provide(tmp_path / "programs", built=built, version="4.25.0")
    assert set(used) == BINARIES == {path.name for path in (tmp_path / "programs").iterdir()}
    assert all(path.stat().st_mode & stat.S_IXUSR for path in (tmp_path / "programs").iterdir())


def test_the_kubernetes_provider_is_the_official_one_and_the_two_others_stand_in(tmp_path: Path, built: Path) -> None:
    used = provide(tmp_path / "programs", built=built, version="4.25.0")
    assert {binary for binary, plugin in used.items() if plugin.stand_in} == BINARIES - {KUBERNETES}
    assert used[KUBERNETES].version == "4.25.0"


def test_a_stand_in_has_the_version_of_the_sdk_because_the_engine_asks_for_that(tmp_path: Path, built: Path) -> None:
    assert provide(tmp_path / "programs", built=built, version="4.25.0")[COMMAND].version == version("pulumi-command")


@pytest.mark.parametrize("binary", [COMMAND, KUBERNETES])
def test_an_official_plugin_on_the_path_wins(tmp_path: Path, built: Path, binary: str) -> None:
    plugin = _executable(tmp_path / "bin" / binary)
    used = provide(tmp_path / "programs", built=built, version="4.25.0")
    assert (used[binary].path, used[binary].stand_in) == (plugin, False)
    assert not (tmp_path / "programs" / binary).exists()


def test_an_official_plugin_that_was_downloaded_wins(tmp_path: Path) -> None:
    for number in ("4.9.0", "4.34.2"):
        _executable(tmp_path / "plugins" / f"resource-kubernetes-v{number}" / KUBERNETES)
    assert official(path="", home=tmp_path)[KUBERNETES].version == "4.34.2"


def test_the_language_host_beside_the_engine_is_found(tmp_path: Path) -> None:
    _executable(tmp_path / "release" / "pulumi")
    _executable(tmp_path / "release" / "pulumi-language-python")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulumi").symlink_to(tmp_path / "release" / "pulumi")
    found = official(path=str(tmp_path / "bin"), home=tmp_path)
    assert found["pulumi-language-python"].path == tmp_path / "release" / "pulumi-language-python"


def test_our_own_launchers_are_not_taken_for_official(tmp_path: Path, built: Path) -> None:
    provide(tmp_path / "programs", built=built, version="4.25.0")
    found = official(path=str(tmp_path / "programs"), home=tmp_path / "home")
    assert set(found) <= {KUBERNETES}


def test_a_launcher_goes_when_the_official_plugin_has_come(tmp_path: Path, built: Path) -> None:
    provide(tmp_path / "programs", built=built, version="4.25.0")
    _executable(tmp_path / "bin" / COMMAND)
    provide(tmp_path / "programs", built=built, version="4.25.0")
    assert not (tmp_path / "programs" / COMMAND).exists()
