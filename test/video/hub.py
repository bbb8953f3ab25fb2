"""A hub on a real socket: lists of files in pages, commits, redirects to a storage, and ways to fail."""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PAGE = 5


@dataclass
class Hub:
    """Folders as repositories.

    Attributes:
        repositories: folder of each by its name.
        cut: path to bytes after which its next connection is closed.
        status: answered to everything, unless 0.
        requests: paths asked for, with the Range header.
    """

    repositories: dict[str, Path]
    cut: dict[str, int] = field(default_factory=dict)
    status: int = 0
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            hub.requests.append((self.path, self.headers.get("Range")))
            if hub.status:
                self.send_error(hub.status)
                return
            address = urllib.parse.urlsplit(self.path)
            parts = urllib.parse.unquote(address.path).strip("/").split("/")
            if parts[0] == "storage":
                self._file("/".join(parts[1:3]), "/".join(parts[3:]))
            elif parts[:2] == ["api", "models"]:
                self._api("/".join(parts[2:4]), parts[4:], urllib.parse.parse_qs(address.query))
            else:
                self._redirect("/".join(parts[:2]), "/".join(parts[4:]))

        def _api(self, repository: str, rest: list[str], query: dict[str, list[str]]) -> None:
            folder = hub.repositories.get(repository)
            if folder is None:
                self.send_error(404)
            elif rest[0] == "revision":
                self._json({"id": repository, "sha": COMMIT})
            else:
                files = sorted(path for path in folder.rglob("*") if path.is_file())
                entries = [
                    {"type": "file", "path": str(path.relative_to(folder)), "size": path.stat().st_size}
                    for path in files
                ]
                start = int(query.get("cursor", ["0"])[0])
                more = {}
                if start + PAGE < len(entries):
                    base = f"{hub.address}/api/models/{repository}/tree/{COMMIT}"
                    more["Link"] = f'<{base}?recursive=true&cursor={start + PAGE}>; rel="next"'
                self._json(entries[start : start + PAGE], more)

        def _json(self, value: object, more: dict[str, str] | None = None) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            for name, text in (more or {}).items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _redirect(self, repository: str, path: str) -> None:
            content = (hub.repositories[repository] / path).read_bytes()
            self.send_response(302)
            self.send_header("Location", f"{hub.address}/storage/{repository}/{path}")
            self.send_header("X-Linked-ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _file(self, repository: str, path: str) -> None:
            content = (hub.repositories[repository] / path).read_bytes()
            asked = self.headers.get("Range")
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start : start + hub.cut.pop(path, len(content))])

    return Handler


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
