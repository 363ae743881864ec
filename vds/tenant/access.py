"""Kubeconfigs of tenants: a login at the identity provider for people, a token that ends for CI."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from components.core.untrusted import yaml_value
from components.kubernetes_api import Api
from components.tenancy.registration.model import CI_ACCOUNT
from vds.shared.errors import OperationError


class Oidc(NamedTuple):
    """Where people log in."""

    issuer: str
    client: str


def ci_token(api: Api, namespace: str, seconds: int) -> str:
    """A token of the namespace's ServiceAccount `ci`, which ends by itself (TokenRequest)."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds},
    }
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{CI_ACCOUNT}/token"
    token = (api.request("POST", path, body).get("status") or {}).get("token")
    if not isinstance(token, str):
        raise OperationError(f"the API server gave no token for {namespace}/{CI_ACCOUNT}: ask its administrator")
    return token


def for_ci(platform: str, environment: str, namespace: str, token: str) -> str:
    """A kubeconfig with this token."""
    return _kubeconfig(platform, environment, CI_ACCOUNT, {"token": token}, [namespace])


def for_people(platform: str, environment: str, tenant: str, namespaces: list[str], oidc: Oidc) -> str:
    """A kubeconfig without a secret: kubectl runs kubelogin, which opens the identity provider in a browser."""
    login = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "kubectl",
        "args": [
            "oidc-login",
            "get-token",
            f"--oidc-issuer-url={oidc.issuer}",
            f"--oidc-client-id={oidc.client}",
        ],
        "installHint": "install kubelogin (kubectl oidc-login): https://github.com/int128/kubelogin",
        "interactiveMode": "IfAvailable",
    }
    return _kubeconfig(platform, environment, tenant, {"exec": login}, namespaces)


def _kubeconfig(platform: str, environment: str, user: str, login: Mapping[str, Any], namespaces: list[str]) -> str:
    """With the API server of the platform's kubeconfig, and nothing else of it."""
    made = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": environment, "cluster": _cluster(platform)}],
        "users": [{"name": user, "user": dict(login)}],
        "contexts": [
            {"name": name, "context": {"cluster": environment, "user": user, "namespace": name}} for name in namespaces
        ],
        "current-context": namespaces[0],
    }
    return yaml.safe_dump(made, sort_keys=False)


def _cluster(platform: str) -> dict[str, str]:
    try:
        read = yaml_value(platform)
        current = next(one for one in read["contexts"] if one["name"] == read["current-context"])
        named = current["context"]["cluster"]
        cluster = next(one["cluster"] for one in read["clusters"] if one["name"] == named)
        taken = ("server", "certificate-authority-data", "tls-server-name")
        return {"server": cluster["server"], **{key: cluster[key] for key in taken if key in cluster}}
    except (ValueError, KeyError, TypeError, StopIteration):
        raise OperationError("KUBECONFIG has no current context with a server: name another file") from None
