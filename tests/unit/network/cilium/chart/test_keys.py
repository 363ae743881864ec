"""The generated key table, against the published charts."""

import re

import pytest

from components.network.cilium.chart.history import REMOVED, RENAMED, Verdict, fate
from components.network.cilium.chart.keys import closest, has, known_in, marks, minors, nearest, releases, type_problem
from components.network.cilium.chart.nested import dotted, keys
from lab.chart_keys import chart_keys, table
from tests.support.chart_values import cilium_values_file
from tests.support.modules import cilium_chart, cilium_versions
from tests.support.stacks import ROOT

VERSIONS = cilium_versions()
PLACE = {version: releases().index(nearest(version)) for version in VERSIONS}
"""Where a version stands among the table's releases; one that is newer than the table, as its newest."""


def declared(version):
    """Every path of a chart's values, groups too, and the text with its commented keys."""
    text, found = cilium_values_file(version)
    return {path[:length] for path in found for length in range(1, len(path) + 1)}, text


@pytest.mark.parametrize("version", [version for version in VERSIONS if version in releases()])
def test_the_table_has_what_the_generator_reads_in_the_chart(version):
    assert marks(version) == chart_keys(cilium_chart(version))


def test_the_generator_adds_to_the_table_and_changes_nothing_of_it():
    text = (ROOT / "components/network/cilium/chart/keys.txt").read_text()
    assert [line.rstrip() for line in table({release: marks(release) for release in releases()})] == text.splitlines()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_key_of_the_charts_own_values_is_known_with_a_type_that_fits(version):
    for path, value in cilium_values_file(version)[1].items():
        key = has(path, nearest(version))
        assert key is not None, dotted(path)
        assert value is None or value == {} or type_problem(value, key) == "", dotted(path)


READ_BUT_NOT_DECLARED = {"etcd.managed", "hubble.export.fileMaxBackups", "hubble.export.fileMaxSizeMb"}
NAMED_LIKE_THEIR_GROUP = {"bandwidthManager", "etcd"}
DECLARED_BUT_NOT_READ = {"datapathMode"}  # of 1.12.19


def old_names(version, verdict_is_honoured):
    for row in [*RENAMED, *REMOVED]:
        old = row.old if row in RENAMED else row.path
        came = releases().index(known_in(old)[0][0]) <= PLACE[version]
        if came and (fate(row, version) is Verdict.HONOURED) is verdict_is_honoured:
            yield old


@pytest.mark.parametrize("version", VERSIONS)
def test_a_name_that_the_history_calls_honoured_is_in_the_charts_values(version):
    paths, text = declared(version)
    for old in old_names(version, True):
        commented = re.search(rf"^ *# ?{old[-1]}:", text, re.MULTILINE)
        assert old in paths or commented or dotted(old) in READ_BUT_NOT_DECLARED, dotted(old)
        assert has(old, nearest(version)), dotted(old)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_name_that_the_history_calls_gone_is_not_in_the_charts_values(version):
    paths, _ = declared(version)
    for old in old_names(version, False):
        assert old not in paths or dotted(old) in NAMED_LIKE_THEIR_GROUP | DECLARED_BUT_NOT_READ, dotted(old)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_new_name_is_in_the_charts_values_from_its_release_on_and_not_before(version):
    paths, text = declared(version)
    for row in RENAMED:
        if PLACE[version] >= releases().index(row.new_since):
            assert row.new in paths or re.search(rf"# ?{row.new[-1]}:", text), dotted(row.new)
        elif row.new[0] != "encryption" or "egress" in row.new:  # ipsec.keyFile stood there before it took effect
            assert row.new not in paths, dotted(row.new)


@pytest.mark.parametrize(
    ("path", "spans"),
    [
        ("tunnel", [("1.11.0", "1.14.19")]),
        ("nativeRoutingCIDR", [("1.11.0", "1.11.20")]),
        ("MTU", [("1.13.0", "1.20.2")]),
        ("externalIPs.enabled", [("1.11.0", "1.17.5")]),
        ("no.such.key", []),
    ],
)
def test_the_releases_of_a_key_are_exact(path, spans):
    assert list(known_in(keys(path))) == spans


def test_a_key_may_follow_what_the_chart_passes_on_whole():
    assert has(keys("nodeSelector.disk"), "1.20.0")
    assert has(keys("extraConfig.enable-thing"), "1.14.4")
    assert has(keys("hubble.relay.enable"), "1.20.0") is None


def test_a_typo_is_near_to_what_was_meant():
    assert closest(keys("kubeproxyreplacement"), "1.20.0") == keys("kubeProxyReplacement")
    assert closest(keys("hubble.relay.enable"), "1.20.0") == keys("hubble.relay.enabled")
    assert closest(keys("tunelProtocol"), "1.20.0") == keys("tunnelProtocol")
    assert closest(keys("wholly.else"), "1.20.0") is None


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("1.14.4", "1.14.4"),
        ("1.14", "1.14.19"),
        ("1.18.99", "1.18.12"),
        ("1.16.14", "1.16.13"),
        *((unknown, None) for unknown in ("1.9.1", "2.0", "newest", "1", "1.2.3.4", "")),
    ],
)
def test_a_version_is_judged_by_the_nearest_release(version, release):
    assert nearest(version) == release


def test_the_table_has_every_minor_from_1_11_to_1_20_and_stays_small():
    assert minors() == tuple(f"1.{minor}" for minor in range(11, 21))
    assert (ROOT / "components/network/cilium/chart/keys.txt").stat().st_size < 60_000


def test_the_generator_reads_a_chart_and_joins_releases_that_agree(tmp_path):
    templates = tmp_path / "templates"
    templates.mkdir()
    (tmp_path / "values.yaml").write_text("a: {b: 1, c: {}}\nd: ~\nlabels: {os: linux}\n")
    (tmp_path / "values.schema.json").write_text('{"properties": {"a": {"properties": {"b": {"type": "integer"}}}}}')
    (templates / "t.yaml").write_text(
        '{{ .Values.a.b }} {{ .Values.quiet }} {{ toYaml .Values.labels }}\n{{- if .Values.gone }}\n  {{ fail "no" }}'
    )
    found = chart_keys(tmp_path)
    assert found == {
        ("a",): "",
        ("a", "b"): "i",
        ("a", "c"): "*",
        ("d",): "*",
        ("labels",): "*",
        ("labels", "os"): "",
        ("quiet",): "",
    }
    older = {("a",): "", ("a", "b"): "", ("old",): ""}
    lines = [line.rstrip() for line in table({"1.1.0": older, "1.2.0": found, "1.3.0": found})]
    assert lines[:5] == ["releases 1.1.0 1.2.0 1.3.0", "schema 1.2.0", "a", " b :i", " c 1.2.0-:*"]
    assert "old -1.1.0" in lines
