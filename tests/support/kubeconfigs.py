"""Kubeconfigs, good ones and others."""

import base64
import datetime
import json
from typing import Any

from tests.support.certificates import authority, client

CA = base64.b64encode(authority()[0].encode()).decode()
SECRET = "hunter2hunter2"


def kubeconfig(cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, **more: Any) -> str:
    found = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [
            {
                "name": "c",
                "cluster": {"server": "https://192.0.2.10:6443", "certificate-authority-data": CA, **(cluster or {})},
            }
        ],
        "users": [{"name": "c", "user": user or {"token": SECRET}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        **more,
    }
    return json.dumps(found)


def client_user(ends: datetime.datetime) -> dict[str, str]:
    """A user with a client certificate until then."""
    both = client(ends)
    fields = ("client-certificate-data", "client-key-data")
    return {name: base64.b64encode(text.encode()).decode() for name, text in zip(fields, both, strict=True)}
