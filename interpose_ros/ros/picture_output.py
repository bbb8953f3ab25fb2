"""``~/matches/compressed`` and ``~/clip/compressed``: what an answer rests on, as pictures for people."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from interpose_ros.answer import PairAnswer
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.views import View

PICTURE_WIDTH = 640
THUMBNAIL_WIDTH = 240
MAX_LINES = 200
MAX_THUMBNAILS = 16
COLUMNS = 6
CAPTION_HEIGHT = 22
JPEG_QUALITY = 85


def matches_picture(answer: PairAnswer, view_a: View, view_b: View) -> UInt8[np.ndarray, "h w 3"]:
    """Both keyframes side by side with their verified matches, and the answer in one line. RGB."""
    pictures, factors = zip(*(_reduced(view.image, PICTURE_WIDTH) for view in (view_a, view_b)), strict=True)
    left = pictures[0].shape[1]
    canvas = _side_by_side(pictures)
    if answer.matched_pixels is not None:
        pixels_a, pixels_b = answer.matched_pixels
        chosen = np.unique(np.linspace(0, len(pixels_a) - 1, min(len(pixels_a), MAX_LINES)).astype(int))
        for k in chosen if len(pixels_a) else ():
            colour = _hue(pixels_a[k, 1] / view_a.image.shape[0])
            start = _point(pixels_a[k] * factors[0])
            end = _point(pixels_b[k] * factors[1] + [left, 0])
            cv2.line(canvas, start, end, colour, 1, cv2.LINE_AA)
            cv2.circle(canvas, start, 2, colour, -1)
            cv2.circle(canvas, end, 2, colour, -1)
    return _captioned(canvas, _sentence(answer))


def clip_picture(answer: PairAnswer, view_a: View, view_b: View) -> UInt8[np.ndarray, "h w 3"]:
    """A, the frames in between that the answer (or the last hypothesis before a refusal) used, and B, in rows. RGB."""
    frames = frames_looked_at(answer)
    if len(frames) > MAX_THUMBNAILS:
        frames = [frames[k] for k in np.linspace(0, len(frames) - 1, MAX_THUMBNAILS).astype(int)]
    views = [view_a, *frames, view_b]
    stamp_a = view_a.keyframe_id.stamp_ns
    names = ["A", *(f"{(v.keyframe_id.stamp_ns - stamp_a) * 1e-9:+.2f} s" for v in frames), "B"]
    tiles = [
        _captioned(_reduced(view.image, THUMBNAIL_WIDTH)[0], name) for view, name in zip(views, names, strict=True)
    ]
    rows = [_side_by_side(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    width = max(row.shape[1] for row in rows)
    rows = [cv2.copyMakeBorder(row, 0, 0, 0, width - row.shape[1], cv2.BORDER_CONSTANT) for row in rows]
    return np.concatenate(rows)


def frames_looked_at(answer: PairAnswer) -> list[View]:
    """Frames in between behind the answer, or behind the last hypothesis that had any."""
    if answer.frames_used:
        return list(answer.frames_used)
    used = [c.result.frames_used for c in answer.candidates if isinstance(c.result, PoseEstimate)]
    return list(next((frames for frames in reversed(used) if frames), ()))


def picture_message(picture: UInt8[np.ndarray, "h w 3"], header: Header) -> CompressedImage:
    """The RGB picture as a JPEG message."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    message = CompressedImage(header=header, format="jpeg")
    message.data.frombytes(data.tobytes())
    return message


def _sentence(answer: PairAnswer) -> str:
    if answer.refusal is not None:
        return f"refused: {answer.refusal.reason.value}, {answer.refusal.text}"
    confidence = answer.confidence
    share = confidence.rotation_5deg if confidence is not None else math.nan
    sure = "uncalibrated" if math.isnan(share) else f"confidence {share:.2f}"
    length = f", {answer.scale.metres:.2f} m ({answer.scale.source.value})" if answer.scale is not None else ""
    return f"{answer.branch.value}: {answer.inliers} matches, {sure}{length}"


def _reduced(image: UInt8[np.ndarray, "h w 3"], width: int) -> tuple[UInt8[np.ndarray, "h2 w2 3"], float]:
    factor = min(1.0, width / image.shape[1])
    if factor == 1.0:
        return image.copy(), 1.0
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), factor


def _side_by_side(pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> UInt8[np.ndarray, "h2 w2 3"]:
    height = max(picture.shape[0] for picture in pictures)
    return np.concatenate(
        [cv2.copyMakeBorder(p, 0, height - p.shape[0], 0, 0, cv2.BORDER_CONSTANT) for p in pictures], axis=1
    )


def _captioned(picture: UInt8[np.ndarray, "h w 3"], text: str) -> UInt8[np.ndarray, "h2 w 3"]:
    canvas = cv2.copyMakeBorder(picture, 0, CAPTION_HEIGHT, 0, 0, cv2.BORDER_CONSTANT, value=(30, 30, 30))
    shown = text.encode("ascii", "replace").decode()[: max(4, picture.shape[1] // 8)]
    place = (4, canvas.shape[0] - 7)
    cv2.putText(canvas, shown, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA)
    return canvas


def _hue(share: float) -> tuple[int, int, int]:
    r, g, b = (round(255 * c) for c in colorsys.hsv_to_rgb(min(max(share, 0.0), 1.0) * 0.8, 0.9, 1.0))
    return r, g, b


def _point(pixel: np.ndarray) -> tuple[int, int]:
    return round(float(pixel[0])), round(float(pixel[1]))
