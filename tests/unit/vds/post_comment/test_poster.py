"""One comment, found again by who wrote it and how it begins."""

import json
from typing import Any

import pytest

from vds.post_comment.poster import post, thread
from vds.shared.errors import OperationError
from vds.shared.https import Answer, Https

GITHUB = {"GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": "t0ken"}
GITLAB = {
    "CI_API_V4_URL": "https://git.example.no/api/v4",
    "CI_PROJECT_ID": "12",
    "GITLAB_TOKEN": "t0ken",
}
MARK = "<!-- mark -->"
HEAD = "c0ffee" * 6 + "abcd"
REQUESTS = [{"number": 5, "head": {"sha": "0" * 40}}, {"number": 7, "head": {"sha": HEAD}}]
MERGE_REQUESTS = [{"iid": 3, "sha": HEAD}]


class Answers:
    """A forge: what it has, and what it was asked."""

    def __init__(self, comments: list[dict[str, Any]], *, login: str | None = "me") -> None:
        self.comments, self.login = comments, login
        self.changes: list[tuple[str, str, Any]] = []

    def __call__(self, _: Https, method: str, url: str, *, credentials: Any, body: bytes | None, **__: Any) -> Answer:
        assert "t0ken" in str(credentials)
        if body is not None:
            self.changes.append((method, url, json.loads(body)["body"]))
            return Answer(200, {}, b"{}")
        if url.endswith("/user"):
            known = json.dumps({"login": self.login, "username": self.login}).encode()
            return Answer(403 if self.login is None else 200, {}, known)
        path = url.partition("?")[0]
        if path.endswith(("/pulls", "/merge_requests")):
            found = MERGE_REQUESTS if path.endswith("s/12/merge_requests") else REQUESTS
            return Answer(200, {}, json.dumps(found).encode())
        page = int(url.rpartition("page=")[2])
        return Answer(200, {}, json.dumps(self.comments[(page - 1) * 100 : page * 100]).encode())


def answering(monkeypatch: pytest.MonkeyPatch, comments: list[dict[str, Any]], *, login: str | None = "me") -> Answers:
    answers = Answers(comments, login=login)
    monkeypatch.setattr(Https, "request", lambda self, *words, **more: answers(self, *words, **more))
    return answers


def written(identity: int, body: str, by: str = "me") -> dict[str, Any]:
    return {"id": identity, "body": body, "user": {"login": by}}


def test_the_first_comment_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    forge = answering(monkeypatch, [written(1, "hello")])
    assert post(thread(HEAD, GITHUB), f"{MARK}\nnew", MARK) == "written"
    assert forge.changes == [("POST", "https://api.github.com/repos/o/r/issues/7/comments", f"{MARK}\nnew")]


def test_that_nothing_is_touched_is_said_only_where_something_else_was(monkeypatch: pytest.MonkeyPatch) -> None:
    forge = answering(monkeypatch, [])
    assert post(thread(HEAD, GITHUB), f"{MARK}\nnothing", MARK, worth_writing=False) == "not needed"
    assert forge.changes == []
    forge.comments.append(written(1, f"{MARK}\nsomething"))
    assert post(thread(HEAD, GITHUB), f"{MARK}\nnothing", MARK, worth_writing=False) == "edited"


def test_ours_is_edited_even_on_the_second_page(monkeypatch: pytest.MonkeyPatch) -> None:
    forge = answering(monkeypatch, [*(written(n, "talk") for n in range(150)), written(200, f"{MARK}\nold")])
    assert post(thread(HEAD, GITHUB), f"{MARK}\nnew", MARK) == "edited"
    assert forge.changes == [("PATCH", "https://api.github.com/repos/o/r/issues/comments/200", f"{MARK}\nnew")]


def test_what_says_the_same_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    forge = answering(monkeypatch, [written(1, f"{MARK}\nsame")])
    assert post(thread(HEAD, GITHUB), f"{MARK}\nsame\n", MARK) == "unchanged"
    assert forge.changes == []


def test_a_strangers_comment_with_our_first_line_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    forge = answering(monkeypatch, [written(1, f"{MARK}\nall is well", by="stranger")])
    assert post(thread(HEAD, GITHUB), f"{MARK}\nnew", MARK) == "written"
    assert forge.changes[0][0] == "POST"


def test_a_workflows_token_knows_itself_as_the_bot(monkeypatch: pytest.MonkeyPatch) -> None:
    comments = [written(1, f"{MARK}\nold", by="github-actions[bot]")]
    answering(monkeypatch, comments, login=None)
    assert post(thread(HEAD, GITHUB), f"{MARK}\nnew", MARK) == "edited"


def test_gitlab_has_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    forge = answering(monkeypatch, [{"id": 5, "body": f"{MARK}\nold", "author": {"username": "me"}}])
    assert post(thread(HEAD, GITLAB), f"{MARK}\nnew", MARK) == "edited"
    url = "https://git.example.no/api/v4/projects/12/merge_requests/3/notes/5"
    assert forge.changes == [("PUT", url, f"{MARK}\nnew")]


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(OperationError, match=r"set GITHUB_REPOSITORY, GITHUB_TOKEN"):
        thread(HEAD, {})


def test_a_commit_that_is_no_request_s_newest_gets_no_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    forge = answering(monkeypatch, [])
    with pytest.raises(OperationError, match="no open request has 111111111111 as its newest commit"):
        thread("1" * 40, GITHUB)
    assert forge.changes == []


def test_a_token_goes_over_no_open_wire_and_into_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, [])
    with pytest.raises(OperationError, match="is not https") as error:
        thread(HEAD, {**GITHUB, "GITHUB_API_URL": "http://forge.example.no/api/v1"})
    assert "t0ken" not in str(error.value)
    assert "t0ken" not in repr(thread(HEAD, GITHUB))


def test_a_fork_that_may_not_comment_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Https, "request", lambda *_, **__: Answer(403, {}, b""))
    with pytest.raises(OperationError, match="gave 403: the token may not comment here"):
        post(thread(HEAD, GITHUB), "x", MARK)
