"""Picture sections of the demo's report, drawn from the bag's images by the same steps that the node runs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from interpose_ros.config import InterposeConfig
from interpose_ros.evaluation.drive_pictures import frame_strip, inline_jpeg, match_picture, position_plot
from interpose_ros.evaluation.drive_report import CAVEAT
from interpose_ros.evaluation.pairs import PairRecord
from interpose_ros.evaluation.recorded_truth import RecordedDrive
from interpose_ros.geometry.camera import Camera
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.interpolation.recorded import ListedFramesInterpolator
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.ros.conversions import rgb_from_file_bytes
from interpose_ros.ros.demo_positions import PlacedKeyframes
from interpose_ros.views import KeyframeId, View

PAIR_PICTURE_WIDTH = 900


def picture_sections(
    drive: RecordedDrive, records: Sequence[PairRecord], placed: PlacedKeyframes
) -> list[tuple[str, str]]:
    """Headings with their HTML: keyframes, matches and frames in between of a few pairs, positions."""
    views = [_view(drive, stamp, jpeg) for stamp, jpeg in drive.jpegs.items()]
    return [
        ("Positions", _positions(drive, placed)),
        ("Keyframes", frame_strip(views)),
        ("Matches and frames in between", _pairs(views, records)),
    ]


def _view(drive: RecordedDrive, stamp_ns: int, jpeg: bytes) -> View:
    image = rgb_from_file_bytes(jpeg)
    height, width = image.shape[:2]
    return View(image, Camera(drive.K, width, height), KeyframeId(drive.camera_frame, stamp_ns))


def _pairs(views: Sequence[View], records: Sequence[PairRecord]) -> str:
    """A narrow pair, one of about 45 degrees, and the widest: what was matched, and which frames bridged it."""
    known = sorted((r for r in records if r.true_rotation_deg is not None), key=lambda r: r.true_rotation_deg or 0.0)
    if not known:
        return "<p>No pair has truth.</p>"
    angles = np.array([record.true_rotation_deg for record in known])
    chosen = [known[int(np.argmin(np.abs(angles - angle)))] for angle in (20.0, 45.0, float(angles.max()))]
    pipeline = InterposePipeline.from_config(InterposeConfig())
    parts = []
    for record in chosen:
        first, second = (_index(views, stamp) for stamp in (record.stamp0, record.stamp1))
        low, high = sorted((first, second))
        between = [LazyView(view.keyframe_id, lambda view=view: view) for view in views[low + 1 : high]]  # type: ignore[misc]
        answer = pipeline.estimate(views[low], views[high], [ListedFramesInterpolator(between)])
        matches = 0 if answer.matched_pixels is None else len(answer.matched_pixels[0])
        parts.append(
            inline_jpeg(
                match_picture(views[low], views[high], answer),
                PAIR_PICTURE_WIDTH,
                f"true rotation {record.true_rotation_deg:.1f} degrees; {matches} verified matches between the keyframes",
            )
        )
        if answer.refusal is not None:
            parts.append(f"<p>Refused: {escape(answer.refusal.text)}</p>")
        elif answer.frames_used:
            parts.append(f"<p>Frames in between that were used:</p>{frame_strip(answer.frames_used)}")
        else:
            parts.append("<p>The matches were enough; no frame in between was used.</p>")
    return "".join(parts)


def _index(views: Sequence[View], stamp_seconds: float) -> int:
    return int(np.argmin([abs(view.keyframe_id.stamp_ns * 1e-9 - stamp_seconds) for view in views]))


def _positions(drive: RecordedDrive, placed: PlacedKeyframes) -> str:
    if not placed.T_world_camera:
        return "<p>Nothing on /tf could be placed.</p>"
    true = [pose for stamp in drive.jpegs if (pose := drive.truth.pose_at(stamp)) is not None]
    estimated = np.array([T[:3, 3] for T in placed.T_world_camera.values()])
    plot = position_plot(np.array([T[:3, 3] for T in true]), estimated)
    lengths = (
        "Without metric scale /tf has directions only: edges took their length from the truth."
        if placed.true_lengths
        else "Lengths are the node's own."
    )
    return (
        f"{plot}<p>Grey: true camera positions from above. Orange: {len(placed.T_world_camera)} keyframes chained through "
        f"/tf from the first, no fit to the truth. {lengths} {CAVEAT}</p>"
    )
