"""Which kubeconfigs are taken."""

import datetime
import json
from typing import Any

import pytest

from components.core.kubeconfig import ended_certificate, kubeconfig_problems, public_kubeconfig
from tests.support.kubeconfigs import SECRET, client_user, kubeconfig


def test_a_kubeconfig_with_a_verified_server_is_taken() -> None:
    assert kubeconfig_problems(kubeconfig()) == []
    both = {"client-certificate-data": "YQ==", "client-key-data": "YQ=="}
    assert kubeconfig_problems(kubeconfig({"insecure-skip-tls-verify": False}, both)) == []


@pytest.mark.parametrize(
    ("cluster", "user", "message"),
    [
        ({"insecure-skip-tls-verify": True}, None, "insecure-skip-tls-verify lets any server answer"),
        ({"server": "http://192.0.2.10:6443"}, None, "server is not an https address"),
        ({"server": "https://u:p@192.0.2.10"}, None, "server is not an https address"),
        ({"server": "https://["}, None, "server is not an https address"),
        ({"server": ""}, None, "server is not an https address"),
        ({"certificate-authority-data": ""}, None, "has no certificate"),
        ({"certificate-authority-data": "!"}, None, "has no certificate"),
        ({"certificate-authority": "/etc/ca.crt"}, None, "certificate-authority names a file"),
        ({"later": 1}, None, "later is a field that is not taken"),
        (None, {"exec": {"command": "sh", "args": [SECRET]}}, "exec runs a program"),
        (None, {"auth-provider": {"name": "gcp"}}, "auth-provider runs a program"),
        (None, {"tokenFile": "/run/token"}, "tokenFile names a file"),
        (None, {"client-key": "/root/key"}, "client-key names a file"),
        (None, {"username": "admin"}, "username is a login"),
    ],
)
def test_what_verifies_no_server_or_runs_something_is_refused(
    cluster: dict[str, Any] | None, user: dict[str, Any] | None, message: str
) -> None:
    """The finding: insecure, http and exec were taken, and the command ran on the operator's machine."""
    [problem] = kubeconfig_problems(kubeconfig(cluster, user))
    assert message in problem.message
    assert problem.remedy
    assert SECRET not in str(problem)


def test_one_context_is_the_stacks_and_other_programs_may_have_several() -> None:
    two = json.loads(kubeconfig())
    two["contexts"] *= 2
    [problem] = kubeconfig_problems(json.dumps(two))
    assert problem.message == "has 2 contexts"
    assert kubeconfig_problems(json.dumps(two), one=False) == []


@pytest.mark.parametrize("text", ["", "~/.kube/config", "[]", "{", "{a: 1}", "{clusters: 7}", "[" * 100_000, "\x00"])
def test_what_is_no_kubeconfig_is_a_problem_and_not_a_crash(text: str) -> None:
    assert kubeconfig_problems(text)
    assert SECRET not in public_kubeconfig(text)
    assert ended_certificate(text, datetime.datetime.now(datetime.UTC)) == ""


def test_the_public_part_has_no_credentials_and_is_judged_alike() -> None:
    for user in ({"token": SECRET}, {"exec": {"command": SECRET}}, {"client-key-data": SECRET}):
        text = kubeconfig({"proxy-url": f"http://u:{SECRET}@proxy"}, user)
        public = public_kubeconfig(text)
        assert SECRET not in public
        assert kubeconfig_problems(public) == kubeconfig_problems(text)


def test_a_client_certificate_that_has_ended_is_named_with_its_last_day() -> None:
    ends = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)
    text, second = kubeconfig(user=client_user(ends)), datetime.timedelta(seconds=1)
    assert ended_certificate(text, ends - second) == ""
    said = "the kubeconfig's client certificate of CN=kubernetes-admin ended on 2026-11-25"
    assert ended_certificate(text, ends) == said
    assert ended_certificate(kubeconfig(), ends) == "", "a token has no end that can be read"
    assert ended_certificate(kubeconfig(user={"client-certificate-data": "!"}), ends) == ""
