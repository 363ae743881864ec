"""Where a pod runs, asked of the Kubernetes API."""

from __future__ import annotations

import json
from typing import Any

import yaml
from kubernetes import config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from vds.shared.errors import OperationError
from vds.shared.placement import Place, nearest, place, split

_SECONDS = 10
"""For one answer of the API server."""


def find(kubeconfig: str, wanted: str) -> Place:
    """The pod's place. Raises OperationError: not there (with the nearest names), not running, no answer."""
    namespace, name = split(wanted)
    try:
        api = config.new_client_from_config_dict(yaml.safe_load(kubeconfig))  # type: ignore[no-untyped-call]
    except (ConfigException, yaml.YAMLError, AttributeError, TypeError, ValueError):
        # Its own text may repeat what is in it, and that is a secret.
        raise OperationError("vds-platform:kubeconfig is not a usable kubeconfig: set it anew") from None
    listed = _items(api, f"/api/v1/namespaces/{namespace}/pods")
    for pod in listed:
        if pod["metadata"]["name"] == name:
            return place(pod)
    names = [pod["metadata"]["name"] for pod in listed]
    if names:
        raise OperationError(f"pod {wanted} is not there: {nearest(name, names)}")
    namespaces = [item["metadata"]["name"] for item in _items(api, "/api/v1/namespaces")]
    if namespace in namespaces:
        raise OperationError(f"pod {wanted} is not there: namespace {namespace} has no pods")
    raise OperationError(f"pod {wanted}: there is no namespace {namespace}: {nearest(namespace, namespaces)}")


def _items(api: Any, path: str) -> list[dict[str, Any]]:
    try:
        answer = api.call_api(
            *api.param_serialize("GET", path, header_params={"Accept": "application/json"}), _request_timeout=_SECONDS
        )
        text = answer.read().decode()
        if answer.status >= 400:
            raise ApiException(status=answer.status, reason=text)
    except ApiException as error:
        what = {401: "does not know who we are", 403: "does not let us read this"}.get(error.status, "refuses")
        raise OperationError(
            f"the Kubernetes API {what} ({error.status}, {path}): check what vds-platform:kubeconfig may do"
        ) from None
    except (HTTPError, OSError) as error:
        raise OperationError(
            f"the Kubernetes API at {api.configuration.host} does not answer ({type(error).__name__}): "
            "is it up, and is its address reachable from here?"
        ) from None
    return list(json.loads(text)["items"])
