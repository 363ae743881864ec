"""Calls to an API server by a kubeconfig that is a text and not a file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Protocol

import yaml

from vds.shared.errors import OperationError

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 10
MERGE_PATCH = "application/merge-patch+json"

Query = Sequence[tuple[str, str]]


class UnreachableError(Exception):
    """The API server did not answer; the text says how."""


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, status: int, message: str, causes: Sequence[str] = ()) -> None:
        """`causes` are the details, as of a disruption budget that an eviction ran into."""
        super().__init__(message)
        self.status = status
        self.causes = tuple(causes)


class Api(Protocol):
    """What a command needs of an API server."""

    def request(self, method: str, path: str, body: Any = None, *, query: Query = ()) -> dict[str, Any]:
        """One call; the answer. Raises ApiError on a status of 400 or more, UnreachableError without an answer."""


class Cluster:
    """A connection by the text of a kubeconfig."""

    def __init__(self, kubeconfig: str) -> None:
        """Raises OperationError where the text is no kubeconfig. It is not repeated: it holds credentials."""
        from kubernetes import client, config
        from kubernetes.config.config_exception import ConfigException

        try:
            settings = client.Configuration()
            config.load_kube_config_from_dict(  # type: ignore[no-untyped-call]
                yaml.safe_load(kubeconfig), client_configuration=settings, persist_config=False
            )
        except (yaml.YAMLError, ConfigException, AttributeError, KeyError, TypeError, ValueError):
            raise OperationError(
                "the kubeconfig of the stack is none: set it anew, pulumi config set --secret vds-platform:kubeconfig"
            ) from None
        settings.retries = False  # a command has its own deadline, and says what it waits for
        self._api = client.ApiClient(settings)
        self.host = str(settings.host)

    def request(self, method: str, path: str, body: Any = None, *, query: Query = ()) -> dict[str, Any]:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        content = MERGE_PATCH if method == "PATCH" else "application/json"
        prepared = self._api.param_serialize(
            method,
            path,
            query_params=list(query),
            header_params={"Accept": "application/json", "Content-Type": content},
            body=body,
            auth_settings=["BearerToken"],  # left out, a kubeconfig's token is not sent
        )
        try:
            answer = self._api.call_api(*prepared, _request_timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS))
            status, text = int(answer.status), answer.read().decode(errors="replace")  # type: ignore[no-untyped-call]
        except ApiException as error:
            raise UnreachableError(f"{self.host}: {error.reason or error}") from None
        except (HTTPError, OSError) as error:
            raise UnreachableError(f"{self.host}: {_why(error)}") from None
        if status >= 400:
            raise _refusal(status, text)
        return dict(json.loads(text))


def found(api: Api, path: str) -> dict[str, Any] | None:
    """The object at that path; None where there is none."""
    try:
        return api.request("GET", path)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def listed(api: Api, path: str, *, query: Query = ()) -> list[dict[str, Any]]:
    """The items of a list."""
    return list(api.request("GET", path, query=query).get("items") or ())


def _refusal(status: int, text: str) -> ApiError:
    try:
        said = json.loads(text)
        causes = [cause["message"] for cause in (said.get("details") or {}).get("causes") or () if "message" in cause]
        return ApiError(status, str(said["message"]), causes)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError(status, f"status {status}")


def _why(error: Exception) -> str:
    from urllib3.exceptions import NewConnectionError, TimeoutError

    if isinstance(error, TimeoutError) and not isinstance(error, NewConnectionError):  # a refusal is one by descent
        return "no answer in time"
    return re.sub(r"^.*: |\[Errno \d+\] ", "", str(error)) or type(error).__name__
