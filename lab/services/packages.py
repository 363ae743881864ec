"""Serve a folder over HTTPS: `python -m lab.services.packages ADDRESS PORT CERTIFICATE KEY FOLDER`."""

import functools
import http.server
import ssl
import sys


def main() -> None:
    """Serve until the process is ended."""
    address, port, certificate, key, folder = sys.argv[1:]
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = http.server.ThreadingHTTPServer((address, int(port)), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main()
