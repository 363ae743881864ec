"""A Release gets the bytes that were checked."""

from pathlib import Path

import pytest

from components.charts import render as rendering
from components.charts.lock import FILE, lock_text
from components.charts.render import UnavailableChartError, WrongChartError
from components.charts.verified import verified
from tests.support.charts import lock, pack, sha256

PUBLIC = "https://charts.example.no"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and a repository that answers for every chart of one version."""

    def pull(chart: rendering.ChartSource, place: Path) -> str:
        if chart.repository != PUBLIC:
            return "there is no such repository"
        pack(place, "web", chart.version, {})
        return ""

    monkeypatch.setattr(rendering, "_pulled_folder", lambda: tmp_path / "pulled")
    monkeypatch.setattr(rendering, "_pull_failure", pull)
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def write_lock(project: Path, digest: str, version: str = "1.0.0") -> None:
    (project / FILE).write_text(lock_text(lock(("web", version, digest))))


def test_the_deployed_file_has_the_bytes_of_the_lock(project: Path, tmp_path: Path) -> None:
    digest = sha256(pack(tmp_path / "maker", "web", "1.0.0", {}))
    write_lock(project, digest)
    found = verified("web", "1.0.0", PUBLIC, project)
    assert found == (".charts/web-1.0.0.tgz", None), "no repository: nothing is downloaded again"
    assert sha256(project / found.chart) == digest


def test_a_file_that_somebody_changed_is_written_again(project: Path, tmp_path: Path) -> None:
    digest = sha256(pack(tmp_path / "maker", "web", "1.0.0", {}))
    write_lock(project, digest)
    file = project / verified("web", "1.0.0", PUBLIC, project).chart
    file.write_bytes(b"evil")
    verified("web", "1.0.0", PUBLIC, project)
    assert sha256(file) == digest


def test_other_bytes_are_not_deployed(project: Path) -> None:
    """The finding: the registry could hand out anything at deploy time."""
    write_lock(project, "0" * 64)
    with pytest.raises(WrongChartError, match=f"and {FILE} says 0000"):
        verified("web", "1.0.0", PUBLIC, project)
    assert not (project / ".charts").exists()


def test_a_folder_mirrors_chart_is_compared_too(project: Path) -> None:
    pack(project / "mirror", "web", "1.0.0", {"evil.yaml": ""})
    write_lock(project, "0" * 64)
    with pytest.raises(WrongChartError):
        verified("web", "1.0.0", "mirror", project)


def test_a_lock_with_entries_refuses_every_other_chart(project: Path) -> None:
    write_lock(project, "0" * 64, "0.9.0")
    with pytest.raises(WrongChartError, match=r"web 1\.0\.0 is not in charts\.lock\.yaml, which is enforced"):
        verified("web", "1.0.0", PUBLIC, project)


def test_a_chart_that_cannot_be_had_is_not_passed(project: Path) -> None:
    write_lock(project, "0" * 64)
    with pytest.raises(UnavailableChartError, match="is not available here"):
        verified("web", "1.0.0", "https://elsewhere.example.no", project)


def test_an_empty_lock_leaves_the_chart_to_its_repository(project: Path) -> None:
    assert verified("web", "1.0.0", PUBLIC, project) == ("web", PUBLIC)
