import json

import pytest
import yaml

from tests.support.cilium_trials import chart_options
from tests.support.commands import vds

SEED_000 = """kubeProxyReplacement: strict
nativeRoutingCIDR: 10.0.0.0/8
tunnel: disabled
"""


MULTIPLYING = b"k0: &k0 {p: 1, q: 2}\n" + b"".join(
    b"k%d: &k%d {p: *k%d, q: *k%d}\n" % (n, n, n - 1, n - 1) for n in range(1, 20)
)
"""Twenty lines that stand for a million keys."""


LISTS = b"k0: &k0 [p, q]\n" + b"".join(b"k%d: &k%d [*k%d, *k%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 20))
"""The same of lists."""


CHARTS = chart_options("1.14.4", "1.14.19", "1.16.1", "1.18.2", "1.20.2")


def run(*words, stdin=None):
    """With the charts that the tests have, where the words name none."""
    command, *rest = words
    return vds("cilium-values", command, *CHARTS, *rest, stdin=stdin)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "values.yaml"
    path.write_text(SEED_000)
    return str(path)


def test_explain_reads_a_file_and_exits_1_on_findings(file):
    result = run("explain", "--version", "1.14.4", file)
    assert result.exit_code == 1
    assert "✗ ignored" in result.stdout
    assert "→ ipv4NativeRoutingCIDR: 10.0.0.0/8" in result.stdout
    assert "\x1b[" not in result.stdout


def test_explain_exits_0_where_everything_does_what_it_says():
    result = run(
        "explain", "--version", "1.20", "--set", "kubeProxyReplacement=true", "--set-string", "k8sServicePort=6443"
    )
    assert (result.exit_code, "every key does what it says" in result.stdout) == (0, True)


def test_explain_says_as_json_what_it_says_on_the_screen(file):
    result = run("explain", "--version", "1.14", "--json", file)
    report = json.loads(result.stdout)
    assert (report["ok"], report["version"], report["judgedAs"]) == (False, "1.14", "1.14.4")
    cidr = next(finding for finding in report["findings"] if finding["key"] == "nativeRoutingCIDR")
    assert (cidr["verdict"], cidr["instead"]) == ("ignored", {"ipv4NativeRoutingCIDR": "10.0.0.0/8"})


@pytest.mark.parametrize("way", ["arguments", "stdin", "one argument"])
def test_a_helm_command_line_is_read_with_its_version(way):
    line = (
        "helm install cilium cilium/cilium --version 1.16.1 --set kubeProxyReplacement=true --set loadBalancer.mode=dsr"
    )
    if way == "arguments":
        result = run("explain", "--json", "--", *line.split())
    elif way == "stdin":
        result = run("explain", "--json", "-", stdin=f"Install it:\n\n{line}\n")
    else:
        result = run("explain", "--json", "--", line)
    report = json.loads(result.stdout)
    assert report["judgedAs"] == "1.16.1"
    assert [finding["verdict"] for finding in report["findings"]] == ["honoured", "refused"]


def test_a_command_line_brings_its_values_files_below_its_words(file):
    result = run(
        "explain",
        "--json",
        "--",
        "helm",
        "upgrade",
        "cilium",
        "x",
        "--version",
        "1.14.4",
        "-f",
        file,
        "--set",
        "tunnel=vxlan",
    )
    values = {finding["key"]: finding["value"] for finding in json.loads(result.stdout)["findings"]}
    assert values == {"kubeProxyReplacement": "strict", "nativeRoutingCIDR": "10.0.0.0/8", "tunnel": "vxlan"}


def test_values_come_by_standard_input_too():
    result = run("explain", "--version", "1.16.1", "-", stdin="# helm install would take this file\ntunnel: vxlan\n")
    assert result.exit_code == 0


def test_migrate_writes_yaml_to_standard_output_and_reasons_to_standard_error(file):
    result = run("migrate", "--from", "1.14.4", "--to", "1.20", file)
    assert result.exit_code == 1
    assert yaml.safe_load(result.stdout) == {
        "ipv4NativeRoutingCIDR": "10.0.0.0/8",
        "kubeProxyReplacement": "true",
        "routingMode": "native",
        "upgradeCompatibility": "1.14",
    }
    assert "- tunnel: disabled" in result.stderr
    assert "upgradeCompatibility: '1.14'" in result.stderr
    assert "1.17.18" in result.stderr


def test_what_migrate_writes_is_what_explain_finds_nothing_in(file):
    migrated = run("migrate", "--from", "1.14.4", "--to", "1.20", file).stdout
    assert run("explain", "--version", "1.20", "-", stdin=migrated).exit_code == 0
    assert run("migrate", "--from", "1.20", "--to", "1.20", "-", stdin=migrated).exit_code == 0


def test_the_way_back_is_called_a_downgrade():
    values = "routingMode: tunnel\n"
    down = run("migrate", "--from", "1.20", "--to", "1.16.1", "-", stdin=values).stderr
    assert "downgrade path, one minor version at a time:" in down
    assert "upgrade path" in run("migrate", "--from", "1.16.1", "--to", "1.20", "-", stdin=values).stderr


def test_migrate_as_json_has_the_way_and_both_data_paths(file):
    report = json.loads(run("migrate", "--from", "1.14.4", "--to", "1.16.1", "--json", file).stdout)
    assert [step["version"] for step in report["path"]] == ["1.15.19", "1.16.1"]
    assert report["upgradeCompatibility"] == "1.14"
    assert report["values"]["routingMode"] == "native"
    assert (report["dataPath"]["before"]["routing"], report["dataPath"]["after"]["routing"]) == ("native", "native")
    assert {change["kind"] for change in report["changes"]} == {"rewritten"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["explain", "--version", "1.9.0", "--set", "a=b"], "--version 1.9.0: is no version of Cilium from 1.11"),
        (["explain", "--set", "a=b"], "--version is missing"),
        (["explain", "--version", "1.16.1"], "no values given"),
        (["explain", "--version", "1.16.1", "--set", "a"], 'key "a" has no value'),
        (["explain", "--version", "1.16.1", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["explain", "--version", "1.16.1", "a.yaml", "b.yaml"], "give one values file"),
        (["migrate", "--from", "1.14.4", "--set", "a=b"], "--to is missing"),
        (["migrate", "--from", "one", "--to", "1.20", "--set", "a=b"], "--from one: is no version of Cilium"),
    ],
)
def test_bad_usage_is_exit_2_with_item_value_and_remedy(words, says):
    result = run(*words)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [1", "is not YAML in line 1"),
        (b"- a\n- b\n", "has no keys with values"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"a: &a {b: *a}", "an alias holds itself"),
        (b"MTU: 1400\nMTU: 1500\n", "MTU (line 2)"),
        (b'ipv6: {enabled: true, "enabled": false}\n', "enabled (line 1)"),
        (MULTIPLYING, "aliases stand for more than 100000 values"),
    ],
    ids=["unclosed", "list", "bytes", "recursive", "twice", "twice-within", "multiplying"],
)
def test_an_unreadable_file_is_exit_2_and_named(tmp_path, content, says):
    path = tmp_path / "values.yaml"
    path.write_bytes(content)
    result = run("explain", "--version", "1.16.1", str(path))
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr


def test_help_names_the_exit_codes():
    assert "Exit code 1: a key does not do what it says" in run("explain", "--help").stdout
    assert "Exit code 1: the migrated values behave differently" in run("migrate", "--help").stdout


@pytest.mark.parametrize(
    ("words", "stdin", "says"),
    [
        (["--", "helm", "install", "x", "--version", "1.18.2", "--set-json", "a"], None, "correct the words of --set"),
        (["--version", "1.18.2", "-"], b"MTU: &a [*a]\n", "an alias holds itself"),
        (["--version", "1.18.2", "-"], b"a: &a {b: [*a]}\n", "an alias holds itself"),
        (["--version", "1.18.2", "-"], b"a: " + b"[" * 60 + b"]" * 60, "levels deep"),
        (["--version", "1.18.2", "-"], b"a: " + b"{b: " * 3000 + b"1" + b"}" * 3000, "within each other"),
        (
            ["--version", "1.18.2", "-"],
            LISTS,
            "aliases stand for more than 100000 values",
        ),
        (["--version", "1.18.2", "-"], b"\xff\xfe", "is not UTF-8 text"),
        (["--version", "1.18.2", "-"], b"[1]", "has no keys with values"),
        (["--version", "1.18.2", "-"], b"\n", "standard input: is empty"),
        (["--version", "1.18.2", "a\0b"], None, "cannot be read"),
        (["--version", "1.18.2", "--set", "a[99999999999999999999]=1"], None, "correct the words of --set"),
        (["--version", "\u00b2.1", "--set", "a=1"], None, "is no version of Cilium"),
    ],
)
def test_no_input_ends_in_a_traceback(words, stdin, says):
    for command in (["explain"], ["migrate", "--to", "1.20", "--from", "1.18.2"]):
        given = words if command == ["explain"] else [word for word in words if word not in ("--version", "1.18.2")]
        if command != ["explain"] and ("--" in words or "\u00b2.1" in words):
            continue
        result = run(*command, *given, stdin=stdin)
        assert result.exit_code == 2
        assert says in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("stdin", [b"2020-01-01: 1\n", b"a: [{2020-01-01: 2020-01-02}]\n", b"a: 2020-01-01\n"])
def test_what_has_no_key_of_the_chart_is_no_values_file(stdin):
    for words in (["explain", "--version", "1.18.2"], ["migrate", "--from", "1.18.2", "--to", "1.20"]):
        for more in ([], ["--json"]):
            result = run(*words, *more, "-", stdin=stdin)
            assert (result.exit_code, "none of its keys" in result.stderr) == (2, True)


def test_a_digit_that_is_no_decimal_is_text():
    result = run("explain", "--version", "1.14.4", "--set-string", "MTU=\u00b2", "--set", "ipv4.enabled=\u00b2")
    assert "MTU" in result.stdout


@pytest.mark.parametrize("name", ["password", "secret", "adminPassword", "joinToken"])
def test_a_short_secret_is_not_echoed_either(tmp_path, name):
    path = tmp_path / "values.yaml"
    path.write_text(f"MTU: 1400\netcd: {{{name}: hunter2}}\n")
    options = chart_options("1.19.6", "1.20.2")
    for words in (["explain", "--version", "1.20.2"], ["migrate", "--from", "1.19.6", "--to", "1.20.2"]):
        for form in ([], ["--json"]):
            result = run(*words, *options, *form, str(path))
            assert "hunter2" not in result.stdout + result.stderr
            assert "(hidden)" in result.stdout + result.stderr
