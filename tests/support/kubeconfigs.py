"""Kubeconfigs, good ones and others."""

import base64
import json
from typing import Any

from tests.support.certificates import authority

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
