"""Fetching one published file: resumed where it was cut off, checked, and in place only when it is whole.

Python's own HTTP client is enough for this; a hub's client would bring a cache layout and further requirements, and would
not serve the other publishers.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interpose_ros import __version__
from interpose_ros.models.registry import WeightsFile

READ_TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as lost."""

MAX_FRUITLESS_ATTEMPTS = 4
_CHUNK = 2**20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class DownloadError(OSError):
    """A file could not be fetched; the message says what was found and what would have been right."""


@dataclass(frozen=True)
class FetchedFile:
    """A file that is whole and in place.

    Attributes:
        name: on disk.
        url: where it came from.
        size: in bytes.
        sha256: of its content.
        verified: whether the publisher gave that checksum, so that it was compared.
    """

    name: str
    url: str
    size: int
    sha256: str
    verified: bool


@dataclass(frozen=True)
class _Identity:
    """What tells a file from a later version of it: as much as the server says."""

    total: int | None
    tag: str | None
    sha256: str | None


def fetch_file(
    file: WeightsFile,
    folder: Path,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
    timeout: float = READ_TIMEOUT,
    pause: float = 1.0,
) -> FetchedFile:
    """Fetch a file into a folder. What was fetched before an interruption is kept beside it and continued.

    Args:
        file: what to fetch.
        folder: where to; made if need be.
        progress: called with bytes there and bytes in all, None where the server does not say.
        timeout: seconds without a byte after which the connection is made anew.
        pause: seconds before that; doubled with every attempt that brings nothing.

    Raises:
        DownloadError: no connection, a size or checksum that cannot be right, no room on the disk, or another process is
            fetching the same file. A file that was there before is left as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{file.name}.part"
    with part.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadError(f"another process is fetching {file.name} into {folder}") from error
        transfer = _Transfer(file, part, progress, timeout)
        identity = _until_whole(transfer, pause)
        digest = _digest(part)
        if identity.sha256 is not None and digest != identity.sha256:
            transfer.discard()
            raise DownloadError(
                f"{file.address()} arrived with the checksum {digest}; its publisher gives {identity.sha256}. It was "
                "discarded"
            )
        part.replace(folder / file.name)
        transfer.identity_file.unlink(missing_ok=True)
    size = (folder / file.name).stat().st_size
    return FetchedFile(file.name, file.address(), size, digest, identity.sha256 is not None)


def _until_whole(transfer: _Transfer, pause: float) -> _Identity:
    fruitless = 0
    while True:
        before = transfer.received
        try:
            return transfer.run()
        except (http.client.HTTPException, TimeoutError, ConnectionError, urllib.error.URLError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                raise DownloadError(f"{transfer.address}: the server says {error.code} {error.reason}") from error
            fruitless = 0 if transfer.received > before else fruitless + 1
            if fruitless >= MAX_FRUITLESS_ATTEMPTS:
                raise DownloadError(
                    f"{transfer.address}: {error or type(error).__name__}; gave up after {fruitless} attempts without a "
                    f"byte. The {transfer.received} bytes so far are kept, and the next pull goes on from there"
                ) from error
            time.sleep(pause * 2**fruitless)


class _Transfer:
    """Bytes from a server to the end of a partial file."""

    def __init__(
        self, file: WeightsFile, part: Path, progress: Callable[[int, int | None], None], timeout: float
    ) -> None:
        self._file, self._part, self._progress, self._timeout = file, part, progress, timeout
        self.address = file.address()
        self.identity_file = part.with_name(f"{part.name}.json")

    @property
    def received(self) -> int:
        """Bytes that are there."""
        return self._part.stat().st_size

    def discard(self) -> None:
        """Start over."""
        os.truncate(self._part, 0)
        self.identity_file.unlink(missing_ok=True)

    def run(self) -> _Identity:
        """One connection, to the end of the file."""
        known = self._known_identity()
        if known is None and self.received:
            self.discard()
        if known is not None and known.total is not None and self.received == known.total:
            return known
        with self._open() as (response, identity, start):
            if start and identity != known:
                # The file has changed since: what is there belongs to the old one.
                self.discard()
                raise ConnectionError("the published file has changed in between")
            if not start and self.received:
                self.discard()
            self._check_size(identity.total)
            self.identity_file.write_text(json.dumps(asdict(identity)), encoding="utf-8")
            self._copy(response, identity.total)
        self._check_size(self.received)
        return identity

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple[http.client.HTTPResponse, _Identity, int]]:
        """The response, what it is of, and the byte that it starts at."""
        headers = {"User-Agent": f"interpose_ros/{__version__}", "Accept-Encoding": "identity"}
        if self.received:
            headers["Range"] = f"bytes={self.received}-"
        redirects = _Redirects()
        opener = urllib.request.build_opener(redirects)
        try:
            response = opener.open(urllib.request.Request(self.address, headers=headers), timeout=self._timeout)
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self.discard()
                raise ConnectionError("more was kept than there is; starting over") from error
            raise
        with response:
            match = _RANGE.fullmatch(response.headers.get("Content-Range", "")) if response.status == 206 else None
            start, total = (
                (int(match[1]), int(match[2])) if match else (0, _integer(response.headers["Content-Length"]))
            )
            if start != self.received and match:
                self.discard()
                raise ConnectionError("the server sent another part of the file than was asked for")
            # The hub names the content's checksum where it redirects to its storage.
            linked = (redirects.headers.get("x-linked-etag") or response.headers.get("X-Linked-ETag") or "").strip(
                '"W/'
            )
            sha256 = linked if _SHA256.fullmatch(linked) else None
            yield response, _Identity(total, linked or response.headers.get("ETag"), sha256), start

    def _copy(self, response: http.client.HTTPResponse, total: int | None) -> None:
        with self._part.open("ab") as part:
            done = part.tell()
            self._progress(done, total)
            while chunk := response.read(_CHUNK):
                part.write(chunk)
                done += len(chunk)
                if done > self._file.max_bytes:
                    part.flush()
                    self._check_size(done)
                self._progress(done, total)
            part.flush()
            os.fsync(part.fileno())
        if total is not None and done < total:
            raise ConnectionError(f"the connection ended after {done} of {total} bytes")

    def _check_size(self, size: int | None) -> None:
        file = self._file
        if size is None:
            return
        if not file.min_bytes <= size <= file.max_bytes:
            self.discard()
            raise DownloadError(
                f"{self.address} has {size} bytes; {file.name} has between {file.min_bytes} and {file.max_bytes}"
            )
        free, needed = shutil.disk_usage(self._part.parent).free, size - self.received
        if needed > free:
            raise DownloadError(f"{self._part.parent} has room for {free} bytes; {file.name} needs {needed}")

    def _known_identity(self) -> _Identity | None:
        try:
            return _Identity(**json.loads(self.identity_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, keeps what the hub says on the way, and never leaves an encrypted connection for an open one."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Called by urllib for each redirect."""
        if req.type == "https" and urllib.parse.urlsplit(newurl).scheme != "https":
            raise DownloadError(f"{req.full_url} redirects to {newurl}, which is not encrypted")
        for name, value in headers.items():
            if name.lower().startswith("x-linked-"):
                self.headers[name.lower()] = value
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
