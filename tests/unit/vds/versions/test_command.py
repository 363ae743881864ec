"""`vds versions` as a person or a program runs it."""

import json
from datetime import date

import pytest

from components.network.compatibility.releases import Table, table
from tests.support.commands import vds
from tests.support.stack_file_changes import changed
from tests.support.stacks import ROOT
from vds.versions import command

OSLO = (ROOT / "Pulumi.oslo.yaml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def on_the_day_of_the_table(monkeypatch):
    class Day(date):
        @classmethod
        def today(cls):
            return table().day

    monkeypatch.setattr(command, "date", Day)


@pytest.fixture
def written(tmp_path):
    def write(**versions):
        file = tmp_path / "Pulumi.oslo.yaml"
        file.write_text(changed(OSLO, {"set": {path.replace("__", "."): text for path, text in versions.items()}}))
        return file

    return write


def judged(file):
    done = vds("versions", "--json", str(file))
    return done.exit_code, {pin["part"]: pin for pin in json.loads(done.stdout)["pins"]}


def test_the_example_is_maintained_and_not_vulnerable():
    done = vds("versions", str(ROOT / "Pulumi.oslo.yaml"))
    assert done.exit_code == 0, done.stdout
    assert "✗" not in done.stdout
    assert f"judged by the table of {table().day}" in done.stdout
    for part in ("Kubernetes", "Cilium", "MetalLB", "Traefik"):
        assert part in done.stdout


def test_an_older_patch_is_advice(written):
    status, pins = judged(written(cni__version="1.20.2"))
    assert status == 0
    (finding,) = pins["Cilium"]["findings"]
    assert (finding["rule"], finding["severity"]) == ("release-old", "advice")
    assert finding["remedy"] == f"write {pins['Cilium']['newestPatch']}"


def test_the_table_for_people_names_every_advisory_too(written):
    done = vds("versions", str(written(cni__version="1.18.0")))
    found = table().parts["Cilium"].vulnerable("1.18.0")
    assert len(found) > 3
    assert all(one.id in done.stdout for one in found)
    assert "more" not in done.stdout


def test_a_vulnerable_version_lists_every_advisory(written):
    status, pins = judged(written(gateway__install__version="3.7.9"))
    assert status == 1
    traefik = pins["Traefik"]
    assert traefik["advisories"] == ["GHSA-62fc-8686-hfmq", "GHSA-6765-c87h-8mrf", "GHSA-fgjj-px3w-67xx"]
    assert traefik["findings"][0]["severity"] == "error"


def test_a_version_past_its_end_is_an_error(written):
    status, pins = judged(written(cluster={"kind": "existing", "kubernetesVersion": "1.33"}))
    assert status == 1
    assert pins["Kubernetes"]["endOfLife"] == "2026-06-28"
    assert pins["Kubernetes"]["findings"][0]["rule"] == "release-end"


def test_a_release_that_is_not_known_yet_is_advice(written):
    status, pins = judged(written(metallb__install__version="0.99.0"))
    assert status == 0
    assert pins["MetalLB"]["newestPatch"] is None
    assert pins["MetalLB"]["findings"][0]["severity"] == "advice"


def test_an_old_table_says_so(monkeypatch):
    old = Table(date(2020, 1, 1), table().parts)
    monkeypatch.setattr(command, "table", lambda: old)
    assert "so newer releases are missing" in vds("versions", str(ROOT / "Pulumi.oslo.yaml")).stdout


def test_a_file_with_mistakes_or_none_is_an_error(written, tmp_path):
    for file, said in ((written(network__podCidr="x"), "has mistakes"), (tmp_path / "nope", "can't be read")):
        done = vds("versions", str(file))
        assert done.exit_code == 2
        assert said in done.stderr
