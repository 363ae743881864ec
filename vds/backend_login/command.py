"""`vds backend-login`: runs a command that may use the state backend, with the identity of the CI job."""

import json
import os
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Annotated, NamedTuple, NoReturn

import typer

from components.core.untrusted import json_value
from vds.shared.errors import OperationError
from vds.shared.https import Https, HttpsError

_LONGEST_ANSWER = 65_536
"""Bytes; a token has about 2,000."""
_ASK_AT, _ASK_WITH = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
_GIVEN = "VDS_ID_TOKEN"
_AUDIENCE = "VDS_OIDC_AUDIENCE"

Environment = Mapping[str, str]


class Login(NamedTuple):
    """How a kind of backend takes an identity token."""

    needs: tuple[str, ...]
    """Variables that name the role; they are no secrets."""
    audience: Callable[[Environment], str]
    variables: Callable[[Environment, Callable[[str], str]], dict[str, str]]
    """What the backend's client reads. It is given the environment with the token's path, and what makes a file."""
    instead: str = ""
    """A variable that is there when the login is another one: keys of an S3 host without STS."""


def _google(environment: Environment, keep: Callable[[str], str]) -> dict[str, str]:
    account = environment["GOOGLE_SERVICE_ACCOUNT"]
    credentials = {
        "type": "external_account",
        "audience": f"//iam.googleapis.com/{environment['GOOGLE_WORKLOAD_PROVIDER']}",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": (
            f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
        ),
        "credential_source": {"file": environment["TOKEN_FILE"]},
    }
    return {"GOOGLE_APPLICATION_CREDENTIALS": keep(json.dumps(credentials))}


_LOGINS: Mapping[str, Login] = {
    "s3": Login(
        ("AWS_ROLE_ARN",),
        lambda _: "sts.amazonaws.com",
        lambda env, _: {"AWS_WEB_IDENTITY_TOKEN_FILE": env["TOKEN_FILE"], "AWS_ROLE_SESSION_NAME": "vds-platform"},
        "AWS_ACCESS_KEY_ID",
    ),
    "gs": Login(
        ("GOOGLE_WORKLOAD_PROVIDER", "GOOGLE_SERVICE_ACCOUNT"),
        lambda env: f"https://iam.googleapis.com/{env['GOOGLE_WORKLOAD_PROVIDER']}",
        _google,
    ),
    "azblob": Login(
        ("AZURE_CLIENT_ID", "AZURE_TENANT_ID"),
        lambda _: "api://AzureADTokenExchange",
        lambda env, _: {"AZURE_FEDERATED_TOKEN_FILE": env["TOKEN_FILE"]},
    ),
}
"""By the scheme of PULUMI_BACKEND_URL. Clients: aws-sdk-go-v2 `credentials/stscreds`, google.golang.org/api external
accounts, azidentity WorkloadIdentityCredential."""


def backend_login(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after `--`.", metavar="COMMAND")],
) -> None:
    """The token comes from the forge, is in no file, and only the command gets it. It never gets the forge's own.

    PULUMI_BACKEND_URL decides the kind: s3://, gs:// or azblob://. Another kind needs no login here. GitHub and
    Forgejo: the job needs the permission `id-token: write`. GitLab: an `id_tokens` variable named VDS_ID_TOKEN.
    """
    _become(command, logged_in(os.environ))


def logged_in(environment: Environment) -> dict[str, str]:
    """The environment with the login, and without what asks the forge for tokens. Raises OperationError."""
    backend = environment.get("PULUMI_BACKEND_URL", "")
    kind = urllib.parse.urlsplit(backend).scheme
    environment = {name: value for name, value in environment.items() if value}  # what a forge does not have is empty
    own = {name: value for name, value in environment.items() if name not in (_ASK_AT, _ASK_WITH, _GIVEN)}
    login = _LOGINS.get(kind)
    if login is None or environment.get(login.instead):
        if not backend:
            raise OperationError("PULUMI_BACKEND_URL is not set: set it as a variable of the CI")
        return own
    if missing := [name for name in login.needs if not environment.get(name)]:
        keys = f", or {login.instead} and its secret as secrets of the environment" if login.instead else ""
        raise OperationError(f"{kind}:// backend: set {', '.join(missing)} as variables of the CI's environment{keys}")
    token = _token(environment, environment.get(_AUDIENCE) or login.audience(environment))
    return own | login.variables({**environment, "TOKEN_FILE": _kept(token)}, _kept)


def _token(environment: Environment, audience: str) -> str:
    if given := environment.get(_GIVEN):
        return given
    url, bearer = environment.get(_ASK_AT, ""), environment.get(_ASK_WITH, "")
    if not url or not bearer:
        raise OperationError(
            "the CI job has no identity: give it `permissions: id-token: write` (GitHub, Forgejo), or an "
            f"`id_tokens` variable {_GIVEN} (GitLab)"
        )
    at = f"{url}&{urllib.parse.urlencode({'audience': audience})}"
    try:
        answer = Https(_LONGEST_ANSWER).request("GET", at, credentials={"Authorization": f"Bearer {bearer}"})
        if answer.status == 200:
            return str(json_value(answer.body)["value"])
    except HttpsError as error:
        raise OperationError(f"the forge gave no identity token: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise OperationError("the forge's answer has no identity token: see the job's permissions") from None
    raise OperationError(f"the forge gave no identity token (status {answer.status}): see the job's permissions")


def _kept(text: str) -> str:
    """A path that this process and what it becomes can read; nothing is on a disk."""
    number = os.memfd_create("vds-platform", 0)  # 0: it stays open in the command
    os.write(number, text.encode())
    return f"/proc/self/fd/{number}"


def _become(command: list[str], environment: Environment) -> NoReturn:
    try:
        os.execvpe(command[0], command, dict(environment))  # noqa: S606
    except OSError as error:
        raise OperationError(f"{command[0]} can't be run ({error.strerror}): correct the command") from None
