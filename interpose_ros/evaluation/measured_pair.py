"""One pair of a pair file through the pipeline: the answer and every hypothesis, each beside the truth."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interpose_ros.answer import Candidate, PairAnswer
from interpose_ros.config import InterposeConfig
from interpose_ros.estimators.features import FeaturesEstimator
from interpose_ros.estimators.protocol import PoseEstimator
from interpose_ros.evaluation.images import ImageError, load_view
from interpose_ros.evaluation.pair_files import LabelledPair
from interpose_ros.evaluation.recorded_frames import recorded_frames
from interpose_ros.evaluation.row import candidate_row, pair_row, refused_row
from interpose_ros.interpolation.bridging import choose_bridging_frames
from interpose_ros.interpolation.clip import Clip, Interpolator
from interpose_ros.interpolation.from_config import interpolators_from_config
from interpose_ros.interpolation.recorded import ListedFramesInterpolator
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.views import View

RECORDED = ListedFramesInterpolator.name
"""The interpolator that offers the real frames of the pair file."""

SPREAD_FRAMES = 3
"""Frames beside the two keyframes with which InterPose (CVPR 2025) found its lowest error."""


@dataclass(frozen=True)
class MeasuredPair:
    """A job: a pair with its number in the pair file, and the shortest true translation that has a direction."""

    number: int
    pair: LabelledPair
    min_baseline: float


@dataclass(frozen=True)
class MeasurementTools:
    """What a worker needs for its pairs.

    Attributes:
        pipeline: gives the answer, with the first estimator.
        further: estimators whose hypotheses are measured beside the answer, also where the pipeline needed none.
        interpolators: names, in the order in which they are tried; none withholds all frames in between.
        generated: the one of these that imagines frames; None where there is none.
    """

    pipeline: InterposePipeline
    further: Sequence[PoseEstimator]
    interpolators: Sequence[str]
    generated: Interpolator | None

    def for_pair(self, pair: LabelledPair) -> list[RememberingInterpolator]:
        """The interpolators of one pair."""
        return [
            RememberingInterpolator(_recorded(pair) if name == RECORDED or self.generated is None else self.generated)
            for name in self.interpolators
        ]


@dataclass(frozen=True)
class ToolsFactory:
    """Makes a worker's tools; picklable.

    Attributes:
        estimators: names; the first answers (as the configuration says too).
        interpolators: as in ``MeasurementTools``.
        every_hypothesis: measure what the pipeline did not need to look at, too.
    """

    estimators: tuple[str, ...]
    interpolators: tuple[str, ...]
    every_hypothesis: bool

    def __call__(self, config: InterposeConfig) -> MeasurementTools:
        """Load the networks.

        Raises:
            FileNotFoundError: weights are not installed or not configured; the message says how to get them.
        """
        pipeline = InterposePipeline.from_config(config)
        further = [_estimator(name, pipeline) for name in self.estimators] if self.every_hypothesis else []
        generated = next(iter(interpolators_from_config(config, pipeline.store)), None)
        return MeasurementTools(pipeline, further, self.interpolators, generated)


def measure_pair(tools: MeasurementTools, job: MeasuredPair) -> dict[str, Any]:
    """The row of a pair: plain JSON values, as ``row.py`` describes. An image that cannot be used is a refusal.

    Raises:
        FileNotFoundError: an image is not on this machine. It was when the run began, so this worker's machine is another.
    """
    pair = job.pair
    elsewhere = next((path for path in (pair.image_a, pair.image_b, *pair.frames) if not path.is_file()), None)
    if elsewhere is not None:
        raise FileNotFoundError(f"{elsewhere} is not on a worker's machine: put the images where all workers see them")
    try:
        stamps = range(len(pair.frames) + 2)
        view_a = load_view(pair.image_a, pair.intrinsics_a, pair.distortion_a, stamps[0])
        view_b = load_view(pair.image_b, pair.intrinsics_b, pair.distortion_b, stamps[-1])
        interpolators = tools.for_pair(pair)
        start = time.perf_counter()
        answer = tools.pipeline.estimate(view_a, view_b, interpolators)
        seconds = time.perf_counter() - start
        others = list(_unweighed(tools, answer, view_a, view_b, interpolators))
    except ImageError as error:
        return refused_row(job.number, pair, Refusal(RefusalReason.BAD_INPUT, str(error)), job.min_baseline)
    frames = dict(zip(stamps[1:-1], pair.frames, strict=True))
    candidates = [candidate_row(c, pair.T_b_a, job.min_baseline, weighed=True) for c in answer.candidates]
    candidates += [candidate_row(c, pair.T_b_a, job.min_baseline, weighed=False) for c in others]
    return pair_row(job.number, pair, answer, candidates, frames, seconds, job.min_baseline)


class RememberingInterpolator:
    """Another interpolator, which keeps the clips that were asked for: to make imagined ones again would take minutes."""

    def __init__(self, interpolator: Interpolator) -> None:
        self.name, self._interpolator = interpolator.name, interpolator
        self.clips_made: list[Clip] = []

    def clips(self, view_a: View, view_b: View) -> Iterator[Clip]:
        """The other one's clips."""
        for clip in self._interpolator.clips(view_a, view_b):
            self.clips_made.append(clip)
            yield clip


def _unweighed(
    tools: MeasurementTools,
    answer: PairAnswer,
    view_a: View,
    view_b: View,
    interpolators: Sequence[RememberingInterpolator],
) -> Iterator[Candidate]:
    """Hypotheses that the pipeline did not look at, since it had enough: they show what more work would have given.

    Real frames are looked at in any case. Imagined ones are only where the pipeline asked for them.
    """
    if not tools.further:
        return
    seen = {_name(candidate) for candidate in answer.candidates}
    for candidate in tools.pipeline.from_keyframes(view_a, view_b):
        if _name(candidate) not in seen:
            yield candidate
    for estimator in tools.further:
        if estimator.name != FeaturesEstimator.name:  # of two views its matches have said everything
            yield Candidate(estimator.name, None, estimator.estimate([view_a, view_b]), None)
    for source in interpolators:
        clips = source.clips_made or (list(source.clips(view_a, view_b)) if source.name == RECORDED else [])
        for clip in clips:
            missing = [e for e in tools.further if (e.name, clip.origin) not in seen]
            frames = _bridge(tools.pipeline, view_a, view_b, clip) if missing else []
            for estimator in missing:
                yield Candidate(estimator.name, clip.origin, estimator.estimate([view_a, *frames, view_b]), None)


def _bridge(pipeline: InterposePipeline, view_a: View, view_b: View, clip: Clip) -> list[View]:
    """The frames that the pipeline would use, or a few evenly spread ones where it would need none."""
    chosen = choose_bridging_frames(view_a, view_b, clip.frames, pipeline.store, pipeline.config.frames)
    if chosen or not clip.frames:
        return chosen
    positions = np.linspace(0, len(clip) - 1, min(SPREAD_FRAMES, len(clip)) + 2)[1:-1]
    return [clip.frames[number].load() for number in np.unique(np.rint(positions).astype(int))]


def _name(candidate: Candidate) -> tuple[str, Any]:
    return candidate.estimator, candidate.clip


def _estimator(name: str, pipeline: InterposePipeline) -> PoseEstimator:
    if name == pipeline.clip_estimator.name:
        return pipeline.clip_estimator
    if name == FeaturesEstimator.name:
        return FeaturesEstimator(pipeline.store, pipeline.config.frames)
    if name == "dust3r":
        from interpose_ros.estimators.dust3r import Dust3rEstimator

        return Dust3rEstimator.from_config(pipeline.config.dust3r)
    raise ValueError(f"there is no estimator {name}; there are features and dust3r")


def _recorded(pair: LabelledPair) -> Interpolator:
    return ListedFramesInterpolator(recorded_frames(pair))
