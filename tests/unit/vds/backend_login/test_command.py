"""A command gets the job's identity for the state backend, and nothing else does."""

import json
import subprocess
import sys
from typing import Any

import pytest

from vds.backend_login.command import logged_in
from vds.shared.errors import OperationError
from vds.shared.https import Answer, Https

FORGE = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://forge.example.no/token?v=1",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "b3arer",
}
S3 = {"PULUMI_BACKEND_URL": "s3://state?endpoint=s3.example.no", "AWS_ROLE_ARN": "arn:aws:iam::1:role/oslo"}
GS = {
    "PULUMI_BACKEND_URL": "gs://state",
    "GOOGLE_WORKLOAD_PROVIDER": "projects/1/locations/global/workloadIdentityPools/p/providers/x",
    "GOOGLE_SERVICE_ACCOUNT": "oslo@p.iam.gserviceaccount.com",
}
AZURE = {"PULUMI_BACKEND_URL": "azblob://state", "AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    urls: list[str] = []

    def answer(_: Https, method: str, url: str, *, credentials: Any, **__: Any) -> Answer:
        assert (method, credentials) == ("GET", {"Authorization": "Bearer b3arer"})
        urls.append(url)
        return Answer(200, {}, b'{"value": "j.w.t"}')

    monkeypatch.setattr(Https, "request", answer)
    return urls


def content(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a path of /proc
        return file.read()


@pytest.mark.parametrize(
    ("backend", "audience", "file"),
    [
        (S3, "sts.amazonaws.com", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        (AZURE, "api%3A%2F%2FAzureADTokenExchange", "AZURE_FEDERATED_TOKEN_FILE"),
        (GS, "https%3A%2F%2Fiam.googleapis.com%2Fprojects%2F1", "GOOGLE_APPLICATION_CREDENTIALS"),
    ],
    ids=["s3", "azblob", "gs"],
)
def test_each_documented_backend_has_a_login(
    asked: list[str], backend: dict[str, str], audience: str, file: str
) -> None:
    """Finding 19: no workflow could open the documented bucket."""
    found = logged_in({**FORGE, **backend, "AWS_REGION": ""})
    [url] = asked
    assert url.startswith(f"https://forge.example.no/token?v=1&audience={audience}")
    text = content(found[file])
    if backend is GS:
        credentials = json.loads(text)
        assert credentials["audience"].endswith("/providers/x")
        text = content(credentials["credential_source"]["file"])
    assert text == "j.w.t"
    assert found[file].startswith("/proc/self/fd/"), "on no disk"
    assert not [name for name, value in found.items() if "b3arer" in value]
    assert "AWS_REGION" not in found, "what a forge does not have is empty, and means nothing"


def test_gitlab_gives_the_token_itself(asked: list[str]) -> None:
    found = logged_in({**S3, "VDS_ID_TOKEN": "g.i.t"})
    assert content(found["AWS_WEB_IDENTITY_TOKEN_FILE"]) == "g.i.t"
    assert "VDS_ID_TOKEN" not in found
    assert asked == []


def test_keys_of_a_host_without_roles_are_used_as_they_are(asked: list[str]) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    found = logged_in({**FORGE, **keys, "PULUMI_BACKEND_URL": "s3://x"})
    assert found == {**keys, "PULUMI_BACKEND_URL": "s3://x"}
    assert asked == []


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "PULUMI_BACKEND_URL is not set"),
        (
            {"PULUMI_BACKEND_URL": "s3://x"},
            "set AWS_ROLE_ARN as variables of the CI's environment, or AWS_ACCESS_KEY_ID",
        ),
        ({"PULUMI_BACKEND_URL": "gs://x"}, "set GOOGLE_WORKLOAD_PROVIDER, GOOGLE_SERVICE_ACCOUNT as"),
        (S3, "the CI job has no identity: give it `permissions: id-token: write`"),
        ({**S3, **FORGE, "ACTIONS_ID_TOKEN_REQUEST_URL": "http://x/y?z"}, "no identity token"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_run(environment: dict[str, str], message: str) -> None:
    with pytest.raises(OperationError, match=message):
        logged_in(environment)


def test_the_command_reads_the_token_and_the_exit_code_is_its_own() -> None:
    words = ["sh", "-c", 'cat "$AWS_WEB_IDENTITY_TOKEN_FILE" "$AWS_WEB_IDENTITY_TOKEN_FILE"; exit 7']
    done = subprocess.run(
        [sys.executable, "-m", "vds", "backend-login", "--", *words],
        env={**S3, "VDS_ID_TOKEN": "g.i.t", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (7, "g.i.tg.i.t"), done.stderr
