"""Charts, CRDs and API types as their projects publish them: files of Go modules at exact versions, checked by hash.

Nothing third-party is in this checkout. A module that a test asks for is fetched once, through the Go module proxy, and
the few folders that tests read are kept in the cache beside the lab's tools. Without the proxy such a test fails and
says so: a law that nothing was held against would be no law.

A version more is a line more in modules.sum: `go mod download -json MODULE@VERSION` says its `Sum`.
"""

import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from components.core.versions import parse
from lab.processes import LabError
from lab.progress import Progress
from lab.toolchain import build, golang
from lab.toolchain.pins import HERE, MODULES, module_version

CILIUM = "github.com/cilium/cilium"
METALLB = "go.universe.tf/metallb"
GATEWAY_API = "sigs.k8s.io/gateway-api"
CALICO_API = "github.com/projectcalico/api"
TRAEFIK_CHART = "github.com/traefik/traefik-helm-chart"
CERT_MANAGER = "github.com/cert-manager/cert-manager"

_KEPT = {
    CILIUM: ("install/kubernetes/cilium", "pkg/k8s/apis/cilium.io/client/crds"),
    METALLB: ("config/crd/bases", "charts/metallb"),
    GATEWAY_API: ("config/crd/standard",),
    CALICO_API: ("pkg/apis/projectcalico/v3",),
    TRAEFIK_CHART: ("traefik",),
    CERT_MANAGER: ("deploy/charts/cert-manager", "deploy/crds"),
}
"""What of a module tests read: the rest, up to 100 MB, is not kept."""


def pinned(name: str) -> str:
    """The version of `cilium`, `metallb` or `gateway-api` that the lab is built from."""
    return module_version(*MODULES[name])


def versions(module: str) -> list[str]:
    """The versions of a module that `modules.sum` beside this file names, oldest first."""
    found = {version.removeprefix("v") for name, version in _sums(_OWN) if name == module}
    return sorted(found, key=parse)


def cilium_versions() -> list[str]:
    """Cilium's releases whose charts the tests read: some of each era of its values, and the lab's own."""
    return sorted({*versions(CILIUM), pinned("cilium")}, key=parse)


def source(module: str, version: str) -> Path:
    """The folder of a module's files at a version. Fails the test where they cannot be had."""
    found = _source(module, version)
    if isinstance(found, str):
        pytest.fail(found, pytrace=False)
    return found


def cilium_chart(version: str) -> Path:
    """The folder of Cilium's chart. A release's tag has it as published, but for the images' digests."""
    return source(CILIUM, version) / "install/kubernetes/cilium"


def metallb_chart() -> Path:
    """The folder of MetalLB's chart, with its subchart."""
    return source(METALLB, pinned("metallb")) / "charts/metallb"


def traefik_chart() -> Path:
    """The folder of Traefik's chart."""
    [version] = versions(TRAEFIK_CHART)
    return source(TRAEFIK_CHART, version) / "traefik"


def cert_manager_chart(folder: Path) -> Path:
    """cert-manager's chart, copied to a folder, with the version that the project's release tool fills in."""
    [version] = versions(CERT_MANAGER)
    target = folder / "cert-manager"
    shutil.copytree(source(CERT_MANAGER, version) / "deploy/charts/cert-manager", target)
    about = target / "Chart.yaml"
    about.write_text(about.read_text().replace("ersion: v0.0.0", f"ersion: v{version}"))
    return target


@cache  # a failure too: without a network every further test would wait for the same answer
def _source(module: str, version: str) -> Path | str:
    target = build.cache() / "published" / f"{module}@{version}"
    if _is_whole(target, module):
        return target
    try:
        _fetch(module, version, target)
    except (LabError, OSError) as error:
        return f"the tests read files of {module} v{version}, which could not be had: {error}"
    return target


def _fetch(module: str, version: str, target: Path) -> None:
    """Fetch into a folder beside the place and move there: whole or not at all, also when two runs do it at once."""
    wanted = _sums(_OWN, *sorted(HERE.glob("*/go.sum"))).get((module, f"v{version}"))
    if wanted is None:
        raise LabError(f"neither {_OWN.name} nor a go.sum of lab/toolchain has its hash")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="draft-", dir=target.parent) as folder:
        found = _download(module, version, Path(folder) / "modules")
        if found["Sum"] != wanted:
            raise LabError(f"its hash is {found['Sum']}, and {wanted} is expected")
        draft = Path(folder) / "kept"
        for kept in _KEPT[module]:
            shutil.copytree(Path(found["Dir"]) / kept, draft / kept)
        try:
            shutil.rmtree(target, ignore_errors=True)  # of tests that read less of it
            draft.rename(target)
        except OSError:
            if not _is_whole(target, module):  # else another run was faster
                raise


def _is_whole(target: Path, module: str) -> bool:
    return all((target / kept).is_dir() for kept in _KEPT[module])


def _download(module: str, version: str, modules: Path) -> dict[str, str]:
    go = golang.find(build.cache(), Progress(total=1, quiet=True))
    # The hash is compared here, with the one of this checkout: no checksum database has to be reached.
    own = {"GOMODCACHE": str(modules), "GOSUMDB": "off", "GOFLAGS": "-modcacherw"}
    done = subprocess.run(
        [str(go), "mod", "download", "-json", f"{module}@v{version}"],
        cwd="/",
        env={**golang.environment(build.cache()), **own},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = json.loads(done.stdout)["Error"] if done.stdout else done.stderr.strip()
        raise LabError(f"{said}\ncheck that this machine reaches a Go module proxy (go env GOPROXY)")
    return dict(json.loads(done.stdout))


_OWN = Path(__file__).parent / "modules.sum"


def _sums(*files: Path) -> dict[tuple[str, str], str]:
    """Module and version → hash, of files in go.sum's form."""
    lines = [line.split() for file in files for line in file.read_text().splitlines()]
    return {(name, version): digest for name, version, digest in lines if not version.endswith("/go.mod")}
