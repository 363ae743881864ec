"""A backend that answers with what it saw: its own name and the request's headers, as JSON."""

from __future__ import annotations

import json
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer


class Echo(BaseHTTPRequestHandler):
    """Answers every GET with 200."""

    protocol_version = "HTTP/1.1"  # connections stay open, as behind any real proxy
    wbufsize = -1  # one segment an answer: header and body apart would wait 40 ms for the peer's delayed ACK

    def do_GET(self) -> None:
        """Say who answers, who asked and with which headers."""
        body = json.dumps(
            {
                "pod": socket.gethostname(),
                "track": os.environ.get("TRACK", ""),
                "path": self.path,
                "client": self.client_address[0],
                "headers": dict(self.headers.items()),
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: a line a request would only fill the disk."""


class Server(ThreadingHTTPServer):
    """One thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        """Bind without the base class's reverse look-up of our own name: in a tenant without DNS it takes 10 s."""
        TCPServer.server_bind(self)


if __name__ == "__main__":
    Server(("", int(os.environ.get("PORT", "8080"))), Echo).serve_forever()
