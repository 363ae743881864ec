"""What an API server answers when it doesn't do what it was asked, put so that a person can act on it."""

import json
from typing import Any

from lab.plugins.resource_server import ResourceError


class UnreachableError(ResourceError):
    """No answer from the API server at all."""


class UnknownKindError(ResourceError):
    """The cluster has no such kind, perhaps not yet."""


class ApiError(ResourceError):
    """The API server's refusal: HTTP status, reason and the fields that it is about."""

    def __init__(self, status: int, reason: str, message: str, causes: list[dict[str, Any]]) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.causes = causes

    @property
    def not_found(self) -> bool:
        return self.status == 404

    def about(self, item: str, manager: str) -> "ApiError":
        """The same error, naming the object and what to do."""
        if self.reason == "Conflict" and (owners := self._owners()):
            message = (
                f"{item}: other field managers own fields that this program sets: {'; '.join(owners)}. "
                "Leave those fields out of the program, or take them over with the annotation "
                f'pulumi.com/patchForce: "true" on the object (this field manager: {manager})'
            )
        else:
            message = f"{item}: {self}"
        return ApiError(self.status, self.reason, message, self.causes)

    def _owners(self) -> list[str]:
        fields: dict[str, list[str]] = {}
        for cause in self.causes:
            if cause.get("reason") == "FieldManagerConflict":
                owner = str(cause.get("message", "")).removeprefix("conflict with ")
                fields.setdefault(owner, []).append(str(cause.get("field", "")).lstrip("."))
        return [f"{owner} owns {', '.join(names)}" for owner, names in fields.items()]


def api_error(status: int, body: bytes) -> ApiError:
    """The error in a response; the body is a v1 Status, or plain text from something in between."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = {}
    if not isinstance(answer, dict) or "message" not in answer:
        return ApiError(status, "", f"HTTP {status}: {body[:300].decode(errors='replace').strip()}", [])
    causes = (answer.get("details") or {}).get("causes") or []
    return ApiError(status, answer.get("reason", ""), answer["message"], causes)
