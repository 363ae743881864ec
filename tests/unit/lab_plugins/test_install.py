import stat
from pathlib import Path

import pytest

from lab.plugins import install, official


def _executable(path: Path, content: str = "#!/bin/sh\necho 9.9.9\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


def test_every_missing_plugin_gets_a_launcher_that_can_be_run(tmp_path: Path) -> None:
    written = install(tmp_path, missing=["pulumi-resource-command", "pulumi-language-python"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(written)
    assert all(path.stat().st_mode & stat.S_IXUSR for path in tmp_path.iterdir())
    assert written["pulumi-resource-command"].stand_in


def test_a_stand_in_has_the_version_of_the_sdk_because_the_engine_asks_for_that(tmp_path: Path) -> None:
    from importlib.metadata import version

    written = install(tmp_path, missing=["pulumi-resource-kubernetes"])
    assert written["pulumi-resource-kubernetes"].version == version("pulumi-kubernetes")


def test_an_official_plugin_on_the_path_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = _executable(tmp_path / "bin" / "pulumi-resource-command")
    monkeypatch.setenv("PATH", str(plugin.parent))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    written = install(tmp_path / "stand-ins")
    assert "pulumi-resource-command" not in written
    assert official()["pulumi-resource-command"].version == "9.9.9"


def test_an_official_plugin_that_was_downloaded_wins(tmp_path: Path) -> None:
    for version in ("4.9.0", "4.34.2"):
        folder = tmp_path / "plugins" / f"resource-kubernetes-v{version}"
        _executable(folder / "pulumi-resource-kubernetes")
    found = official(path="", home=tmp_path)
    assert found["pulumi-resource-kubernetes"].version == "4.34.2"


def test_the_language_host_beside_the_engine_is_found(tmp_path: Path) -> None:
    _executable(tmp_path / "release" / "pulumi")
    _executable(tmp_path / "release" / "pulumi-language-python")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulumi").symlink_to(tmp_path / "release" / "pulumi")
    found = official(path=str(tmp_path / "bin"), home=tmp_path)
    assert found["pulumi-language-python"].path == tmp_path / "release" / "pulumi-language-python"


def test_our_own_launchers_are_not_taken_for_official(tmp_path: Path) -> None:
    install(tmp_path, missing=["pulumi-resource-command"])
    assert official(path=str(tmp_path), home=tmp_path) == {}


def test_a_launcher_goes_when_the_official_plugin_has_come(tmp_path: Path) -> None:
    install(tmp_path, missing=["pulumi-resource-command"])
    assert install(tmp_path, missing=[]) == {}
    assert list(tmp_path.iterdir()) == []


def test_what_others_put_into_the_folder_stays(tmp_path: Path) -> None:
    plugin = _executable(tmp_path / "pulumi-resource-command")
    install(tmp_path, missing=[])
    assert plugin.exists()
