"""One comment on a forge, written once and edited in place: GitHub, Forgejo and Gitea (the same API), GitLab."""

import json
import os
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from components.core.untrusted import json_value
from vds.shared.errors import OperationError
from vds.shared.https import Https, HttpsError

_PAGE = 100
_LARGEST_ANSWER = 10_000_000
"""Bytes. A page has 100 comments of at most 64 kB."""
_PAGES = 50
"""5,000 comments; a pull request with more is not read by people."""
_ACTIONS_BOT = "github-actions[bot]"
"""Whom a workflow's own token writes as; it may not ask GitHub who it is."""

Forge = Literal["github", "gitlab"]


@dataclass(frozen=True)
class Thread:
    """The pull or merge request to comment on, and how to get there."""

    forge: Forge
    api: str
    project: str
    number: int
    token: str = field(repr=False)

    @property
    def comments(self) -> str:
        if self.forge == "gitlab":
            quoted = urllib.parse.quote(self.project, safe="")
            return f"{self.api}/projects/{quoted}/merge_requests/{self.number}/notes"
        return f"{self.api}/repos/{self.project}/issues/{self.number}/comments"

    def comment(self, identity: int) -> str:
        if self.forge == "gitlab":
            return f"{self.comments}/{identity}"
        return f"{self.api}/repos/{self.project}/issues/comments/{identity}"


def thread(environment: Mapping[str, str] | None = None, *, number: int | None = None) -> Thread:
    """The thread that a CI job's environment names. Raises OperationError naming all that is missing."""
    env = os.environ if environment is None else environment
    if env.get("CI_API_V4_URL"):
        forge: Forge = "gitlab"
        names = {"api": "CI_API_V4_URL", "project": "CI_PROJECT_ID", "token": "GITLAB_TOKEN"}
        given = env.get("CI_MERGE_REQUEST_IID", "")
    else:
        forge = "github"
        names = {"api": "GITHUB_API_URL", "project": "GITHUB_REPOSITORY", "token": "GITHUB_TOKEN"}
        found = re.fullmatch(r"refs/pull/(\d+)/.*", env.get("GITHUB_REF", ""))
        given = found[1] if found else ""
    settings = {key: env.get(name, "") for key, name in names.items()}
    settings["api"] = settings["api"].rstrip("/") or "https://api.github.com"
    missing = [names[key] for key, value in settings.items() if not value]
    if number is None and not given.isdecimal():
        missing.append("the request's number (--pull-request)")
    if missing:
        raise OperationError(f"--post needs {', '.join(missing)}: set it, or write the comment with --output")
    if not settings["api"].startswith("https://"):  # a token travels with every request
        raise OperationError(f"--post: {settings['api']} is not https: correct {names['api']}")
    return Thread(
        forge, settings["api"], settings["project"], int(given) if number is None else number, settings["token"]
    )


def post(to: Thread, body: str, marker: str, *, worth_writing: bool = True) -> str:
    """Edit our comment that begins with `marker`, or write it, if that is worth it.

    Returns `edited`, `written`, `unchanged`, or `not needed` if there is no comment to update.
    """
    me = _login(to)
    for existing in _existing(to):
        author = (existing.get("user") or existing.get("author") or {}).get("login") or (
            existing.get("author") or {}
        ).get("username")
        # Anybody may write a marker; only what we wrote ourselves is ours to trust and to edit.
        if author == me and str(existing.get("body", "")).startswith(marker):
            if existing["body"].strip() == body.strip():
                return "unchanged"
            method = "PUT" if to.forge == "gitlab" else "PATCH"
            _ask(to, method, to.comment(int(existing["id"])), {"body": body})
            return "edited"
    if not worth_writing:
        return "not needed"
    _ask(to, "POST", to.comments, {"body": body})
    return "written"


def _login(to: Thread) -> str:
    try:
        user = _ask(to, "GET", f"{to.api}/user")
    except OperationError:
        if to.forge == "github":
            return _ACTIONS_BOT
        raise
    return str(user.get("login") or user.get("username"))


def _existing(to: Thread) -> Iterator[Mapping[str, Any]]:
    size = {"per_page": _PAGE, "limit": _PAGE}  # GitHub's and GitLab's word, and Forgejo's
    for page in range(1, _PAGES + 1):
        items = _ask(to, "GET", f"{to.comments}?{urllib.parse.urlencode({**size, 'page': page})}")
        yield from items
        if len(items) < _PAGE:
            return


def _ask(to: Thread, method: str, url: str, body: Mapping[str, str] | None = None) -> Any:
    headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "vds-platform"}
    token = {"PRIVATE-TOKEN": to.token} if to.forge == "gitlab" else {"Authorization": f"Bearer {to.token}"}
    data = json.dumps(body).encode() if body is not None else None
    asked = f"{method} {url.partition('?')[0]}"
    try:
        answer = Https(_LARGEST_ANSWER).request(method, url, headers=headers, credentials=token, body=data)
        if answer.status < 300:
            return json_value(answer.body)
    except HttpsError as error:
        raise OperationError(f"{asked} failed: {error}") from None
    except ValueError:
        raise OperationError(f"{asked} gave no JSON") from None
    may = ": the token may not comment here; a fork's never may" if answer.status in (401, 403, 404) else ""
    raise OperationError(f"{asked} gave {answer.status}{may}")
