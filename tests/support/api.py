"""A Kubernetes API of a few pods, on loopback."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml


def pod(
    namespace: str,
    name: str,
    node: str | None,
    *,
    phase: str = "Running",
    address: str | None = "10.244.1.7",
    host_network: bool = False,
) -> dict[str, Any]:
    """A pod as the API describes it."""
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"nodeName": node, "hostNetwork": host_network},
        "status": {"phase": phase, "podIP": address},
    }


def kubeconfig(url: str) -> str:
    """How to reach an API without credentials."""
    context = {"name": "it", "context": {"cluster": "it", "user": "it"}}
    return yaml.safe_dump(
        {
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": url}}],
            "contexts": [context],
            "users": [{"name": "it", "user": {"token": "t"}}],
        }
    )


@contextmanager
def serving(pods: Sequence[dict[str, Any]], *, namespaces: Sequence[str] = (), status: int = 200) -> Iterator[str]:
    """An API that lists pods by namespace, and namespaces; its URL."""

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = self.path.strip("/").split("/")
            if parts == ["api", "v1", "namespaces"]:
                items = [{"metadata": {"name": name}} for name in namespaces]
            else:
                items = [item for item in pods if item["metadata"]["namespace"] == parts[3]]
            body = json.dumps({"items": items}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Tests speak for themselves."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
