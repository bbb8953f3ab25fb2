"""Small JPEGs of many images within a budget of bytes, as data URLs for a page that needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, UnidentifiedImageError

SIDES = (240, 180, 136, 104, 80)
"""Longer sides that are tried, the best first."""

QUALITY = 62
BYTES_PER_PIXEL = 0.16
"""About what a JPEG of that quality takes, to choose a side before any image is read."""


@dataclass
class Album:
    """Thumbnails by the files they are of.

    Attributes:
        urls: data URLs, by number.
        numbers: of files; missing ones could not be read, or had no room.
        sizes: width and height of the original files, by file.
        left_out: files that had no room.
    """

    urls: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    left_out: int = 0

    def add(self, files: Sequence[str], budget: int) -> None:
        """Add thumbnails of those files that it does not have yet.

        Args:
            files: the most wanted first.
            budget: bytes that these may take, as they stand in the page; sides shrink with their number, and what
                still finds no room is left out.
        """
        wanted = [file for file in dict.fromkeys(files) if file not in self.numbers]
        if not wanted:
            return
        fitting = [s for s in SIDES if len(wanted) * s * s * 0.75 * BYTES_PER_PIXEL * 4 / 3 <= budget]
        side = fitting[0] if fitting else SIDES[-1]
        spent = 0
        for position, file in enumerate(wanted):
            if spent >= budget:
                self.left_out += len(wanted) - position
                return
            url = self._thumbnail(file, side)
            if url is not None:
                spent += len(url)
                self.numbers[file] = len(self.urls)
                self.urls.append(url)

    def _thumbnail(self, file: str, side: int) -> str | None:
        try:
            with Image.open(Path(file)) as image:
                self.sizes[file] = image.size
                image.draft("RGB", (side, side))
                small = image.convert("RGB")
                small.thumbnail((side, side))
                stream = io.BytesIO()
                small.save(stream, "JPEG", quality=QUALITY, optimize=True)
        except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError):
            return None  # the page says that the image is not there; the figures do not depend on it
        return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
