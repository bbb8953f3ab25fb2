"""A publisher of files on a real socket, with the ways in which publishers and networks fail."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Publisher:
    """Serves one content at every path that starts with ``/files``; ``/hub`` redirects there as the hub does.

    Attributes:
        content: what is published.
        cut_after: bytes after which each connection is closed, one entry per connection; then none is.
        silent_connections: how many connections stall after the headers until they are given up.
        ranges: whether a part of the file can be asked for.
        says_length: whether the size is announced.
        errors: status codes that are answered first, one per request.
        claimed_sha256: checksum that the hub's redirect names, the right one by default.
        requests: (path, Range header) of everything that was asked.
        released: lets silent connections end.
    """

    content: bytes
    cut_after: list[int] = field(default_factory=list)
    silent_connections: int = 0
    ranges: bool = True
    says_length: bool = True
    errors: list[int] = field(default_factory=list)
    claimed_sha256: str | None = None
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    address: str = ""

    def tag(self) -> str:
        """Changes with the content."""
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'


def _handler(publisher: Publisher) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            publisher.requests.append((self.path, self.headers.get("Range")))
            if publisher.errors:
                self.send_error(publisher.errors.pop(0))
            elif self.path.startswith("/files"):
                self._serve()
            else:
                self._redirect()

        def _redirect(self) -> None:
            digest = publisher.claimed_sha256 or hashlib.sha256(publisher.content).hexdigest()
            self.send_response(302)
            self.send_header("Location", f"{publisher.address}/files{self.path}")
            self.send_header("X-Linked-ETag", f'"{digest}"')
            self.send_header("X-Linked-Size", str(len(publisher.content)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _serve(self) -> None:
            content = publisher.content
            asked = self.headers.get("Range")
            start = 0
            if asked and publisher.ranges:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            body = content[start:]
            if publisher.says_length:
                self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", publisher.tag())
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            if publisher.silent_connections:
                publisher.silent_connections -= 1
                publisher.released.wait(60)
                return
            cut = publisher.cut_after.pop(0) if publisher.cut_after else len(body)
            self.wfile.write(body[:cut])

    return Handler


@contextmanager
def publishing(publisher: Publisher) -> Iterator[Publisher]:
    """Serve on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(publisher))
    publisher.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield publisher
    finally:
        publisher.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
