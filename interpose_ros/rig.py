"""Cameras that are mounted rigidly together, whose distance is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

from interpose_ros.answer import Scale, ScaleSource
from interpose_ros.odometry import NoScale
from interpose_ros.views import KeyframeId

DEFAULT_RELATIVE_STDDEV = 0.005
"""Of a baseline that is given without an error: half a percent, as hand-eye and stereo calibrations reach."""


@dataclass(frozen=True)
class Baseline:
    """Distance between two rigidly mounted cameras.

    Attributes:
        frame_a, frame_b: their optical frames, in any order.
        metres: distance of their centres.
        stddev: its standard deviation, metres.
    """

    frame_a: str
    frame_b: str
    metres: float
    stddev: float

    @classmethod
    def parse(cls, text: str) -> Baseline:
        """From ``FRAME FRAME METRES [STDDEV]``.

        Raises:
            ValueError: it is not written so; the message says what is wrong.
        """
        parts = text.split()
        if len(parts) not in (3, 4):
            raise ValueError(f"'{text}' is no baseline: write FRAME FRAME METRES, or FRAME FRAME METRES STDDEV")
        frame_a, frame_b = parts[:2]
        try:
            metres = float(parts[2])
            stddev = float(parts[3]) if len(parts) == 4 else DEFAULT_RELATIVE_STDDEV * metres
        except ValueError as error:
            raise ValueError(f"'{text}' is no baseline: {error}") from error
        if frame_a == frame_b:
            raise ValueError(f"'{text}' names one camera twice: a baseline is between two")
        if not (math.isfinite(metres) and metres > 0 and math.isfinite(stddev) and stddev > 0):
            raise ValueError(f"'{text}' must have a distance and an error above 0")
        return cls(frame_a, frame_b, metres, stddev)

    def length(self, a: KeyframeId, b: KeyframeId, max_time_difference: float) -> Scale | NoScale | None:
        """Length for a pair; None for pairs of other cameras.

        A robot moves between images that are not taken together, and the baseline does not tell by how much.
        """
        if {a.frame_id, b.frame_id} != {self.frame_a, self.frame_b}:
            return None
        apart = abs(a.stamp_ns - b.stamp_ns) * 1e-9
        if apart > max_time_difference:
            return NoScale(
                f"the images of '{a.frame_id}' and '{b.frame_id}' are {apart:.4f} s apart: their baseline counts within "
                f"{max_time_difference:g} s"
            )
        return Scale(ScaleSource.BASELINE, self.metres, self.stddev)
