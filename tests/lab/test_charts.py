"""Charts out of a folder by the real engine, and our objects under the published CRDs of a real API server."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.kubernetes_api import ApiError
from components.pools.by_cilium import cilium_pool_manifests
from components.pools.model import MetalLbSpec
from lab.layout import CHECKOUT
from tests.lab.conftest import Lab
from tests.support.charts import lock, pack, sha256, written
from tests.support.stacks import stack

pytestmark = pytest.mark.lab

PROGRAM = Path(__file__).parent / "mirrored"
CHART = "vdslab-note"
NOTE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: vdslab-note
data:
  words: {{ .Values.words | quote }}
  version: {{ .Chart.Version | quote }}
"""
Pulumi = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(lab: Lab, tmp_path: Path) -> Iterator[tuple[Path, Pulumi]]:
    """A copy of the program with a stack in a backend of its own; whatever it installed is destroyed after."""
    folder = tmp_path / "mirrored"
    shutil.copytree(PROGRAM, folder, ignore=shutil.ignore_patterns("Pulumi.t.yaml"))
    settings = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    settings["runtime"]["options"]["virtualenv"] = str(CHECKOUT / ".venv")
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "backend").mkdir()
    environment = lab.deployment.environment()
    (tmp_path / "home").mkdir()
    environment |= {
        "HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}",
    }

    def pulumi(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(lab.deployment.engine), "--non-interactive", "--color", "never", *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)

    done = pulumi("stack", "init", "t")
    assert done.returncode == 0, done.stderr
    try:
        yield folder, pulumi
    finally:
        done = pulumi("destroy", "--yes", "--stack", "t")
        assert done.returncode == 0, done.stdout + done.stderr


def set_to(pulumi: Pulumi, version: str, words: str) -> None:
    for key, value in (("version", version), ("words", words)):
        assert pulumi("config", "set", "--stack", "t", f"mirrored:{key}", value).returncode == 0


def up(pulumi: Pulumi) -> None:
    done = pulumi("up", "--yes", "--skip-preview", "--stack", "t")
    assert done.returncode == 0, done.stdout + done.stderr


def note(lab: Lab) -> dict[str, str] | None:
    found = lab.cluster.get({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CHART}})
    return found["data"] if found else None


def test_a_packed_chart_is_installed_updated_and_removed_by_the_engine(
    lab: Lab, project: tuple[Path, Pulumi], tmp_path: Path
) -> None:
    folder, pulumi = project
    files = [pack(folder / "mirror", CHART, version, {"note.yaml": NOTE}) for version in ("0.1.0", "0.2.0")]
    versions = ("0.1.0", "0.2.0")
    written(folder, lock(*((CHART, version, sha256(file)) for version, file in zip(versions, files, strict=True))))
    set_to(pulumi, "0.1.0", "first")
    up(pulumi)
    assert note(lab) == {"words": "first", "version": "0.1.0"}
    again = pulumi("preview", "--expect-no-changes", "--stack", "t")
    assert again.returncode == 0, again.stdout + again.stderr
    set_to(pulumi, "0.2.0", "second")
    up(pulumi)
    assert note(lab) == {"words": "second", "version": "0.2.0"}
    done = pulumi("destroy", "--yes", "--stack", "t")
    assert done.returncode == 0, done.stdout + done.stderr
    assert note(lab) is None
    assert not (tmp_path / "home" / ".kube").exists(), "helm leaves nothing in the user's home"


def test_a_chart_that_is_not_the_pinned_one_never_reaches_the_cluster(lab: Lab, project: tuple[Path, Pulumi]) -> None:
    folder, pulumi = project
    written(folder, lock((CHART, "0.1.0", sha256(pack(folder / "mirror", CHART, "0.1.0", {"note.yaml": NOTE})))))
    pack(folder / "mirror", CHART, "0.1.0", {"note.yaml": NOTE.replace("words:", "other:")})
    set_to(pulumi, "0.1.0", "never")
    done = pulumi("up", "--yes", "--skip-preview", "--stack", "t")
    assert done.returncode
    assert "it is not the chart of https://charts.example.no" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert note(lab) is None


# --- our objects under the published CRDs ----------------------------------------------------------------


def tried(lab: Lab, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """What the API server would keep of an object: judged in full, kept not. An unknown field is an error."""
    strict = [("dryRun", "All"), ("fieldValidation", "Strict")]
    return dict(lab.cluster.request("POST", path, manifest, query=strict))


def assert_kept(ours: Any, theirs: Any) -> None:
    """Everything that we wrote is there; what the API server fills in beside it is its own."""
    if isinstance(ours, dict):
        for key, value in ours.items():
            assert key in theirs
            assert_kept(value, theirs[key])
    elif isinstance(ours, list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_kept(one, other)
    else:
        assert ours == theirs


def test_ciliums_pools_are_taken_where_its_operator_has_registered_them(lab: Lab) -> None:
    spec = stack("lab")
    data = spec.metallb.model_dump(by_alias=True, mode="json") | {"install": {"kind": "cilium"}}
    for made in cilium_pool_manifests(MetalLbSpec.model_validate(data)):
        plural = {
            "CiliumLoadBalancerIPPool": "ciliumloadbalancerippools",
            "CiliumL2AnnouncementPolicy": "ciliuml2announcementpolicies",
        }[made["kind"]]
        path = f"/apis/{made['apiVersion']}/{plural}"
        try:
            lab.cluster.request("GET", path)
        except ApiError as error:
            if error.status != 404:
                raise
            pytest.skip(f"nobody has registered {made['kind']} {made['apiVersion']} in this lab")
        assert_kept(made["spec"], tried(lab, path, made)["spec"])
