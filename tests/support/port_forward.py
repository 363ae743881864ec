"""An API server whose pods are reached by port forwarding: WebSockets with channels, as the kubelet has them."""

import base64
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""Of RFC 6455, 1.3."""


def pod(name: str = "traefik-1", phase: str = "Running") -> dict[str, Any]:
    """A pod of the gateway."""
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "status": {"phase": phase}}


@contextmanager
def forwarding(
    pods: list[dict[str, Any]], targets: Mapping[str, int], objects: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """The API server's URL. `targets`: by pod, the port on loopback that stands for its own; a connection to another
    one is refused. `objects`: by path, other answers than the list of pods;
    EndpointSlices with the name of their Service at the end.
    """

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if "/portforward" not in self.path:
                asked = urlparse(self.path)
                of_service = parse_qs(asked.query).get("labelSelector", [""])[0].rpartition("service-name=")[2]
                path = f"{asked.path}/{of_service}" if asked.path.endswith("/endpointslices") else asked.path
                found = {"items": pods} if path.endswith("/pods") else (objects or {}).get(path)
                self._answer(*((200, found) if found else (404, {"message": "not found"})))
            elif (pod := urlparse(self.path).path.split("/")[-2]) not in targets:
                self._answer(403, {"message": "forbidden"})
            else:
                self._forward(int(parse_qs(urlparse(self.path).query)["ports"][0]), targets[pod])

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def _forward(self, port: int, target: int) -> None:
            assert self.headers["Sec-WebSocket-Protocol"] == "v4.channel.k8s.io"
            key = hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + _GUID).digest()  # noqa: S324  RFC 6455
            self.send_response(101)
            for name, value in (
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Accept", base64.b64encode(key).decode()),
                ("Sec-WebSocket-Protocol", "v4.channel.k8s.io"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.close_connection = True
            for channel in (0, 1):
                self._send(bytes([channel]) + struct.pack("<H", port))
            try:
                pod = socket.create_connection(("127.0.0.1", target))
            except ConnectionRefusedError:  # the kubelet ends the connection
                return
            with pod:
                threading.Thread(target=self._back, args=(pod,), daemon=True).start()
                while (frame := self._receive()) is not None:
                    if frame[:1] == b"\0":
                        pod.sendall(frame[1:])

        def _back(self, pod: socket.socket) -> None:
            try:
                while data := pod.recv(65536):
                    self._send(b"\0" + data)
            except (OSError, ValueError):
                pass  # the other end is closed

        def _send(self, data: bytes) -> None:
            self.wfile.write(b"\x82" + struct.pack(">BQ", 127, len(data)) + data)
            self.wfile.flush()

        def _receive(self) -> bytes | None:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 0x0F == 8:
                return None
            size = head[1] & 0x7F
            if size > 125:
                size = int.from_bytes(self.rfile.read(2 if size == 126 else 8))
            mask = self.rfile.read(4)
            return bytes(one ^ mask[i % 4] for i, one in enumerate(self.rfile.read(size)))

        def log_message(self, *_: Any) -> None:
            """Tests speak for themselves."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def answering(text: str, status: int = 200, asked: list[str] | None = None) -> Iterator[int]:
    """A port that answers every request with this text. `asked`: gets the paths."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Tests speak for themselves."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
