"""A receiver of webhooks on this machine, and what it got."""

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 20  # seconds


class Endpoint:
    """A receiver that answers with the statuses it is given, then 204."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: queue.SimpleQueue[tuple[str, dict[str, str], bytes]] = queue.SimpleQueue()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["content-length"]))
                endpoint.got.put((self.path, {name.lower(): value for name, value in self.headers.items()}, sent))
                self.send_response(endpoint.statuses.pop(0) if endpoint.statuses else 204)
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?for=us"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def next(self) -> dict[str, Any]:
        return json.loads(self.got.get(timeout=PATIENCE)[2])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
