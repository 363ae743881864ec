"""One comment on a forge, written once and edited in place: GitHub, Forgejo and Gitea (the same API), GitLab."""

import json
import os
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from components.core.untrusted import json_value
from vds.shared.errors import OperationError
from vds.shared.https import Https, HttpsError

_PAGE = 100
_LARGEST_ANSWER = 10_000_000
"""Bytes. A page has 100 comments of at most 64 kB."""
_PAGES = 50
"""5,000 comments or requests; a pull request with more is not read by people."""
_ACTIONS_BOT = "github-actions[bot]"
"""Whom a workflow's own token writes as; it may not ask GitHub who it is."""

Forge = Literal["github", "gitlab"]


@dataclass(frozen=True)
class Thread:
    """The pull or merge request to comment on, and how to get there."""

    forge: Forge
    api: str
    project: str
    token: str = field(repr=False)
    number: int = 0
    """0: not known yet."""

    @property
    def requests(self) -> str:
        if self.forge == "gitlab":
            return f"{self.api}/projects/{urllib.parse.quote(self.project, safe='')}/merge_requests"
        return f"{self.api}/repos/{self.project}/pulls"

    @property
    def comments(self) -> str:
        if self.forge == "gitlab":
            return f"{self.requests}/{self.number}/notes"
        return f"{self.api}/repos/{self.project}/issues/{self.number}/comments"

    def comment(self, identity: int) -> str:
        if self.forge == "gitlab":
            return f"{self.comments}/{identity}"
        return f"{self.api}/repos/{self.project}/issues/comments/{identity}"


def thread(head: str, environment: Mapping[str, str] | None = None) -> Thread:
    """The open request whose newest commit is `head`, on the forge that a CI job's environment names.

    Raises OperationError naming all that is missing; and where there is no such request: a newer commit was pushed, and
    its own run comments it.
    """
    env = os.environ if environment is None else environment
    if env.get("CI_API_V4_URL"):
        forge: Forge = "gitlab"
        names = {"api": "CI_API_V4_URL", "project": "CI_PROJECT_ID", "token": "GITLAB_TOKEN"}
    else:
        forge = "github"
        names = {"api": "GITHUB_API_URL", "project": "GITHUB_REPOSITORY", "token": "GITHUB_TOKEN"}
    settings = {key: env.get(name, "") for key, name in names.items()}
    settings["api"] = settings["api"].rstrip("/") or "https://api.github.com"
    missing = [names[key] for key, value in settings.items() if not value]
    if missing:
        raise OperationError(f"set {', '.join(missing)}, or write the comment with `vds preview-comment --output`")
    if not settings["api"].startswith("https://"):  # a token travels with every request
        raise OperationError(f"{settings['api']} is not https: correct {names['api']}")
    found = Thread(forge, settings["api"], settings["project"], settings["token"])
    for request in _pages(found, found.requests, {"state": "opened" if forge == "gitlab" else "open"}):
        if (request.get("sha") or (request.get("head") or {}).get("sha")) == head:
            return replace(found, number=int(request.get("iid") or request["number"]))
    raise OperationError(f"no open request has {head[:12]} as its newest commit: the run of the newest one comments it")


def post(to: Thread, body: str, marker: str, *, worth_writing: bool = True) -> str:
    """Edit our comment that begins with `marker`, or write it, if that is worth it.

    Returns `edited`, `written`, `unchanged`, or `not needed` if there is no comment to update.
    """
    me = _login(to)
    for existing in _pages(to, to.comments):
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


def _pages(to: Thread, url: str, query: Mapping[str, str] | None = None) -> Iterator[Mapping[str, Any]]:
    size = {"per_page": _PAGE, "limit": _PAGE}  # GitHub's and GitLab's word, and Forgejo's
    for page in range(1, _PAGES + 1):
        items = _ask(to, "GET", f"{url}?{urllib.parse.urlencode({**(query or {}), **size, 'page': page})}")
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
