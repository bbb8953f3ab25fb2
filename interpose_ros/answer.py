"""What the pipeline says about a pair of keyframes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from jaxtyping import Float

from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.interpolation.clip import ClipOrigin
from interpose_ros.refusal import Refusal
from interpose_ros.selection.confidence import Confidence
from interpose_ros.views import KeyframeId, View


class Branch(str, Enum):
    """How an answer was made."""

    NONE = "none"
    MATCHES = "matches"
    FRAMES = "frames"


class ScaleSource(str, Enum):
    """Where the length of a translation came from."""

    NONE = "none"
    ODOMETRY = "odometry"
    DEPTH = "depth"
    BASELINE = "baseline"
    MODEL = "model"


@dataclass(frozen=True)
class Scale:
    """Length of the translation between two cameras, in metres.

    Attributes:
        source: where it came from.
        metres: length of ``t_b_a``.
        stddev: its standard deviation, in metres.
    """

    source: ScaleSource
    metres: float
    stddev: float


@dataclass(frozen=True, eq=False)
class Candidate:
    """One hypothesis that was weighed.

    Attributes:
        estimator: what made it.
        clip: origin of the frames in between; None for the keyframes alone.
        result: the estimate, or why there is none.
        confidence: of this hypothesis; None where there is no estimate.
        selected: whether it became the answer.
        against: why it did not become the answer, where there is an estimate; empty for the selected one.
    """

    estimator: str
    clip: ClipOrigin | None
    result: PoseEstimate | Refusal
    confidence: Confidence | None
    selected: bool = False
    against: str = ""


@dataclass(frozen=True)
class Work:
    """What an answer cost, and what it was expected to cost once the keyframes alone had not been enough.

    Attributes:
        clips, matches, poses: clips judged, pairs of images matched anew, runs of the estimator over frames.
        expected_clips, expected_matches: what was expected of them before the first clip was asked for, and of the clips'
            lengths as they came; 0 where no clip was to be asked for.
    """

    clips: int
    matches: int
    poses: int
    expected_clips: float
    expected_matches: float


@dataclass(frozen=True, eq=False)
class Overlap:
    """Share of each image, 0 to 1, that lies near verified matches with the other."""

    share_a: float
    share_b: float

    @property
    def smaller(self) -> float:
        """The smaller of both shares."""
        return min(self.share_a, self.share_b)


@dataclass(frozen=True, eq=False)
class PairAnswer:
    """Pose of camera B's keyframe with respect to camera A's, or a refusal.

    Attributes:
        keyframe_a, keyframe_b: the pair.
        selected: the hypothesis that became the answer; None in a refusal.
        refusal: why there is no answer; None where there is one.
        branch: how the answer was made.
        overlap: of the two keyframes.
        inliers: verified matches behind the answer; on the weakest link where there are frames in between.
        candidates: every hypothesis that was weighed, the selected one among them.
        scale: length of the translation; None where it is unknown.
        stage_seconds: wall-clock seconds per stage.
        matched_pixels: pixels of the verified matches between the keyframes themselves, for pictures.
        frames_used: views in between that the answer rests on, in order from A to B.
        remark: a sentence about an answer that is worth knowing, such as a contradiction; empty for none.
        work: what was spent, and what had been expected; None where the pipeline was not run.
        best_so_far: what had been found when the work was cut short; None where it was not.
    """

    keyframe_a: KeyframeId
    keyframe_b: KeyframeId
    selected: Candidate | None
    refusal: Refusal | None
    branch: Branch
    overlap: Overlap
    inliers: int
    candidates: tuple[Candidate, ...] = ()
    scale: Scale | None = None
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    matched_pixels: tuple[Float[np.ndarray, "m 2"], Float[np.ndarray, "m 2"]] | None = None
    frames_used: tuple[View, ...] = ()
    work: Work | None = None
    best_so_far: PairAnswer | None = None
    remark: str = ""

    def __post_init__(self) -> None:
        if (self.selected is None) == (self.refusal is None):
            raise ValueError("an answer is either a selected estimate or a refusal")

    @property
    def estimate(self) -> PoseEstimate | None:
        """The selected pose; None in a refusal."""
        if self.selected is None or isinstance(self.selected.result, Refusal):
            return None
        return self.selected.result

    @property
    def confidence(self) -> Confidence | None:
        """Confidence of the selected pose; None in a refusal."""
        return self.selected.confidence if self.selected is not None else None
