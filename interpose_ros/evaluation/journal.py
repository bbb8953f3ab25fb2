"""Rows on disk, each durable before the next is begun, so that a run may be killed at any moment and goes on later."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


class JournalError(ValueError):
    """A file of rows cannot be continued; the message says why and what to do."""


class RowJournal:
    """Appends rows to a JSON Lines file, one fsync each. Use ``open_journal``.

    Attributes:
        rows: what the file held when it was opened, in its order.
        torn: whether a last row was cut off by a kill, and dropped to be done again.
    """

    def __init__(self, stream: IO[bytes], rows: list[dict[str, Any]], torn: bool) -> None:
        self._stream, self.rows, self.torn = stream, rows, torn

    def append(self, row: dict[str, Any]) -> None:
        """Write a row; when this returns it is on disk.

        Raises:
            ValueError: the row holds a number that is not finite.
        """
        self._stream.write(json.dumps(row, allow_nan=False, separators=(",", ":")).encode() + b"\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())


@contextmanager
def open_journal(path: Path) -> Iterator[RowJournal]:
    """The journal of a file, which is made where there is none; nobody else can write to it meanwhile.

    Raises:
        JournalError: another process writes to it, or a row before the last is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with path.open("a+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise JournalError(f"another run is writing to {path}: wait for it, or choose another folder") from error
        if is_new:
            sync_folder(path.parent)
        stream.seek(0)
        content = stream.read()
        whole, newline, tail = content.rpartition(b"\n")
        rows = _parsed(path, whole) if newline else []
        if tail:
            stream.truncate(len(whole) + len(newline))
            os.fsync(stream.fileno())
        yield RowJournal(stream, rows, bool(tail))


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The complete rows of a file; a row that is still being written is left out.

    Raises:
        JournalError: there is no such file, or a row before the last is damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}") from error
    whole, newline, _ = content.rpartition(b"\n")
    return _parsed(path, whole) if newline else []


def write_atomically(path: Path, text: str) -> None:
    """Replace a file in one step: after a kill it holds the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names that were made in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parsed(path: Path, content: bytes) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise JournalError(
                f"{path}, line {number} is damaged: remove the line, and its pair is done again"
            ) from error
        if not isinstance(row, dict):
            raise JournalError(f"{path}, line {number} is no row: is this file from another program?")
        rows.append(row)
    return rows
