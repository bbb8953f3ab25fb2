"""What `interpose estimate` leaves in a folder: the answer, the frames that were looked at, and a picture of all clips."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from interpose_ros.interpolation.clip import Clip, Interpolator, LazyView
from interpose_ros.views import KeyframeId, View

_THUMBNAIL_HEIGHT = 120
_FRAMES_PER_ROW = 6
_USED = (60, 180, 75)
_OTHER = (90, 90, 90)


@dataclass(eq=False)
class OfferedClip:
    """A clip that an interpolator offered, and which of its frames were looked at.

    Attributes:
        clip: with frames that note when they are loaded.
        loaded: frames that were, by name.
    """

    clip: Clip
    loaded: dict[KeyframeId, View] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Origin and findings as plain JSON values; what is unknown is null."""
        origin = self.clip.origin
        findings = {name: value if math.isfinite(value) else None for name, value in self.clip.findings.items()}
        return {
            "interpolator": origin.interpolator,
            "clip_id": origin.clip_id,
            "direction": origin.direction.value,
            "generated": origin.generated,
            "frames": len(self.clip),
            "frames_looked_at": len(self.loaded),
            "findings": findings,
            "settings": dict(origin.settings),
        }


class LookedAt:
    """An interpolator whose clips are remembered."""

    def __init__(self, interpolator: Interpolator) -> None:
        self.name = interpolator.name
        self.offered: list[OfferedClip] = []
        self._interpolator = interpolator

    def clips(self, view_a: View, view_b: View) -> Iterator[Clip]:
        """The interpolator's clips."""
        for clip in self._interpolator.clips(view_a, view_b):
            offered = OfferedClip(clip)
            frames = [LazyView(frame.keyframe_id, _noting(frame, offered.loaded)) for frame in clip.frames]
            offered.clip = Clip(frames, clip.origin, clip.findings)
            self.offered.append(offered)
            yield offered.clip


def write_folder(
    folder: Path, answer: str, view_a: View, view_b: View, clips: Sequence[OfferedClip], used: Sequence[View]
) -> None:
    """Write ``answer.json``, ``picture.jpg`` and the frames that were looked at, ``clip_1/000.jpg`` and so on.

    Args:
        folder: made if need be.
        answer: JSON text.
        view_a, view_b: the keyframes.
        clips: in the order in which they were offered.
        used: frames that the answer rests on, framed in green in the picture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "answer.json").write_text(answer + "\n", encoding="utf-8")
    names = {view.keyframe_id for view in used}
    rows = []
    for number, offered in enumerate(clips, start=1):
        place = folder / f"clip_{number}"
        place.mkdir(exist_ok=True)
        for position, frame in enumerate(offered.clip.frames):
            if frame.keyframe_id in offered.loaded:
                _write(place / f"{position:03d}.jpg", offered.loaded[frame.keyframe_id].image)
        chosen = np.rint(np.linspace(0, len(offered.clip) - 1, min(_FRAMES_PER_ROW, len(offered.clip)))).astype(int)
        views = [offered.clip.frames[k].load() for k in chosen]
        rows.append(_row(view_a, views, view_b, names))
    if not rows:
        rows.append(_row(view_a, [], view_b, names))
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 6), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    _write(folder / "picture.jpg", np.concatenate(padded))


def _row(view_a: View, between: Sequence[View], view_b: View, used: set[KeyframeId]) -> UInt8[np.ndarray, "h w 3"]:
    cells = []
    for view in (view_a, *between, view_b):
        is_end = view is view_a or view is view_b
        width = max(round(view.camera.width * _THUMBNAIL_HEIGHT / view.camera.height), 1)
        small = cv2.resize(view.image, (width, _THUMBNAIL_HEIGHT), interpolation=cv2.INTER_AREA)
        colour = (0, 0, 0) if is_end else _USED if view.keyframe_id in used else _OTHER
        cells.append(cv2.copyMakeBorder(small, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=colour))
    return np.concatenate(cells, axis=1)


def _write(path: Path, image: UInt8[np.ndarray, "h w 3"]) -> None:
    if not cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1])):
        raise OSError(f"{path} could not be written")


def _noting(frame: LazyView, loaded: dict[KeyframeId, View]) -> Any:
    def load() -> View:
        view = frame.load()
        loaded[frame.keyframe_id] = view
        return view

    return load
