"""Generated clips on disk, named by everything that decided their content, so that none is made twice.

Bounded: what was not used for longest goes first. Written beside and moved into place, so that a reader never sees half a
clip; a file that was cut off all the same is noticed by its checksum, removed, and its clip made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

_log = logging.getLogger(__name__)
_MAGIC = b"interpose clip 1\n"
_SUFFIX = ".clip"
_DIGEST_BYTES = 16


@dataclass(frozen=True, eq=False)
class CachedClip:
    """A clip as it was made.

    Attributes:
        frames: RGB, in the order in which they were made.
        last_index: see ``GeneratedVideo``.
    """

    frames: UInt8[np.ndarray, "n h w 3"]
    last_index: int | None


def clip_key(parts: Mapping[str, str]) -> str:
    """Name of a clip from everything that decides its content."""
    return hashlib.blake2b(json.dumps(dict(parts), sort_keys=True).encode(), digest_size=16).hexdigest()


def default_cache_folder() -> Path:
    """``interpose_ros/clips`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "interpose_ros" / "clips"


class ClipCache:
    """Clips in a folder, at most so many bytes. Several processes may share it.

    Args:
        folder: made when the first clip is kept.
        max_bytes: room for all clips together; 0 keeps none.
    """

    def __init__(self, folder: Path, max_bytes: float) -> None:
        self.folder, self.max_bytes = folder, max_bytes

    def has(self, key: str) -> bool:
        """Whether a clip of that name is there, without reading it."""
        return self._path(key).is_file()

    def get(self, key: str) -> CachedClip | None:
        """The clip of that name, or None where it is not there or cannot be read."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        clip = _unpacked(content)
        if clip is None:
            _log.warning("the clip %s is cut off or damaged; it is removed and made again", path)
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return clip

    def put(self, key: str, clip: CachedClip) -> bool:
        """Keep a clip; whether it was kept. A full or read-only disk is a warning, for the clip itself is there."""
        content = _packed(clip)
        if len(content) > self.max_bytes:
            return False
        temporary = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make_room(len(content))
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as file:
                temporary = Path(file.name)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path(key))
        except OSError as error:
            _log.warning(
                "the clip was not kept in %s, and will be made again when it is needed: %s", self.folder, error
            )
            if temporary is not None:
                with contextlib.suppress(OSError):
                    temporary.unlink()
            return False
        return True

    def _make_room(self, needed: int) -> None:
        entries = []
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError):
                status = path.stat()
                entries.append((status.st_mtime_ns, status.st_size, path))
        used = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries, key=lambda entry: entry[0]):
            if used + needed <= self.max_bytes:
                return
            with contextlib.suppress(OSError):
                path.unlink()
            used -= size

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"


def _packed(clip: CachedClip) -> bytes:
    """Frames as PNG, without loss: what is read back must lead to the same answer."""
    encoded = []
    for frame in clip.frames:
        _, png = cv2.imencode(".png", np.ascontiguousarray(frame[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 1])
        encoded.append(png.tobytes())
    header = json.dumps({"last_index": clip.last_index, "sizes": [len(png) for png in encoded]}).encode()
    body = len(header).to_bytes(8, "little") + header + b"".join(encoded)
    return _MAGIC + hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() + body


def _unpacked(content: bytes) -> CachedClip | None:
    start = len(_MAGIC) + _DIGEST_BYTES
    body = content[start:]
    digest = hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()
    if not content.startswith(_MAGIC) or content[len(_MAGIC) : start] != digest:
        return None
    length = int.from_bytes(body[:8], "little")
    header = json.loads(body[8 : 8 + length])
    frames, position = [], 8 + length
    for size in header["sizes"]:
        png = np.frombuffer(body[position : position + size], dtype=np.uint8)
        frame = cv2.imdecode(png, cv2.IMREAD_COLOR)
        if frame is None:
            return None
        frames.append(frame[..., ::-1])
        position += size
    return CachedClip(np.ascontiguousarray(np.stack(frames)), header["last_index"])
