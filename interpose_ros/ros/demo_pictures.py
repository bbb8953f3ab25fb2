"""Picture sections of the demo's report, drawn from the bag's images by the same steps that the node runs."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.drive_pictures import frame_strip, inline_jpeg, match_picture, position_plot
from interpose_ros.evaluation.drive_report import CAVEAT
from interpose_ros.evaluation.pairs import PairRecord
from interpose_ros.evaluation.recorded_truth import RecordedDrive
from interpose_ros.interpolation.recorded import ListedFramesInterpolator
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.ros.demo_positions import Pair, odometry_alone
from interpose_ros.ros.demo_views import DriveViews

PAIR_PICTURE_WIDTH = 900


def picture_sections(
    drive: RecordedDrive,
    views: DriveViews,
    pipeline: InterposePipeline,
    records: Mapping[Pair, PairRecord],
    placed: Mapping[int, Float[np.ndarray, "4 4"]],
) -> list[tuple[str, str]]:
    """Headings with their HTML: positions, keyframes, matches and frames in between of a few pairs."""
    return [
        ("Positions", _positions(drive, placed)),
        ("Keyframes", frame_strip(views.views)),
        ("Matches and frames in between", _pairs(views, pipeline, records)),
    ]


def _pairs(views: DriveViews, pipeline: InterposePipeline, records: Mapping[Pair, PairRecord]) -> str:
    """A narrow pair, one of about 45 degrees, and the widest: what was matched, and which frames bridged it."""
    angles = {pair: r.true_rotation_deg for pair, r in records.items() if r.true_rotation_deg is not None}
    if not angles:
        return "<p>No pair has truth.</p>"
    chosen = [min(angles, key=lambda pair: abs(angles[pair] - angle)) for angle in (20.0, 45.0, 180.0)]
    parts = []
    for first, last in dict.fromkeys(chosen):
        view_a, view_b = views.at(first), views.at(last)
        answer = pipeline.estimate(view_a, view_b, [ListedFramesInterpolator(views.between(first, last))])
        matches = 0 if answer.matched_pixels is None else len(answer.matched_pixels[0])
        parts.append(
            inline_jpeg(
                match_picture(view_a, view_b, answer),
                PAIR_PICTURE_WIDTH,
                f"true rotation {angles[first, last]:.1f} degrees; {matches} verified matches between the keyframes",
            )
        )
        if answer.refusal is not None:
            parts.append(f"<p>Refused: {escape(answer.refusal.text)}</p>")
        elif answer.frames_used:
            parts.append(f"<p>Frames in between that were used:</p>{frame_strip(answer.frames_used)}")
        else:
            parts.append("<p>The matches were enough; no frame in between was used.</p>")
    return "".join(parts)


def _positions(drive: RecordedDrive, placed: Mapping[int, Float[np.ndarray, "4 4"]]) -> str:
    if not placed:
        return "<p>Nothing on /tf could be placed.</p>"
    true = [pose for stamp in drive.jpegs if (pose := drive.truth.pose_at(stamp)) is not None]
    odometry = odometry_alone(drive)
    plot = position_plot(
        {
            "true": ("#777777", np.array([T[:3, 3] for T in true])),
            "through /tf": ("#e07000", np.array([T[:3, 3] for T in placed.values()])),
            "odometry alone": ("#3070c0", np.array([T[:3, 3] for T in odometry.values()]).reshape(-1, 3)),
        }
    )
    return (
        f"{plot}<p>Camera positions from above. Through /tf: {len(placed)} keyframes chained from the first, with the "
        f"node's own lengths and no fit to the truth; odometry alone from the same place. {CAVEAT}</p>"
    )
