"""What the engine's event log says, read right, and what of it stays hidden."""

import json
from typing import Any

import pytest

from tests.support.previews import log, recorded
from vds.preview_comment.difference import diff_lines, noise
from vds.preview_comment.events import EventsError, Preview, read
from vds.preview_comment.masking import SECRET, UNKNOWN, masked, masked_text

SIGNED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}


def step(op: str, name: str = "a", **metadata: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:s::p::t::{name}"
    return {"resourcePreEvent": {"metadata": {"op": op, "urn": urn, "type": "a:b:T", **metadata}}}


def side(**inputs: Any) -> dict[str, Any]:
    return {"custom": True, "inputs": inputs, "id": "i-1"}


def preview(*events: dict[str, Any]) -> Preview:
    return read(map(json.dumps, events))


def test_a_log_without_an_end_is_not_complete() -> None:
    assert not read(log("no-change")[:-2]).complete
    assert recorded("no-change").complete


def test_nothing_changes_where_every_step_is_the_same() -> None:
    found = recorded("no-change")
    assert {change.op for change in found.changes} == {"same"}
    assert len(found.passed) == 12


def test_three_steps_of_a_replacement_are_one_change() -> None:
    found = recorded("provider-replaced")
    replaced = found.of("replace")
    assert len(replaced) == 19
    provider = next(change for change in replaced if change.name == "cluster")
    assert provider.keys == ("clusterIdentifier",)
    assert (provider.old["clusterIdentifier"], provider.new["clusterIdentifier"]) == ("lab", "lab2")


def test_what_is_deleted_before_it_is_made_again_keeps_both_sides() -> None:
    found = preview(
        step("delete-replaced", old=side(x=1), keys=["x"]),
        step("replace", old=side(x=1), new=side(x=2), keys=["x"]),
        step("create-replacement", new=side(x=2), keys=["x"]),
    )
    (change,) = found.changes
    assert (change.op, change.old, change.new) == ("replace", {"x": 1}, {"x": 2})


def test_violations_are_found_though_the_preview_failed() -> None:
    found = recorded("policy-violated")
    assert [(verdict.policy, verdict.mandatory) for verdict in found.violations] == [("residency", True)] * 2
    assert found.violations[0].message.startswith("node osl-3: the machine is in SE")
    assert found.errors == ()
    assert found.complete, "that is all there is to know: the engine came to its end"
    assert "residency" not in found.passed


def test_an_error_of_the_program_means_that_not_everything_was_seen() -> None:
    found = preview(
        {"diagnosticEvent": {"severity": "error", "message": "the stack file has 1 problem"}},
        {"summaryEvent": {"result": "failed"}},
    )
    assert not found.complete
    assert found.errors == ("the stack file has 1 problem",)


def test_a_line_that_is_no_event_is_named_by_its_number() -> None:
    with pytest.raises(EventsError, match="line 2 is no event"):
        read(['{"cancelEvent": {}}', "{"])


@pytest.mark.parametrize(
    "value",
    [
        {"connection": SIGNED},
        {"provider": {"kubeconfig": "apiVersion: v1"}},
        {"env": [{"DB_PASSWORD": "hunter2"}]},
        {"script": "key='-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2'"},
        {"url": "https://me:hunter2@registry.example.no/x"},
    ],
)
def test_a_secret_is_hidden_wherever_it_is(value: dict[str, Any]) -> None:
    text = json.dumps(masked(value))
    assert SECRET in text
    assert "hunter2" not in text
    assert "apiVersion" not in text
    assert "v1:abc" not in text


def test_a_kubernetes_secret_shows_its_keys_and_no_value() -> None:
    data = {"metadata": {"name": "x"}, "stringData": {"user": "me"}, "data": {"a": "aHVudGVy"}}
    found = masked(data, kind="kubernetes:core/v1:Secret")
    assert found == {"metadata": {"name": "x"}, "stringData": {"user": SECRET}, "data": {"a": SECRET}}
    assert masked(data, kind="kubernetes:core/v1:ConfigMap") == data


def test_switches_and_names_of_secrets_are_no_secrets() -> None:
    data = {"automountServiceAccountToken": False, "certificateSecret": "wildcard", "secretName": "tls"}
    assert masked(data) == data


def test_a_hidden_value_that_differs_is_named() -> None:
    (change,) = recorded("node-address").of("update")[:1]
    assert change.secrets == ("connection.host",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"a": {"password": "x"}}, {"a": {"password": "y"}}, ("! a.password: changes, and is hidden",)),
        ({"text": "password: x"}, {"text": "password: y"}, ("! text: changes, and is hidden",)),
        ({"token": ["x"]}, {"token": ["x", "y"]}, ("! token[1]: changes, and is hidden",)),
        ({"tokens": {"a": "x"}}, {"tokens": {"a": "y"}}, ("! tokens.a: changes, and is hidden",)),
        ({"text": "password: x"}, {"text": "none"}, ("! text: changes, and is hidden",)),
        ({"t": "a\npassword: x\n"}, {"t": "a\npassword: y\n"}, ("! t: changes, and is hidden",)),
        (
            {"t": "a\npassword: x"},
            {"t": "b\npassword: y"},
            ("@@ t @@", "@@ -1,2 +1,2 @@", "-a", "+b", f" {SECRET}", "! t: hidden lines change"),
        ),
        ({"t": "a\npassword: x"}, {"t": "b\npassword: x"}, ("@@ t @@", "@@ -1,2 +1,2 @@", "-a", "+b", f" {SECRET}")),
        ({"connection": SIGNED, "n": 1}, {"connection": SIGNED, "n": 2}, ("- n: 1", "+ n: 2")),
    ],
)
def test_a_hidden_value_that_changes_is_named_even_if_the_engine_does_not_name_it(
    old: dict[str, Any], new: dict[str, Any], said: tuple[str, ...]
) -> None:
    (change,) = preview(step("update", old=side(**old), new=side(**new))).changes
    assert diff_lines(change) == said
    assert not noise(change)


def test_a_value_that_no_side_knows_yet_is_no_hidden_change() -> None:
    """The state that a base describes has the word for it already."""
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    (change,) = preview(step("update", old=side(a=UNKNOWN, token=UNKNOWN), new=side(a=unknown, token=unknown))).changes
    assert noise(change) == "no input that differs"


@pytest.mark.parametrize("name", ["DB_PASSWORD", "API_TOKEN", "AWS_SECRET_ACCESS_KEY", "OIDC_CLIENT_SECRET"])
def test_a_container_s_environment_shows_the_name_of_a_secret_and_not_its_value(name: str) -> None:
    env = [{"name": name, "value": "hunter2"}, {"name": "LOG_LEVEL", "value": "debug"}]
    pod = {"spec": {"containers": [{"name": "web", "env": env}]}}
    [web] = masked(pod)["spec"]["containers"]
    assert web["env"] == [{"name": name, "value": SECRET}, env[1]]
    by_reference = {"name": name, "valueFrom": {"secretKeyRef": {"name": "db", "key": "pw"}}}
    assert masked([by_reference]) == [by_reference]


@pytest.mark.parametrize(
    "name", ["clientSecret", "client_secret", "password1", "password_2", "sharedSecret", "appSecret"]
)
def test_a_name_of_a_secret_has_many_spellings(name: str) -> None:
    assert masked({name: "hunter2"}) == {name: SECRET}


@pytest.mark.parametrize(
    "text",
    [
        "redis://:hunter2@cache.example.no/0",
        "postgres://me:hunter2@db.example.no/x",
        f"token ghp_{'a' * 36}",
        f"github_pat_{'a' * 40}",
        f"glpat-{'a' * 20}",
        f"AKIA{'A' * 16}",
        f"pul-{'0' * 40}",
    ],
)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(text: str) -> None:
    assert masked({"args": [f"--upstream={text}"]}) == {"args": [SECRET]}


@pytest.mark.parametrize(
    "text", ["https://example.no:8443/a@b", "ghp_short", "AKIA is a prefix", "redis://cache:6379/0"]
)
def test_what_only_resembles_a_secret_is_shown(text: str) -> None:
    assert masked({"note": text}) == {"note": text}


@pytest.mark.parametrize(
    "value",
    [
        {"text": "users:\n- name: a\n  user:\n    token: hunter2hunter2\n"},
        {"data": "LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0t"},
        {"adminPass": "hunter2"},
        {"pwd": "hunter2"},
        {"args": ["--header=Authorization: Bearer hunter2hunter2"]},
        {"dsn": "host=db user=me password=hunter2"},
        {"data": {"config.yaml": "database:\n  password: hunter2\n"}},
        {"script": "kubeadm join --token abcdef.0123456789abcdef"},
    ],
)
def test_the_secrets_that_were_missed_are_hidden(value: dict[str, Any]) -> None:
    """Finding 24."""
    text = json.dumps(masked(value))
    assert SECRET in text
    assert not any(part in text for part in ("hunter2", "LS0tLS1", "0123456789abcdef"))


def test_a_text_that_looks_like_the_start_of_a_token_takes_no_time_with_its_square() -> None:
    """Finding 27: with the pattern of before this took some hours."""
    assert masked_text("eyJaaaaaaaa-" * 200_000) != SECRET
