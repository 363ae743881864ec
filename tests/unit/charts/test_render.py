"""Rendering by Helm itself: real charts where the question is about them, charts of the tests' own elsewhere."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from components.charts import helm
from components.charts import render as rendering
from components.charts.render import (
    ChartSource,
    RefusedValuesError,
    Rendered,
    UnavailableChartError,
    WrongChartError,
    render,
)
from components.charts.rendering_cache import RenderingCache
from components.charts.steady import RANDOM
from tests.support.chart_repositories import DOWNLOAD
from tests.support.charts import lock, pack, sha256
from tests.support.modules import cert_manager_chart, cilium_chart, metallb_chart, pinned, traefik_chart

CONFIG_MAP = "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: a\ndata:\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty cache, with the Helm of the real one; the charts that are read stay in the real one."""
    monkeypatch.setenv("VDS_HELM", str(helm.find()))
    monkeypatch.setattr(helm, "cache_folder", lambda: tmp_path / "cache/vds-platform")
    monkeypatch.setattr(rendering, "_pulled_folder", lambda: tmp_path / "pulled")
    monkeypatch.setattr(rendering, "_pull_failure", DOWNLOAD)
    rendering._cache.cache_clear()
    yield
    rendering._cache.cache_clear()


def rendered(chart: Path | str, values: Mapping[str, Any] | None = None, **more: Any) -> Rendered:
    wanted = {"release": "a", "namespace": "agency", "kubernetes": "1.36.2", **more}
    return render(ChartSource(str(chart)), values or {}, **wanted)


@pytest.mark.parametrize("version", ["1.13.2", "1.16.19", "1.18.11", pinned("cilium")])
def test_every_cilium_renders(version: str) -> None:
    found = rendered(cilium_chart(version), kubernetes="1.28.0")
    assert (found.name, found.version) == ("cilium", version)
    assert {"DaemonSet", "Deployment", "ConfigMap"} <= {body["kind"] for body in found.manifests}


def test_metallb_traefik_and_cert_manager_render(tmp_path: Path) -> None:
    kinds = [
        {body["kind"] for body in rendered(chart).manifests}
        for chart in (metallb_chart(), traefik_chart(), cert_manager_chart(tmp_path))
    ]
    assert all("Deployment" in found for found in kinds)


def test_values_and_the_cluster_decide(tmp_path: Path) -> None:
    template = (
        CONFIG_MAP + "  v: {{ .Values.v | quote }}\n  k: {{ .Capabilities.KubeVersion.Version }}\n"
        '  g: {{ .Capabilities.APIVersions.Has "gateway.networking.k8s.io/v1" | quote }}\n'
        "  ns: {{ .Release.Namespace }}/{{ .Release.Name }}\n"
    )
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": template}, "v: own\n")
    assert rendered(chart).manifests[0]["data"] == {"v": "own", "k": "v1.36.2", "g": "false", "ns": "agency/a"}
    given = rendered(chart, {"v": "given"}, apis=["gateway.networking.k8s.io/v1"]).manifests[0]
    assert (given["data"]["v"], given["data"]["g"]) == ("given", "true")


@pytest.mark.parametrize("value", ["a\u2028b", "yes", "1e3", "2026-01-02", "\ud83d\ude00 å", "a\tb\\n\"'", ""])
def test_a_text_reaches_the_chart_as_it_is(tmp_path: Path, value: str) -> None:
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + "  v: {{ .Values.v | toJson }}\n"})
    value = value.encode("utf-16", "surrogatepass").decode("utf-16")
    assert rendered(chart, {"v": value}).manifests[0]["data"]["v"] == value


def test_a_number_of_pulumi_is_whole(tmp_path: Path) -> None:
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + '  v: {{ printf "%v" .Values.v | quote }}\n'})
    assert rendered(chart, {"v": 20000000.0}).manifests[0]["data"]["v"] in ("2e+07", "20000000")


def test_hooks_are_objects_too_and_notes_and_tests_are_left_out(tmp_path: Path) -> None:
    def job(name: str, hook: str) -> str:
        return f"apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations:\n    helm.sh/hook: {hook}\n"

    templates = {
        "a.yaml": CONFIG_MAP + "  a: b\n",
        "b.yaml": job("first", "pre-install,pre-upgrade"),
        "c.yaml": job("tested", "test"),
        "NOTES.txt": "kind: Secret",
    }
    found = rendered(pack(tmp_path, "demo", "1.0.0", templates))
    assert [body["kind"] for body in found.manifests] == ["ConfigMap", "Job"]


def test_lists_are_their_items(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: x}}\n"
    found = rendered(pack(tmp_path, "demo", "1.0.0", {"a.yaml": text}))
    assert [body["kind"] for body in found.manifests] == ["Service"]


def test_the_charts_crds_are_left_out() -> None:
    assert not any(body["kind"] == "CustomResourceDefinition" for body in rendered(traefik_chart()).manifests)


def test_certificates_of_cilium_are_held_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chart = cilium_chart(pinned("cilium"))
    values = {"hubble": {"relay": {"enabled": True}}}
    first = rendered(chart, values)
    monkeypatch.setattr(helm, "cache_folder", lambda: tmp_path / "another")
    rendering._cache.cache_clear()
    assert rendered(chart, values) == first
    secrets = {body["metadata"]["name"]: body["data"] for body in first.manifests if body["kind"] == "Secret"}
    assert secrets["cilium-ca"] == {"ca.crt": RANDOM, "ca.key": RANDOM}
    assert RANDOM not in json.dumps([body for body in first.manifests if body["kind"] != "Secret"])


def test_dates_passwords_and_checksums_are_held_still_and_the_rest_stays(tmp_path: Path) -> None:
    template = (
        CONFIG_MAP + '  day: {{ now | date "2006-01-02" | quote }}\n  password: {{ randAlphaNum 12 }}\n'
        "  sum: {{ uuidv4 | sha256sum }}\n  file: |\n    a=1\n    b={{ randNumeric 20 }}\n"
        "  seconds: {{ now | unixEpoch | quote }}\n"
        "  fixed: yes-it-is\n"
    )
    [found] = rendered(pack(tmp_path, "demo", "1.0.0", {"a.yaml": template})).manifests
    assert found["data"] == {
        "day": RANDOM,
        "password": RANDOM,
        "sum": RANDOM,
        "seconds": RANDOM,
        "file": f"a=1\n{RANDOM}\n",
        "fixed": "yes-it-is",
    }


def test_a_value_that_is_a_template_is_held_still_too(tmp_path: Path) -> None:
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + "  v: {{ tpl .Values.v . }}\n"})
    assert rendered(chart, {"v": "{{ randAlpha 9 }}"}).manifests[0]["data"] == {"v": RANDOM}


def test_a_chart_that_makes_objects_at_random_cannot_be_judged(tmp_path: Path) -> None:
    text = "{{ range until (randInt 1 1000) }}---\n" + CONFIG_MAP + "  a: b\n{{ end }}"
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": text})
    with pytest.raises(UnavailableChartError, match="at random"):
        _ = [rendered(chart, {"n": number}) for number in range(20)]


def test_the_second_rendering_starts_no_helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + "  a: b\n"})
    first = rendered(chart)
    first.manifests[0]["data"]["a"] = "changed by its owner"
    monkeypatch.setattr(helm, "run", None)
    assert rendered(chart).manifests[0]["data"] == {"a": "b"}
    rendering._cache.cache_clear()  # as another process
    assert rendered(chart).manifests[0]["data"] == {"a": "b"}


def test_another_chart_at_the_same_path_is_rendered_again(tmp_path: Path) -> None:
    for text in ("one", "another"):
        chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + f"  a: {text}\n"})
        assert rendered(chart).manifests[0]["data"] == {"a": text}


def test_what_is_kept_on_disk_shows_no_secret(tmp_path: Path) -> None:
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + "  v: {{ .Values.password }}\n"})
    rendered(chart, {"password": "correct-horse"})
    files = [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    assert files
    assert all(b"correct-horse" not in file.read_bytes() and not file.stat().st_mode & 0o077 for file in files)


def test_a_damaged_cache_is_not_believed(tmp_path: Path) -> None:
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + "  a: b\n"})
    rendered(chart)
    for file in (tmp_path / "cache/vds-platform/rendered").iterdir():
        file.write_bytes(b"nothing")
    rendering._cache.cache_clear()
    assert rendered(chart).manifests[0]["data"] == {"a": "b"}


def test_the_cache_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.charts.rendering_cache.MOST_ENTRIES", 20)
    cache = RenderingCache(tmp_path / "kept")
    for number in range(60):
        cache.put(str(number).encode(), b"x")
    assert len(list((tmp_path / "kept").iterdir())) <= 21
    assert RenderingCache(tmp_path / "kept").get(b"59") == b"x"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"debug": {"enabled": "x"}}, "/debug/enabled': got string, want boolean"),
        ({"hubble": {"ui": {"enabled": True}}}, "hubble.relay.enabled"),
    ],
)
def test_what_the_chart_refuses_is_said_in_helms_words(values: dict[str, Any], words: str) -> None:
    for _ in range(2):  # the second one is from the cache
        with pytest.raises(RefusedValuesError) as refused:
            rendered(cilium_chart(pinned("cilium")), values)
        assert words in refused.value.words
        assert "\n" not in str(refused.value)
        assert "--debug" not in str(refused.value)


def test_a_kubernetes_that_the_chart_does_not_support_is_a_refusal() -> None:
    with pytest.raises(RefusedValuesError, match="incompatible with Kubernetes v1"):
        rendered(cilium_chart(pinned("cilium")), kubernetes="1.19.0")


@pytest.mark.parametrize("key", ["password", "apiKey", "tls.key", "clientSecret"])
def test_a_refusal_shows_no_secret(tmp_path: Path, key: str) -> None:
    text = '{{ fail (printf "bad: %s" (toJson .Values)) }}'
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": text})
    with pytest.raises(RefusedValuesError) as refused:
        rendered(chart, {"auth": {key: "correct-horse", "user": "kari", "secretName": "web"}})
    assert "correct-horse" not in str(refused.value)
    assert "kari" in str(refused.value)
    assert "web" in str(refused.value)


def test_a_refusal_is_short_and_on_one_line(tmp_path: Path) -> None:
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": '{{ fail (printf "a\\n\\x1b[31m%s" (repeat 9000 "x")) }}'})
    with pytest.raises(RefusedValuesError) as refused:
        rendered(chart)
    assert len(str(refused.value)) < 800
    assert str(refused.value).isprintable()


def test_a_chart_that_cannot_be_had_is_said_with_the_command() -> None:
    with pytest.raises(UnavailableChartError) as missing:
        render(
            ChartSource.of("cilium", "1.20.2", "https://127.0.0.1:1/charts"),
            {},
            release="a",
            namespace="b",
            kubernetes="1.36.2",
        )
    assert "helm pull cilium --version 1.20.2 --repo https://127.0.0.1:1/charts --destination" in missing.value.remedy
    assert "connection refused" in missing.value.message


def test_the_command_makes_it_decidable(tmp_path: Path) -> None:
    source = ChartSource.of("demo", "1.0.0", "oci://127.0.0.1:1/charts")
    wanted = {"release": "a", "namespace": "b", "kubernetes": "1.36.2"}
    with pytest.raises(UnavailableChartError) as missing:
        render(source, {}, **wanted)
    folder = Path(missing.value.remedy.rpartition(" --destination ")[2].strip("`"))
    pack(folder, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + "  a: b\n"})  # what `helm pull` leaves there
    assert render(source, {}, **wanted).name == "demo"


@pytest.mark.parametrize("version", ["", "^1.20", "1.x", "latest"])
def test_a_version_that_is_not_exact_is_not_decided(version: str) -> None:
    with pytest.raises(UnavailableChartError, match="version"):
        render(
            ChartSource("cilium", version, "https://127.0.0.1:1"), {}, release="a", namespace="b", kubernetes="1.36.2"
        )


def test_a_folder_mirror_is_relative_to_the_project(tmp_path: Path) -> None:
    pack(tmp_path / "mirror/charts", "demo", "1.0.0", {"a.yaml": CONFIG_MAP + "  a: b\n"})
    source = ChartSource.of("demo", "1.0.0", "mirror/charts")
    wanted: dict[str, Any] = {"release": "a", "namespace": "b", "kubernetes": "1.36.2"}
    assert render(source, {}, folders=[tmp_path / "elsewhere", tmp_path], **wanted).version == "1.0.0"
    with pytest.raises(UnavailableChartError, match="is not at"):
        render(source, {}, folders=[tmp_path / "elsewhere"], **wanted)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00"])
def test_a_damaged_chart_is_not_decided(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "demo-1.0.0.tgz").write_bytes(content)
    with pytest.raises(UnavailableChartError, match="can't be read as a chart"):
        rendered(tmp_path / "demo-1.0.0.tgz")


def test_a_missing_dependency_is_not_the_values_fault(tmp_path: Path) -> None:
    chart = tmp_path / "demo"
    with tarfile.open(pack(tmp_path, "demo", "1.0.0", {"a.yaml": ""})) as archive:
        archive.extractall(tmp_path, filter="data")
    with (chart / "Chart.yaml").open("a") as about:
        about.write("dependencies:\n- {name: other, version: 1.0.0, repository: https://127.0.0.1:1}\n")
    with pytest.raises(UnavailableChartError, match="missing in charts/ directory"):
        rendered(chart)


def test_other_bytes_than_the_locks_are_refused(tmp_path: Path) -> None:
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + "  a: b\n"})
    assert rendered(chart, lock=lock(("demo", "1.0.0", sha256(chart)))).sha256 == sha256(chart)
    with pytest.raises(WrongChartError, match="yaml says 0000"):
        rendered(chart, lock=lock(("demo", "1.0.0", "0" * 64)))


@pytest.mark.parametrize("enforce", [False, True])
def test_a_lock_with_entries_must_name_the_chart(tmp_path: Path, enforce: bool) -> None:
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + "  a: b\n"})
    assert rendered(chart, lock=lock(("demo", "1.0.0", sha256(chart)), enforce=enforce)).name == "demo"
    with pytest.raises(WrongChartError, match="which is enforced"):
        rendered(chart, lock=lock(("demo", "2.0.0", sha256(chart)), enforce=enforce))


def test_without_helm_nothing_is_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + "  a: b\n"})
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VDS_HELM")
    with pytest.raises(UnavailableChartError, match="VDS_HELM"):
        rendered(chart)
    monkeypatch.setenv("VDS_HELM", str(tmp_path / "nothing"))
    with pytest.raises(UnavailableChartError, match="which is no program"):
        rendered(chart)


def test_a_helm_that_hangs_or_never_stops_writing_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "helm"
    for script, said in (("exec sleep 60", "did not end within 0.2 s"), ("exec yes", "wrote more than")):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(helm, "LARGEST_BYTES", 1000)
        with pytest.raises(helm.HelmTimeoutError, match=said):
            helm.run(program, ["template"], seconds=0.2 if "sleep" in script else 20)


def test_helm_is_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def program(path: str) -> Path:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("#!/bin/sh\n")
        (tmp_path / path).chmod(0o755)
        return tmp_path / path

    program("cache/vds-platform/tools/helm-3.9.0-abc/helm")
    newest = program("cache/vds-platform/tools/helm-3.22.0-abc/helm")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("VDS_HELM")
    assert helm.find() == newest
    named = program("named/helm")
    monkeypatch.setenv("VDS_HELM", str(named))
    assert helm.find() == named
    assert program("bin/helm") == helm.find()


def test_settings_of_the_user_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM_NAMESPACE", "other")
    monkeypatch.setenv("HELM_PLUGINS", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", "/nothing")
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + "  ns: {{ .Release.Namespace }}\n"})
    assert rendered(chart).manifests[0]["data"] == {"ns": "agency"}


def test_the_same_in_another_process(tmp_path: Path) -> None:
    chart = pack(tmp_path, "demo", "1.0.0", {"a.yaml": CONFIG_MAP + "  v: {{ randAlpha 20 }}\n"})
    program = (
        "import sys; from components.charts.render import *;"
        "r = render(ChartSource(sys.argv[1]), {}, release='a', namespace='agency', kubernetes='1.36.2');"
        "print(r.manifests)"
    )
    there = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", program, str(chart)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=there)
    assert done.stdout.strip() == str(rendered(chart).manifests)
