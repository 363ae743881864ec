"""YAML as sigs.k8s.io/yaml reads it: each value was read by Helm's `toJson` of `fromYaml` too."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from components.charts import helm
from components.charts.kubernetes_yaml import documents, dump, repeated_keys
from tests.support.charts import pack

SCALARS = [
    *("1:30", "12:30:45", "2026-01-02", "1e3", "1E3", "0o17", "017", "08", "0x1F", "0b11", "1_000", "0777777"),
    *("yes", "no", "on", "off", "y", "n", "Yes", "True", "~", "null", "abc", "<x>"),
    *(".5", "5.", "-3", "+4", "1.20", "1.0", "0", "00", "-0", "1e", "12e03", ".e5"),
]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30", "1:30"),
        ("2026-01-02", "2026-01-02"),
        ("1e3", 1000),
        ("0o17", 15),
        ("0644", 420),
        ("on", True),
        ("n", False),
        ("'yes'", "yes"),
        ("!!str 5", "5"),
        ("|\n  true\n", "true\n"),
        ("~", None),
    ],
)
def test_a_value_is_read_as_kubernetes_reads_it(text: str, value: object) -> None:
    assert documents(f"a: {text}\n") == [{"a": value}]


def test_keys_are_text_and_the_last_of_two_counts() -> None:
    assert documents("80: a\non: b\nx: 1\nx: 2\nm: &m {k: 1}\nn2: {<<: *m}") == [
        {"80": "a", "true": "b", "x": 2, "m": {"k": 1}, "n2": {"k": 1}}
    ]


def test_several_documents_without_empty_ones() -> None:
    assert documents("---\n# only this\n---\na: 1\n---\n[b]\n") == [{"a": 1}, ["b"]]


def test_what_is_no_yaml_is_refused() -> None:
    with pytest.raises(yaml.YAMLError):
        documents("a: [1")


def test_helm_reads_every_scalar_in_the_same_way(tmp_path: Path) -> None:
    lines = "\n".join(f"v{number}: {text}" for number, text in enumerate(SCALARS))
    template = '{{ .Files.Get "scalars.yaml" | fromYaml | toJson }}'
    chart = pack(tmp_path, "scalars", "1.0.0", {"a.yaml": f"kind: A\ndata: {{{{ {template[3:-3]} | quote }}}}\n"})
    folder = tmp_path / "scalars"
    subprocess.run(["tar", "xzf", str(chart)], cwd=tmp_path, check=True)
    (folder / "scalars.yaml").write_text(lines)
    answer = helm.run(helm.find(), ["template", "x", str(folder)])
    assert not answer.code, answer.error
    [found] = documents(answer.output.decode())
    (read,), theirs = documents(lines), json.loads(found["data"])
    wrong = {
        text: (read[f"v{n}"], theirs[f"v{n}"]) for n, text in enumerate(SCALARS) if read[f"v{n}"] != theirs[f"v{n}"]
    }
    assert not wrong


def test_text_stays_text_in_what_is_written() -> None:
    values = {"a": {text: text for text in [*SCALARS, "", "blåbær", "two\nlines", "x: y", "- x", "#"]}, "n": [1, None]}
    assert documents(dump(values)) == [values]


def test_a_value_of_an_alias_is_written_where_it_is_read() -> None:
    shared = {"enabled": True}
    assert dump({"a": shared, "b": shared}) == "a:\n  enabled: true\nb:\n  enabled: true\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\nb: {c: 1}\n", []),
        ("a: 1\nb: 2\na: 3\n", [("a", 3)]),
        ("a: &x {b: 1}\nc: *x\nd: {<<: *x, b: 2}\n", []),
        ("a:\n- {b: 1, b: 2}\n", [("b", 2)]),
        ("yes: 1\ntrue: 2\n", [("true", 2)]),
        ("1: 1\n'1': 2\n", [("1", 2)]),
    ],
)
def test_a_key_that_occurs_twice_is_found(text: str, found: list[tuple[str, int]]) -> None:
    assert repeated_keys(text) == found
