"""What stands in front of a portal: TLS on loopback, every request passed on, in a thread.

Fault model, switched by the test: `without` names headers of answers (in small letters) that it
swallows, `host` is sent in the place of the Host that came, and where nobody listens at `behind` it
answers 502.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TIMEOUT_S = 20.0
_OF_ONE_LINE = frozenset({"transfer-encoding", "content-length", "connection", "date"})


class TlsProxy:
    """See the module. A context manager; `url` is where people come."""

    def __init__(self, context: ssl.SSLContext, port: int) -> None:
        self.behind = port
        self.without: set[str] = set()
        self.host = ""
        proxy = self

        class Pass(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.pass_on(self)

            def do_POST(self) -> None:
                proxy.pass_on(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Pass)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"https://localhost:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> TlsProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(TIMEOUT_S)

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        """Hand one request to the portal, and its answer back."""
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        headers = {name: value for name, value in request.headers.items() if name != "Connection"}
        headers["Host"] = self.host or request.headers["Host"]
        headers["X-Forwarded-For"] = request.client_address[0]
        headers["X-Forwarded-Proto"] = "https"
        behind = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=TIMEOUT_S)
        try:
            behind.request(request.command, request.path, body, headers)
            answer = behind.getresponse()
            data = answer.read()
        except OSError:
            request.send_error(502)
            return
        finally:
            behind.close()
        request.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _OF_ONE_LINE | self.without:
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
